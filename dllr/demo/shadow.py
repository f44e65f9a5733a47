"""What hides the sun or the radar."""

import numpy as np

from dllr.demo.fill import HIGHEST
from dllr.demo.noise import Floats, Mask

LONGEST = 16  # px; longer shadows are cut off
LOWEST = 2.0  # m above the ground that casts a shadow worth drawing


def reach(drop: float) -> int:
    """px that the longest shadow has where the ray falls `drop` m in a pixel."""
    return min(LONGEST, int(np.ceil(HIGHEST / drop)))


def cast(surface: Floats, east: float, north: float, drop: float) -> Mask:
    """Where something towards (east, north) hides the source of light; surface: m, (y, x).

    `drop`: m that the ray from the source falls in a pixel. The array wraps: `reach(drop)` px along
    its border are not to be used.
    """
    hidden = np.zeros(surface.shape, dtype=bool)
    for step in range(1, reach(drop) + 1):
        # What stands `step` px towards the source, brought here.
        shift = (round(step * north), -round(step * east))
        hidden |= np.roll(surface, shift, (0, 1)) - step * drop > surface + LOWEST
    return hidden
