"""Land cover: what lies where, and what it is made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from dllr.demo.materials import Material
from dllr.demo.noise import (
    Cells,
    Floats,
    Ids,
    Mask,
    cells,
    field,
    hashed,
    normal,
    top,
    uniform,
)
from dllr.demo.roads import HALF_WIDTH, distance_to_roads
from dllr.demo.terrain import Terrain

CLASSES = ("farmland", "city", "village", "water", "forest", "road", "others")
CODES = (10, 20, 30, 40, 50, 60, 70)
FARMLAND, CITY, VILLAGE, WATER, FOREST, ROAD, OTHERS = range(7)

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

# Day of the year of the fullest canopy, and how many days it lasts: rape and wheat, rice, cotton
# and maize. Rice stands in water until some 45 days before its peak.
CROPS = ((105, 38), (225, 42), (205, 55))
RICE = 1


@dataclass(frozen=True)
class Cover:
    """Arrays of one shape (y, x).

    classes: index into CLASSES. material: `Material`. green: canopy cover of a field, 0 to 1, mixes
    its soil (dry or flooded) with its crop. objects: one number a field, house, block or stand.
    height: m above the ground. bearing: direction of walls, radians from the x axis.
    """

    classes: NDArray[np.uint8]
    material: NDArray[np.uint8]
    green: Floats
    objects: Ids
    height: Floats
    bearing: Floats


def draw_shares(rng: np.random.Generator) -> dict[int, float]:
    """Target share of each class but farmland for one scene."""
    return {c: mean * rng.uniform(1 - spread, 1 + spread) for c, (mean, spread) in SHARES.items()}


@dataclass(frozen=True)
class _Ground:
    """What the classes compete for, and the rectangles that all man-made things follow."""

    terrain: Terrain
    core: tuple[slice, slice]
    district: Ids
    bearing: Floats
    u: Floats
    v: Floats
    fields: Cells

    @property
    def shape(self) -> tuple[int, int]:
        return self.district.shape[0], self.district.shape[1]

    def pixels(self, share: float) -> int:
        """A share of the core, px."""
        rows, columns = (int(s.stop - s.start) for s in self.core)
        return round(share * rows * columns)


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
    ground = _ground(rng, land, core)
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
    return _filled(rng, ground, classes, waters, axis, day)


def _ground(rng: np.random.Generator, land: Terrain, core: tuple[slice, slice]) -> _Ground:
    """Districts of one bearing each (Voronoi cells of a jittered grid), fields within them."""
    shape = land.height.shape
    spacing = 64
    seeds = np.mgrid[
        -spacing : shape[0] + spacing : spacing, -spacing : shape[1] + spacing : spacing
    ]
    points = seeds.reshape(2, -1).T + rng.uniform(-28, 28, (seeds[0].size, 2))
    # Half resolution is enough for borders that are tracks of a pixel or two.
    coarse = np.mgrid[: shape[0] : 2, : shape[1] : 2]
    nearest = cKDTree(points).query(coarse.reshape(2, -1).T)[1].reshape(coarse.shape[1:])
    index = nearest.repeat(2, 0).repeat(2, 1)[: shape[0], : shape[1]].astype(np.int32)
    district = hashed(index, int(rng.integers(2**31)))

    main = rng.uniform(-np.pi / 4, np.pi / 4)
    bearing = np.asarray(main + 0.35 * normal(district, 1), dtype=np.float32)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    y += 3 * field(rng, shape, 90)
    x += 3 * field(rng, shape, 90)
    u = x * np.cos(bearing) + y * np.sin(bearing)
    v = y * np.cos(bearing) - x * np.sin(bearing)
    width = 5 + 9 * uniform(district, 2) ** 2
    fields = cells(u, v, width, width * (1.8 + 3 * uniform(district, 3)), district)
    return _Ground(land, core, district, bearing, u, v, fields)


def _waters(rng: np.random.Generator, ground: _Ground, share: float) -> NDArray[np.uint8]:
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


def _town(rng: np.random.Generator, ground: _Ground, water: Mask) -> tuple[float, float]:
    """The lowest and flattest of some dry places well inside the scene: (y, x)."""
    low = [s.start + 0.2 * (s.stop - s.start) for s in ground.core]
    high = [s.start + 0.8 * (s.stop - s.start) for s in ground.core]
    places = rng.uniform(low, high, (60, 2))
    y, x = places.astype(int).T
    rating = ground.terrain.height[y, x] + 300 * ground.terrain.slope[y, x] + 500 * water[y, x]
    best = places[np.argmin(rating)]
    return float(best[0]), float(best[1])


def _city(rng: np.random.Generator, ground: _Ground, town: tuple[float, float]) -> Floats:
    y, x = np.ogrid[: ground.shape[0], : ground.shape[1]]
    side = ground.core[0].stop - ground.core[0].start
    reach = np.hypot(y - town[0], x - town[1]) / (0.11 * side)
    ragged = 0.35 * field(rng, ground.shape, 60, 2.6) + 0.4 * uniform(_blocks(ground).ids, 21)
    return np.asarray(ragged - reach - 2 * ground.terrain.slope, dtype=np.float32)


def _blocks(ground: _Ground) -> Cells:
    return cells(ground.u, ground.v, 13.0, 20.0, ground.district)


def _villages(
    rng: np.random.Generator, ground: _Ground, free: Mask, share: float
) -> tuple[NDArray[np.float64], Floats]:
    """Places (n, 2) on flat dry ground, the largest first, and a score that is high around them."""
    suits = np.where(free, np.exp(-12 * ground.terrain.slope), 0)
    count = max(1, round(share * suits.size / VILLAGE_SIZE))
    places = _scattered(rng, suits, count)
    size = np.sort(rng.lognormal(0, 0.5, count))[::-1].astype(np.float32)
    return places, _around(rng, ground, places, size, 9.0, 0.7)


def _pits(
    rng: np.random.Generator, ground: _Ground, free: Mask, shares: dict[int, float]
) -> Floats:
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
    ground: _Ground,
    places: NDArray[np.float64],
    size: Floats,
    sigma: float,
    ragged: float,
) -> Floats:
    """Bumps of height `size` at the places, with ragged contours that partly follow lots."""
    bumps: Floats = np.zeros(ground.shape, dtype=np.float32)
    np.add.at(bumps, tuple(places.astype(int).T), size)
    bumps = gaussian_filter(bumps, sigma, truncate=4) * (2 * np.pi * sigma**2)
    lot = 0.5 * (uniform(_blocks(ground).ids, 22) - 0.5)
    bumps *= np.exp(ragged * field(rng, ground.shape, 28, 2.3) + lot)
    return bumps


def _forest(rng: np.random.Generator, ground: _Ground) -> Floats:
    """Hills first; ragged edges, clearings and groves by a rough field."""
    land = ground.terrain
    hills = land.height / 60 + 3 * np.minimum(land.slope, 0.5)
    rough = 0.5 * field(rng, ground.shape, 160, 2.2) + 0.3 * field(rng, ground.shape, 24, 2.1)
    return np.asarray(hills + rough, dtype=np.float32)


def _filled(
    rng: np.random.Generator,
    ground: _Ground,
    classes: NDArray[np.uint8],
    waters: NDArray[np.uint8],
    axis: Floats,
    day: int,
) -> Cover:
    """Materials, objects and heights within each class."""
    shape = ground.shape
    material = np.full(shape, Material.SOIL, dtype=np.uint8)
    objects = ground.fields.ids.copy()
    height = np.zeros(shape, dtype=np.float32)
    patch = field(rng, shape, 60, 1.9)
    speck = rng.random(shape, dtype=np.float32)

    green = _farm(rng, ground, classes == FARMLAND, material, day)

    stand = classes == FOREST
    kind = patch + 0.8 * field(rng, shape, 200) + 0.3 * (speck - 0.5)
    material[stand] = np.select(
        [kind[stand] > 0.9, kind[stand] < -1.5],
        [Material.CONIFER, Material.SHRUB],
        Material.BROADLEAF,
    )
    height[stand] = np.where(
        material[stand] == Material.SHRUB, 2, 9 + 3 * np.clip(patch[stand], -2, 2)
    )
    objects[stand] = hashed(material[stand], ground.district[stand])

    open_water = classes == WATER
    material[open_water] = waters[open_water]
    # Each pond has a colour of its own; the rivers have one, and the lakes.
    whole = open_water & (waters != Material.POND)
    objects[whole] = hashed(material[whole])

    _city_detail(ground, classes == CITY, material, objects, height)
    _village_detail(ground, classes == VILLAGE, speck, material, objects, height)

    road = classes == ROAD
    paved = uniform(ground.district, 31) < 0.65
    material[road] = np.where(paved[road], Material.ASPHALT, Material.CONCRETE)
    objects[road] = ground.district[road]
    # Trees beside the road hide parts of it, and the label does not care.
    avenue = road & (axis > 1) & (speck < 0.15)
    material[avenue] = Material.BROADLEAF

    bare = classes == OTHERS
    near_river = ground.terrain.river < 60
    choice = uniform(ground.district, 41) + 0.15 * patch
    kinds = np.select(
        [near_river & (choice > 0.1), choice > 0.45, choice > 0.25],
        [Material.SAND, Material.ROCK, Material.CONCRETE],
        Material.SOIL,
    )
    material[bare] = kinds[bare]
    material[bare & (speck < 0.08)] = Material.SHRUB
    objects[bare] = hashed(material[bare], ground.district[bare])
    return Cover(classes, material, green, objects, height, ground.bearing)


def _farm(
    rng: np.random.Generator,
    ground: _Ground,
    farm: Mask,
    material: NDArray[np.uint8],
    day: int,
) -> Floats:
    """Fields: a crop each, more of one kind in a neighbourhood, at its stage of growth on `day`."""
    ids = ground.fields.ids
    region = field(rng, ground.shape, 250) + 1.6 * (uniform(ids, 51) - 0.5)
    crop = np.digitize(region, [-0.4, 0.6])
    peak = np.array([p for p, _ in CROPS], dtype=np.float32)[crop] + 16 * normal(ids, 52)
    lasts = np.array([w for _, w in CROPS], dtype=np.float32)[crop]
    green: Floats = np.exp(-(((day - peak) / lasts) ** 2)).astype(np.float32)
    green *= 0.75 + 0.25 * uniform(ids, 53)
    weeds = 0.25 * uniform(ids, 54) ** 2
    green = np.clip(np.maximum(green, weeds) + 0.05 * field(rng, ground.shape, 6, 1.5), 0, 1)

    flooded = farm & (crop == RICE) & (np.abs(day - (peak - 60)) < 28)
    material[flooded] = Material.PADDY
    greenhouse = farm & (uniform(ids, 55) > 0.985)
    material[greenhouse] = Material.GREENHOUSE
    track = farm & (ground.fields.edge < 0.6)
    material[track] = Material.TRACK
    green[track] = 0.35
    orchard = farm & (uniform(ids, 56) > 0.96)
    material[orchard] = Material.SHRUB
    # What is not a field has no soil to mix in.
    green[~farm | greenhouse | orchard] = 0
    return green


def _city_detail(
    ground: _Ground,
    city: Mask,
    material: NDArray[np.uint8],
    objects: Ids,
    height: Floats,
) -> None:
    """Streets round the blocks, houses or halls in them, some blocks green."""
    block = _blocks(ground)
    halls = uniform(block.ids, 61) < 0.3
    house = cells(
        ground.u,
        ground.v,
        np.where(halls, 9, 5),
        np.where(halls, 14, 7).astype(np.float32),
        block.ids,
    )
    ids = hashed(house.ids, block.ids)
    material[city] = Material.CONCRETE
    roof = city & (block.edge > 1.2) & (house.edge > 0.75) & (uniform(ids, 62) < 0.85)
    kinds = (
        Material.ROOF_TILE,
        Material.ROOF_METAL,
        Material.ROOF_RED,
        Material.ROOF_BLUE,
    )
    kind = np.digitize(uniform(ids, 63) + 0.3 * halls, [0.5, 0.8, 0.95])
    material[roof] = np.array(kinds, dtype=np.uint8)[kind[roof]]
    height[roof] = np.where(halls, 10, 8 + 40 * uniform(ids, 64) ** 2)[roof]
    street = city & (block.edge <= 1.2)
    material[street] = Material.ASPHALT
    park = city & ~street & (uniform(block.ids, 65) < 0.1)
    material[park] = np.where(uniform(ids, 66)[park] < 0.5, Material.LAWN, Material.BROADLEAF)
    height[park] = 0
    garden = city & ~roof & ~street & (uniform(ids, 67) < 0.35)
    material[garden] = Material.BROADLEAF
    objects[city] = ids[city]


def _village_detail(
    ground: _Ground,
    village: Mask,
    speck: Floats,
    material: NDArray[np.uint8],
    objects: Ids,
    height: Floats,
) -> None:
    """Small houses in rows, yards, kitchen gardens and trees."""
    house = cells(ground.u, ground.v, 4.5, 4.0, ground.district)
    ids = house.ids
    built = village & (house.edge > 0.55) & (uniform(ids, 71) < 0.68)
    yard = uniform(ids, 72)
    material[village] = np.select(
        [
            speck[village] < 0.12,
            yard[village] < 0.35,
            yard[village] < 0.65,
            yard[village] < 0.85,
        ],
        [Material.BROADLEAF, Material.CONCRETE, Material.LAWN, Material.TRACK],
        Material.SHRUB,
    )
    kinds = (
        Material.ROOF_TILE,
        Material.ROOF_RED,
        Material.ROOF_METAL,
        Material.ROOF_BLUE,
    )
    kind = np.digitize(uniform(ids, 73), [0.6, 0.82, 0.93])
    material[built] = np.array(kinds, dtype=np.uint8)[kind[built]]
    height[built] = (4 + 5 * uniform(ids, 74))[built]
    objects[village] = ids[village]
