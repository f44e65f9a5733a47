"""Hills, plains and rivers: what decides where everything else lies."""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy.ndimage import distance_transform_edt, label

from dllr.demo.noise import Floats, Mask, field, hashed, interpolated, uniform
from dllr.demo.window import Window

RIVERS_APART = 1400  # px
VALLEY = 45.0  # px, how far from a river its valley reaches


@dataclass(frozen=True)
class Terrain:
    """Ridged hills that rise from plains, and rivers that wind through and have cut valleys.

    grid: where `river`, the distance from the next river's axis, px, is known. relief: m, scale of
    the hills. pixel: m.
    """

    key: int
    pixel: float
    relief: float
    grid: Window
    river: Floats

    def height(self, window: Window) -> Floats:
        """m; two nodes of `grid` must lie beyond the window on each side, unless it is the grid."""
        river = self.distance_to_river(window)
        hilly = 1 / (1 + np.exp(-3 * self._field(window, 1, 450, 2.5)))
        ridges = 1 - np.abs(self._field(window, 2, 140, 3))
        spurs = 1 - np.abs(self._field(window, 3, 48, 2.8))
        valley = 1 - 0.9 * np.exp(-river / VALLEY)
        hills = self.relief * hilly * valley * (0.7 + 0.9 * ridges + 0.3 * spurs)
        return np.asarray(hills + 3 * self._field(window, 4, 120, 3), dtype=np.float32)

    def distance_to_river(self, window: Window) -> Floats:
        """px."""
        if window == self.grid:
            return self.river
        return interpolated(self.river, self.grid, window)

    def _field(self, window: Window, salt: int, wavelength: float, roughness: float) -> Floats:
        return field(int(hashed(self.key, salt)), window, wavelength, roughness)


def rise(height: Floats, distance: float) -> tuple[Floats, Floats]:
    """Slope towards east and towards north, rise over run; `distance`: m between positions."""
    south, east = np.gradient(height, np.float32(distance))
    return np.asarray(east, np.float32), np.asarray(-south, np.float32)


def terrain(key: int, core: Window, grid: Window, pixel: float, relief: float) -> Terrain:
    """The terrain of a scene whose frame is `core`; a larger one has more rivers."""
    seed = hashed(key, 10)
    y, x = grid.rows()[:, None], grid.columns()[None]
    angle = np.pi * uniform(seed, 1)
    across = (y - core.height / 2) * np.cos(angle) + (x - core.width / 2) * np.sin(angle)
    wavy = across + 45 * field(int(seed), grid, 170, 3)
    shift = RIVERS_APART * 0.2 * (uniform(seed, 2) - 0.5)
    reach = int(np.ceil(max(core.shape) / RIVERS_APART / 2)) - 1
    lines = (wavy - shift - RIVERS_APART * n for n in range(-reach, reach + 1))
    river = reduce(np.minimum, map(_distance, lines)) * grid.step
    return Terrain(key, pixel, relief, grid, river.astype(np.float32))


def _distance(surface: Floats) -> Floats:
    """Distance from the level line of a tilted wavy surface, in positions.

    The line winds like a river and never ends inside the scene; rings beside it are left out.
    """
    bank = _largest(~_largest(surface > 0))
    axis = bank & ~(
        np.roll(bank, 1, 0) & np.roll(bank, -1, 0) & np.roll(bank, 1, 1) & np.roll(bank, -1, 1)
    )
    axis[[0, -1]] = axis[:, [0, -1]] = False  # where the roll wraps
    if not axis.any():
        return np.full(surface.shape, np.hypot(*surface.shape), dtype=np.float32)
    distance: Floats = distance_transform_edt(~axis).astype(np.float32)
    return distance


def _largest(mask: Mask) -> Mask:
    """The largest connected part."""
    parts, _ = label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax())
