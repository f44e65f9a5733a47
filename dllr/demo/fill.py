"""What each class is made of: materials, objects and heights, field by field and house by house."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dllr.demo.ground import CITY, FARMLAND, FOREST, OTHERS, ROAD, VILLAGE, WATER, Ground, blocks
from dllr.demo.materials import Material
from dllr.demo.noise import Floats, Ids, Mask, cells, field, hashed, normal, uniform

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


def fill(
    rng: np.random.Generator,
    ground: Ground,
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
    ground: Ground,
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
    ground: Ground,
    city: Mask,
    material: NDArray[np.uint8],
    objects: Ids,
    height: Floats,
) -> None:
    """Streets round the blocks, houses or halls in them, some blocks green."""
    block = blocks(ground)
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
    ground: Ground,
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
