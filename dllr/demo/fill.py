"""What each class is made of: materials, objects and heights, field by field and house by house."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dllr.demo.cover import settled, waters
from dllr.demo.ground import CITY, FARMLAND, FOREST, OTHERS, ROAD, VILLAGE, WATER, Ground
from dllr.demo.materials import Material
from dllr.demo.noise import Floats, Ids, Mask, cells, hashed, normal, uniform
from dllr.demo.plan import Plan
from dllr.demo.window import Window

# Day of the year of the fullest canopy, and how many days it lasts: rape and wheat, rice, cotton
# and maize. Rice stands in water from some 90 to 30 days before its peak.
CROPS = ((105, 38), (225, 42), (205, 55))
RICE = 1
HIGHEST = 48.0  # m, of a building


@dataclass(frozen=True)
class Cover:
    """What lies in a window. Arrays of its shape (y, x).

    classes: index into CLASSES. material: `Material`. green: canopy cover of a field, 0 to 1, mixes
    its soil (dry or flooded) with its crop. objects: one number a field, house, block or stand.
    height: m above the ground. ground: what all this lies on.
    """

    window: Window
    ground: Ground
    classes: NDArray[np.uint8]
    material: NDArray[np.uint8]
    green: Floats
    objects: Ids
    height: Floats


def cover(plan: Plan, window: Window, day: int) -> Cover:
    """Everything in a window (of step 1); `day` of the year decides how far crops have grown."""
    ground = plan.ground(window)
    kinds = waters(ground, plan.cut)
    classes = settled(ground, kinds > 0, plan.places.at(window), plan.cut)
    axis = plan.roads.distance(window)
    classes[axis < plan.roads.half_width] = ROAD

    shape = window.shape
    material = np.full(shape, Material.SOIL, dtype=np.uint8)
    objects = ground.fields.ids.copy()
    height = np.zeros(shape, dtype=np.float32)
    patch = ground.noise("patch", 60, 1.9)

    green = _farm(ground, classes == FARMLAND, material, day)

    stand = classes == FOREST
    kind = patch + 0.8 * ground.noise("stands", 200) + 0.3 * (ground.speck - 0.5)
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
    material[open_water] = np.where(kinds > 0, kinds, Material.POND)[open_water]
    # Each pond has a colour of its own; the rivers have one, and the lakes.
    whole = open_water & (kinds > 0)
    objects[whole] = hashed(material[whole])

    _city(ground, classes == CITY, material, objects, height)
    _village(ground, classes == VILLAGE, material, objects, height)

    road = classes == ROAD
    paved = uniform(ground.district, 31) < 0.8
    material[road] = np.where(paved[road], Material.ASPHALT, Material.CONCRETE)
    objects[road] = ground.district[road]
    # Trees beside the road hide parts of it, and the label does not care.
    avenue = road & (axis > 1) & (ground.speck < 0.1)
    material[avenue] = Material.BROADLEAF

    bare = classes == OTHERS
    choice = uniform(ground.district, 41) + 0.15 * patch
    rubble = np.select(
        [(ground.river < 60) & (choice > 0.1), choice > 0.55, choice > 0.15],
        [Material.SAND, Material.ROCK, Material.EARTH],
        Material.CONCRETE,
    )
    material[bare] = rubble[bare]
    material[bare & (ground.speck < 0.08)] = Material.SHRUB
    objects[bare] = hashed(material[bare], ground.district[bare])
    return Cover(window, ground, classes, material, green, objects, height)


def _farm(ground: Ground, farm: Mask, material: NDArray[np.uint8], day: int) -> Floats:
    """Fields: a crop each, more of one kind in a neighbourhood, at its stage of growth on `day`."""
    ids = ground.fields.ids
    region = ground.noise("crops", 250) + 1.6 * (uniform(ids, 51) - 0.5)
    crop = np.digitize(region, [-0.4, 0.6])
    peak = np.array([p for p, _ in CROPS], dtype=np.float32)[crop] + 16 * normal(ids, 52)
    lasts = np.array([w for _, w in CROPS], dtype=np.float32)[crop]
    # The canopy closes before the peak and stays closed for a while.
    green: Floats = np.minimum(1.35 * np.exp(-(((day - peak) / lasts) ** 2)), 1).astype(np.float32)
    green *= 0.8 + 0.2 * uniform(ids, 53)
    weeds = 0.25 * uniform(ids, 54) ** 2
    green = np.clip(np.maximum(green, weeds) + 0.05 * ground.noise("growth", 6, 1.5), 0, 1)

    flooded = farm & (crop == RICE) & (np.abs(day - (peak - 60)) < 28)
    material[flooded] = Material.PADDY
    greenhouse = farm & (uniform(ids, 55) > 0.985)
    material[greenhouse] = Material.GREENHOUSE
    track = farm & (ground.fields.edge < 0.45)
    material[track] = Material.TRACK
    green[track] = 0.45
    hedge = farm & (ground.fields.edge < 1.2) & (ground.noise("hedges", 40, 1.6) > 1.4)
    material[hedge] = Material.BROADLEAF
    orchard = farm & (uniform(ids, 56) > 0.96)
    material[orchard] = Material.SHRUB
    # What is not a field has no soil to mix in.
    green[~farm | greenhouse | hedge | orchard] = 0
    return green


def _city(
    ground: Ground, city: Mask, material: NDArray[np.uint8], objects: Ids, height: Floats
) -> None:
    """Streets round the blocks, houses or halls in them, some blocks green."""
    if not city.any():
        return
    block = ground.blocks
    halls = uniform(block.ids, 61) < 0.3
    house = cells(
        *ground.along,
        np.where(halls, 9, 5),
        np.where(halls, 14, 7).astype(np.float32),
        block.ids,
    )
    ids = hashed(house.ids, block.ids)
    material[city] = Material.CONCRETE
    roof = city & (block.edge > 1.2) & (house.edge > 0.75) & (uniform(ids, 62) < 0.85)
    kinds = (Material.ROOF_TILE, Material.ROOF_METAL, Material.ROOF_RED, Material.ROOF_BLUE)
    kind = np.digitize(uniform(ids, 63) + 0.25 * halls, [0.62, 0.85, 0.95])
    material[roof] = np.array(kinds, dtype=np.uint8)[kind[roof]]
    height[roof] = np.where(halls, 10, 8 + (HIGHEST - 8) * uniform(ids, 64) ** 2)[roof]
    street = city & (block.edge <= 1.2)
    material[street] = Material.ASPHALT
    park = city & ~street & (uniform(block.ids, 65) < 0.1)
    material[park] = np.where(uniform(ids, 66)[park] < 0.5, Material.LAWN, Material.BROADLEAF)
    height[park] = 0
    garden = city & ~roof & ~street & (uniform(ids, 67) < 0.35)
    material[garden] = Material.BROADLEAF
    objects[city] = ids[city]


def _village(
    ground: Ground, village: Mask, material: NDArray[np.uint8], objects: Ids, height: Floats
) -> None:
    """Small houses in rows, yards, kitchen gardens and trees."""
    if not village.any():
        return
    house = cells(*ground.along, 4.5, 4.0, ground.district)
    ids = house.ids
    built = village & (house.edge > 0.55) & (uniform(ids, 71) < 0.62)
    yard = uniform(ids, 72)
    material[village] = np.select(
        [
            ground.speck[village] < 0.2,
            yard[village] < 0.25,
            yard[village] < 0.6,
            yard[village] < 0.8,
        ],
        [Material.BROADLEAF, Material.CONCRETE, Material.LAWN, Material.TRACK],
        Material.SHRUB,
    )
    kinds = (Material.ROOF_TILE, Material.ROOF_RED, Material.ROOF_METAL, Material.ROOF_BLUE)
    kind = np.digitize(uniform(ids, 73), [0.65, 0.88, 0.96])
    material[built] = np.array(kinds, dtype=np.uint8)[kind[built]]
    height[built] = (4 + 5 * uniform(ids, 74))[built]
    objects[village] = ids[village]
