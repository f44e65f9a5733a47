"""The lie of the land in a window: terrain, districts of one bearing, rectangles that people lay out."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dllr.demo.noise import (
    Cells,
    Floats,
    Ids,
    cells,
    field,
    hashed,
    normal,
    pixels,
    regions,
    uniform,
)
from dllr.demo.window import Window

CLASSES = ("farmland", "city", "village", "water", "forest", "road", "others")
CODES = (10, 20, 30, 40, 50, 60, 70)
FARMLAND, CITY, VILLAGE, WATER, FOREST, ROAD, OTHERS = range(7)
DISTRICT = 64  # px, about the side of a district


@dataclass(frozen=True)
class Ground:
    """What the classes compete for. Arrays of the window's shape (y, x); sizes in px.

    height: m. slope: rise over run. river: distance from its axis. Heights and slopes are those of
    the plan, somewhat smoother than the terrain.
    """

    key: int
    window: Window
    height: Floats
    slope: Floats
    river: Floats

    def noise(self, name: str, wavelength: float, roughness: float = 2.5) -> Floats:
        """A random field of its own for each name."""
        return field(int(hashed(self.key, *name.encode())), self.window, wavelength, roughness)

    @cached_property
    def speck(self) -> Floats:
        """A number in [0, 1) for each pixel."""
        return uniform(pixels(self.key, self.window), 0)

    @cached_property
    def district(self) -> Ids:
        """One number a district."""
        return regions(int(hashed(self.key, 1)), self.window, DISTRICT)

    @cached_property
    def bearing(self) -> Floats:
        """Direction of fields and walls, radians from the x axis towards the y axis."""
        main = (uniform(hashed(self.key, 2), 0) - 0.5) * np.pi / 2
        return np.asarray(main + 0.35 * normal(self.district, 1), dtype=np.float32)

    @cached_property
    def along(self) -> tuple[Floats, Floats]:
        """Coordinates along and across the bearing, px."""
        y = self.window.rows()[:, None] + 3 * self.noise("bend y", 90)
        x = self.window.columns()[None] + 3 * self.noise("bend x", 90)
        cosine, sine = np.cos(self.bearing), np.sin(self.bearing)
        return (
            np.asarray(x * cosine + y * sine, np.float32),
            np.asarray(y * cosine - x * sine, np.float32),
        )

    @cached_property
    def fields(self) -> Cells:
        """Parcels, 5 to 20 px wide, all of one district alike."""
        width = 5 + 15 * uniform(self.district, 2) ** 2
        length = width * (1.8 + 4 * uniform(self.district, 3))
        return cells(*self.along, width, length, self.district)

    @cached_property
    def blocks(self) -> Cells:
        """Lots between streets, about 13 × 20 px."""
        return cells(*self.along, 13.0, 20.0, self.district)
