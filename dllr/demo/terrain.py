"""Hills, plains and a river: what decides where everything else lies."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, label

from dllr.demo.noise import Floats, Mask, field


@dataclass(frozen=True)
class Terrain:
    """Arrays of one shape (y, x).

    height: m. east, north: slope towards east and north, rise over run. river: distance from the
    river's axis, px.
    """

    height: Floats
    east: Floats
    north: Floats
    river: Floats

    @property
    def slope(self) -> Floats:
        """Rise over run, steepest direction."""
        return np.hypot(self.east, self.north)


def terrain(rng: np.random.Generator, shape: tuple[int, int], pixel: float) -> Terrain:
    """Ridged hills that rise from plains; one river that winds through and has cut a valley."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    offset = rng.uniform(-0.25, 0.25) * min(shape)
    across = (y - shape[0] / 2) * np.cos(angle) + (x - shape[1] / 2) * np.sin(angle) - offset
    river = _distance_to_river(across.astype(np.float32) + 45 * field(rng, shape, 170, 3))

    hilly = 1 / (1 + np.exp(-3 * field(rng, shape, 450, 2.5)))
    ridges = 1 - np.abs(field(rng, shape, 140, 3))
    spurs = 1 - np.abs(field(rng, shape, 48, 2.8))
    valley = 1 - 0.9 * np.exp(-river / 45)
    height: Floats = np.asarray(
        130 * hilly * valley * (0.7 + 0.9 * ridges + 0.3 * spurs) + 3 * field(rng, shape, 120, 3),
        dtype=np.float32,
    )
    south, east = (np.asarray(rise, dtype=np.float32) for rise in np.gradient(height, pixel))
    return Terrain(height, east, -south, river)


def _distance_to_river(surface: Floats) -> Floats:
    """Distance from the level line of a tilted wavy surface, px.

    The line winds like a river and never ends inside the scene; rings beside it are left out.
    """
    bank = _largest(~_largest(surface > 0))
    axis = bank & ~(
        np.roll(bank, 1, 0) & np.roll(bank, -1, 0) & np.roll(bank, 1, 1) & np.roll(bank, -1, 1)
    )
    axis[[0, -1]] = axis[:, [0, -1]] = False  # where the roll wraps
    distance: Floats = distance_transform_edt(~axis).astype(np.float32)
    return distance


def _largest(mask: Mask) -> Mask:
    """The largest connected part."""
    parts, _ = label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax())
