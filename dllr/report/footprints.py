"""Footprints of scenes on a small map: turned, scaled, enlarged and grouped; arrays in, arrays out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Corners = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

WIDE = 4.4  # inches of every map
_TALLEST, _FLATTEST = 4.4, 1.6  # inches, height of a map
_AIR = 1.12  # the map over the ground that scenes cover


@dataclass(frozen=True)
class Frame:
    """A map, true in size at its middle latitude.

    Attributes:
        corner: longitude and latitude of its lower left corner.
        inches: inches a degree of longitude and of latitude.
        height: inches.
    """

    corner: Corners
    inches: Corners
    height: float

    @classmethod
    def around(cls, corners: Corners) -> "Frame":
        """The map that holds corners (N, 4, 2) and some air around them."""
        flat = corners.reshape(-1, 2)
        middle = (flat.min(axis=0) + flat.max(axis=0)) / 2
        narrowing = np.array([max(np.cos(np.radians(middle[1])), 0.2), 1])  # towards the poles
        width, height = np.maximum(_AIR * np.ptp(flat, axis=0) * narrowing, 1e-6)
        scale = min(WIDE / width, _TALLEST / height)
        tall = float(np.clip(height * scale, _FLATTEST, _TALLEST))  # rounding may pass the tallest
        inches = scale * narrowing
        return cls(middle - np.array([WIDE, tall]) / 2 / inches, inches, tall)

    def place(self, corners: Corners) -> Corners:
        """Degrees → inches from the lower left corner."""
        return (corners - self.corner) * self.inches


def unwrapped(corners: Corners) -> Corners:
    """Corners (N, 4, 2) with longitudes moved by whole turns, so that the date line tears nothing.

    The map is cut in the widest gap between the scenes' centres.
    """
    longitudes, first = corners[..., 0], corners[:, :1, 0]
    whole = first + (longitudes - first + 180) % 360 - 180
    centres = whole.mean(axis=1)
    around = np.sort(centres % 360)
    gaps = np.diff(around, append=around[0] + 360)
    cut = around[gaps.argmax()] + gaps.max() / 2
    whole = whole - 360 * np.floor((centres - cut) / 360)[:, None]
    middle = (whole.min() + whole.max()) / 2
    return np.stack([whole - 360 * np.round(middle / 360), corners[..., 1]], axis=-1)


def grown(shapes: Corners, least: float) -> Corners:
    """Shapes (N, 4, 2), those with no side of `least` enlarged about their centre."""
    sides = np.ptp(shapes, axis=1).max(axis=1)
    factors = np.maximum(1, least / np.maximum(sides, 1e-9))[:, None, None]
    centres = shapes.mean(axis=1, keepdims=True)
    return np.where(factors > 1, centres + (shapes - centres) * factors, shapes)


def crowds(shapes: Corners, mark: float, widest: float) -> list[Places]:
    """Numbers of the shapes (N, 4, 2) that `mark` makes meet though they need not, largest group first.

    Groups wider than `widest` are left out: a close-up would show no more than the map itself.
    """
    sides = np.ptp(shapes, axis=1).max(axis=1)
    cells = np.floor((shapes.mean(axis=1) - shapes.min(axis=(0, 1))) / mark).astype(int)
    taken = np.zeros(cells.max(axis=0) + 1, bool)
    taken[tuple(cells.T)] = True
    numbered, _ = ndimage.label(taken, np.ones((3, 3)))
    numbers = numbered[tuple(cells.T)]
    groups = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
    near = [
        group
        for group in groups
        if len(group) > 1
        and (sides[group] < mark).any()
        and np.ptp(shapes[group].reshape(-1, 2), axis=0).max() < widest
    ]
    return sorted(near, key=len, reverse=True)
