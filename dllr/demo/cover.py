"""Land cover: which class wins a place. One set of rules, for the plan and for every window."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dllr.demo.ground import CITY, FARMLAND, FOREST, OTHERS, VILLAGE, WATER, Ground
from dllr.demo.materials import Material
from dllr.demo.noise import Floats, Mask, interpolated, uniform
from dllr.demo.window import Window

# Mean share of a scene and how far a scene may lie from it, relative; farmland takes the rest.
# WHU-OPT-SAR has about these means; the ranges are what its scenes show.
ROAD_SHARE = (0.01, 0.67)
SHARES = {
    CITY: (0.04, 0.5),
    VILLAGE: (0.06, 0.35),
    WATER: (0.13, 0.4),
    FOREST: (0.38, 0.2),
    OTHERS: (0.02, 0.5),
}

FAINT = 1e-3  # height of the surfaces far from any place, so that no two pixels tie

# (name, score, where it may lie) → where the score is high enough. The plan finds out what is high
# enough for a share of the scene and remembers it by name; the windows apply it.
Cut = Callable[[str, NDArray[np.floating], Mask], Mask]


@dataclass(frozen=True)
class Places:
    """Surfaces on the plan's grid that are high where people live or dig."""

    grid: Window
    city: Floats
    village: Floats
    pit: Floats

    def at(self, window: Window) -> "Places":
        """The same in a window."""
        if window == self.grid:
            return self
        surfaces = (interpolated(s, self.grid, window) for s in (self.city, self.village, self.pit))
        return Places(window, *surfaces)


def waters(ground: Ground, cut: Cut) -> NDArray[np.uint8]:
    """Rivers and lakes in low ground: their `Material`; 0 = dry."""
    basin = ground.noise("basin", 150, 2.3) - 4 * ground.slope - ground.height / 18
    lakes = cut("lake", basin, np.ones(ground.window.shape, dtype=bool))
    width = ground.river / np.exp(0.4 * ground.noise("banks", 120))
    river = cut("river", -width, ~lakes)
    kinds = [Material.RIVER, Material.LAKE]
    return np.select([river, lakes], kinds, 0).astype(np.uint8)


def settled(ground: Ground, water: Mask, places: Places, cut: Cut) -> NDArray[np.uint8]:
    """Index into CLASSES of each pixel, roads left out."""
    classes = np.full(ground.window.shape, FARMLAND, dtype=np.uint8)
    classes[water] = WATER
    ragged = 0.35 * ground.noise("suburbs", 60, 2.0) + 0.4 * uniform(ground.blocks.ids, 21)
    score = places.city + ragged - 2 * ground.slope
    classes[cut("city", score, ~water)] = CITY
    lot = 0.5 * (uniform(ground.blocks.ids, 22) - 0.5)
    score = (places.village + FAINT) * np.exp(1.6 * ground.noise("village", 40, 1.8) + lot)
    classes[cut("village", score, classes == FARMLAND)] = VILLAGE
    # Fish ponds are fields under water; the dams between them stay dry.
    score = 1.5 * uniform(ground.fields.ids, 11) + 3 * uniform(ground.district, 12)
    diked = (classes == FARMLAND) & (ground.fields.edge > 1)
    classes[cut("pond", score - ground.height / 36, diked)] = WATER
    score = (places.pit + FAINT) * np.exp(1.6 * ground.noise("pit", 30, 1.8) + lot)
    sandy = ground.noise("sand", 70) > 1.1
    banks = 1.6 * np.exp(-(((ground.river - 20) / 9) ** 2)) * sandy
    classes[cut("others", np.maximum(score, banks), classes == FARMLAND)] = OTHERS
    # Hills first; ragged edges, clearings and groves by rough fields.
    hills = ground.height / 60 + 3 * np.minimum(ground.slope, 0.5)
    rough = 0.5 * ground.noise("forest", 160, 2.0) + 0.3 * ground.noise("groves", 24, 1.8)
    classes[cut("forest", hills + rough, classes == FARMLAND)] = FOREST
    return classes
