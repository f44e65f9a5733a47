"""Leak-free splits: every pixel gets one role, and no two splits come closer than the buffer."""

import itertools
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform_bounds
from scipy import ndimage

from dllr.raster.grid import IGNORE, Grid

WGS84 = CRS.from_epsg(4326)
TOUCH = 1e-5  # degrees, about a metre: neighbours may share an edge


class Role(IntEnum):
    """What a pixel may be used for; the values of results/split/roles/<scene>.tif."""

    UNLABELLED = 0
    LABELLED = 1
    CALIBRATION = 2
    VALIDATION = 3
    TEST = 4
    NONE = IGNORE


def blocks(height: int, width: int, side: int) -> list[tuple[slice, slice]]:
    """Squares of a scene, row by row; what is left over at the right and lower edge is narrower."""
    starts = ((y, x) for y in range(0, height, side) for x in range(0, width, side))
    return [(slice(y, min(y + side, height)), slice(x, min(x + side, width))) for y, x in starts]


def sharing_ground(grids: dict[str, Grid]) -> list[list[str]]:
    """Names of the scenes, in groups that no patch of ground connects: a group must not be split.

    Bounding boxes are compared in longitude and latitude; scenes that only touch stay apart.
    """
    boxes = {name: transform_bounds(g.crs, WGS84, *g.bounds()) for name, g in grids.items()}
    groups: list[list[str]] = []
    for name, (w, s, e, n) in boxes.items():
        met = [
            group
            for group in groups
            if any(
                min(e, boxes[o][2]) - max(w, boxes[o][0]) > TOUCH
                and min(n, boxes[o][3]) - max(s, boxes[o][1]) > TOUCH
                for o in group
            )
        ]
        groups = [g for g in groups if g not in met]
        groups.append([name, *itertools.chain.from_iterable(met)])
    return sorted(sorted(group) for group in groups)


def with_buffer(roles: NDArray[np.uint8], buffer: int) -> NDArray[np.uint8]:
    """Roles (H, W) with NONE within `buffer` px of another role: splits end up 2 × buffer apart."""
    if buffer == 0:
        return roles
    side = 2 * buffer + 1
    low = ndimage.minimum_filter(roles, side, mode="nearest")
    high = ndimage.maximum_filter(roles, side, mode="nearest")
    return np.where(low == high, roles, np.uint8(Role.NONE)).astype(np.uint8)


def inside(
    roles: NDArray[np.uint8], role: Role, windows: NDArray[np.int64], size: int
) -> NDArray[np.bool_]:
    """Which windows (N, 2) of (y, x) lie in one role with every pixel they share with the scene."""
    return np.array(
        [bool((roles[y : y + size, x : x + size] == role).all()) for y, x in windows], bool
    )


def choose(
    counts: NDArray[np.int64],
    boxes: NDArray[np.int64],
    size: int,
    budget: int,
    generator: np.random.Generator,
) -> list[int]:
    """Indices of up to `budget` windows to label, in order; a smaller budget is the head of a larger.

    counts: (N, K) labelled pixels by class; boxes: (N, 3) scene number, y, x. Windows come in random
    order and never overlap. Until every class that occurs has been met, the first window with a class
    not met yet goes before the others; then chance alone decides, so that shares stay estimates of
    the truth.
    """
    order = [int(i) for i in generator.permutation(len(counts))]
    occurring = counts.sum(axis=0) > 0
    met = np.zeros_like(occurring)
    chosen: list[int] = []
    while order and len(chosen) < budget:
        wanted = occurring & ~met
        place = next((p for p, i in enumerate(order) if (counts[i] > 0)[wanted].any()), 0)
        index = order.pop(place)
        chosen.append(index)
        met |= counts[index] > 0
        near = np.abs(boxes[:, 1:] - boxes[index, 1:]).max(axis=1) < size
        clash = set(np.flatnonzero(near & (boxes[:, 0] == boxes[index, 0])).tolist())
        order = [i for i in order if i not in clash]
        occurring = met | (counts[order].sum(axis=0) > 0) if order else met
    return chosen
