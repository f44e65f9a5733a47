"""Land cover: what lies where."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from dllr.demo.fill import Cover, fill
from dllr.demo.ground import (
    CITY,
    FARMLAND,
    FOREST,
    OTHERS,
    ROAD,
    VILLAGE,
    WATER,
    Ground,
    blocks,
    lay_out,
)
from dllr.demo.materials import Material
from dllr.demo.noise import Floats, Mask, field, top, uniform
from dllr.demo.roads import HALF_WIDTH, distance_to_roads
from dllr.demo.terrain import Terrain

# Mean share of a scene and how far a scene may lie from it, relative; farmland takes the rest.
# WHU-OPT-SAR has about these means; the ranges are what its scenes show.
SHARES = {
    CITY: (0.04, 0.5),
    VILLAGE: (0.06, 0.35),
    WATER: (0.13, 0.4),
    FOREST: (0.38, 0.2),
    ROAD: (0.01, 0.67),
    OTHERS: (0.02, 0.5),
}
VILLAGE_SIZE = 700  # px, mean area of a village
PIT_SIZE = 350  # px, mean area of a quarry or building site


def draw_shares(rng: np.random.Generator) -> dict[int, float]:
    """Target share of each class but farmland for one scene."""
    return {c: mean * rng.uniform(1 - spread, 1 + spread) for c, (mean, spread) in SHARES.items()}


def land_cover(
    rng: np.random.Generator,
    land: Terrain,
    core: tuple[slice, slice],
    shares: dict[int, float],
    day: int,
) -> Cover:
    """Place the classes on the terrain so that `core` has the given shares, then fill in detail.

    `day` of the year decides how far the crops have grown.
    """
    ground = lay_out(rng, land, core)
    classes = np.full(ground.shape, FARMLAND, dtype=np.uint8)

    waters = _waters(rng, ground, shares[WATER])
    water = waters > 0
    classes[water] = WATER
    town = _town(rng, ground, water)
    free = ~water
    city = top(_city(rng, ground, town), free, core, ground.pixels(shares[CITY]))
    classes[city] = CITY
    free &= ~city
    places, score = _villages(rng, ground, free, shares[VILLAGE])
    classes[top(score, free, core, ground.pixels(shares[VILLAGE]))] = VILLAGE
    free = classes == FARMLAND
    classes[top(_pits(rng, ground, free, shares), free, core, ground.pixels(shares[OTHERS]))] = (
        OTHERS
    )
    free = classes == FARMLAND
    classes[top(_forest(rng, ground), free, core, ground.pixels(shares[FOREST]))] = FOREST

    pixels = ground.pixels(shares[ROAD])
    axis = distance_to_roads(rng, land.slope, water, town, places, pixels / 3)
    everywhere = np.ones_like(free)
    wanted = top(-axis, everywhere, core, pixels)
    classes[(wanted | (axis < HALF_WIDTH[0])) & (axis < HALF_WIDTH[1])] = ROAD
    return fill(rng, ground, classes, waters, axis, day)


def _waters(rng: np.random.Generator, ground: Ground, share: float) -> NDArray[np.uint8]:
    """A river, lakes in low ground, fish ponds (fields under water): their `Material`; 0 = dry."""
    land, core = ground.terrain, ground.core
    part = rng.dirichlet([4, 4, 2])
    free = np.ones(ground.shape, dtype=bool)
    width = land.river / (1 + 0.25 * field(rng, ground.shape, 120))
    river = top(-width, free, core, ground.pixels(share * part[0]))
    low = -land.height / 18
    basin = field(rng, ground.shape, 150, 3) - 4 * land.slope
    lakes = top(basin + low, ~river, core, ground.pixels(share * part[1]))
    score = 1.5 * uniform(ground.fields.ids, 11) + uniform(ground.district, 12) * 3 + low / 2
    # Dams between the ponds stay dry.
    diked = ~(river | lakes) & (ground.fields.edge > 1)
    ponds = top(score, diked, core, ground.pixels(share * part[2]))
    kinds = [Material.RIVER, Material.LAKE, Material.POND]
    return np.select([river, lakes, ponds], kinds, 0).astype(np.uint8)


def _town(rng: np.random.Generator, ground: Ground, water: Mask) -> tuple[float, float]:
    """The lowest and flattest of some dry places well inside the scene: (y, x)."""
    low = [s.start + 0.2 * (s.stop - s.start) for s in ground.core]
    high = [s.start + 0.8 * (s.stop - s.start) for s in ground.core]
    places = rng.uniform(low, high, (60, 2))
    y, x = places.astype(int).T
    rating = ground.terrain.height[y, x] + 300 * ground.terrain.slope[y, x] + 500 * water[y, x]
    best = places[np.argmin(rating)]
    return float(best[0]), float(best[1])


def _city(rng: np.random.Generator, ground: Ground, town: tuple[float, float]) -> Floats:
    y, x = np.ogrid[: ground.shape[0], : ground.shape[1]]
    side = ground.core[0].stop - ground.core[0].start
    reach = np.hypot(y - town[0], x - town[1]) / (0.11 * side)
    ragged = 0.35 * field(rng, ground.shape, 60, 2.6) + 0.4 * uniform(blocks(ground).ids, 21)
    return np.asarray(ragged - reach - 2 * ground.terrain.slope, dtype=np.float32)


def _villages(
    rng: np.random.Generator, ground: Ground, free: Mask, share: float
) -> tuple[NDArray[np.float64], Floats]:
    """Places (n, 2) on flat dry ground, the largest first, and a score that is high around them."""
    suits = np.where(free, np.exp(-12 * ground.terrain.slope), 0)
    count = max(1, round(share * suits.size / VILLAGE_SIZE))
    places = _scattered(rng, suits, count)
    size = np.sort(rng.lognormal(0, 0.5, count))[::-1].astype(np.float32)
    return places, _around(rng, ground, places, size, 9.0, 0.7)


def _pits(rng: np.random.Generator, ground: Ground, free: Mask, shares: dict[int, float]) -> Floats:
    """Quarries on slopes, building sites anywhere, and sand along the river."""
    land = ground.terrain
    count = max(2, round(shares[OTHERS] * free.size / PIT_SIZE))
    suits = np.where(free, 0.05 + np.minimum(land.slope, 0.4), 0)
    places = _scattered(rng, suits, count)
    score = _around(rng, ground, places, rng.lognormal(0, 0.4, count).astype(np.float32), 6.0, 0.8)
    wet = land.river / np.maximum(np.quantile(land.river[ground.core], shares[WATER] / 2), 1)
    banks = 1.6 * np.exp(-(((wet - 1) / 0.35) ** 2)) * (field(rng, ground.shape, 70) > 1.1)
    return np.asarray(np.maximum(score, banks), dtype=np.float32)


def _scattered(
    rng: np.random.Generator, suits: NDArray[np.floating], count: int
) -> NDArray[np.float64]:
    """`count` places (y, x) with a density proportional to `suits`."""
    chance = np.cumsum(suits.ravel(), dtype=np.float64)
    flat = np.searchsorted(chance, rng.uniform(0, chance[-1], count))
    return np.stack(np.unravel_index(flat, suits.shape), axis=1).astype(np.float64)


def _around(
    rng: np.random.Generator,
    ground: Ground,
    places: NDArray[np.float64],
    size: Floats,
    sigma: float,
    ragged: float,
) -> Floats:
    """Bumps of height `size` at the places, with ragged contours that partly follow lots."""
    bumps: Floats = np.zeros(ground.shape, dtype=np.float32)
    np.add.at(bumps, tuple(places.astype(int).T), size)
    bumps = gaussian_filter(bumps, sigma, truncate=4) * (2 * np.pi * sigma**2)
    lot = 0.5 * (uniform(blocks(ground).ids, 22) - 0.5)
    bumps *= np.exp(ragged * field(rng, ground.shape, 28, 2.3) + lot)
    return bumps


def _forest(rng: np.random.Generator, ground: Ground) -> Floats:
    """Hills first; ragged edges, clearings and groves by a rough field."""
    land = ground.terrain
    hills = land.height / 60 + 3 * np.minimum(land.slope, 0.5)
    rough = 0.5 * field(rng, ground.shape, 160, 2.2) + 0.3 * field(rng, ground.shape, 24, 2.1)
    return np.asarray(hills + rough, dtype=np.float32)
