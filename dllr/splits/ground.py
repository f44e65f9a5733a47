"""Which scenes must not be separated: those that share ground, and those that share a name for it."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from rasterio.warp import transform_bounds
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dllr.raster.grid import WGS84, Grid

TOUCH = 1e-5  # degrees, about a metre: neighbours may share an edge
Pairs = NDArray[np.int64]  # (P, 2): numbers of two scenes


def overlapping(grids: Iterable[Grid]) -> Pairs:
    """Pairs (i < j) of scenes whose bounding boxes in longitude and latitude overlap.

    Scenes that only touch stay apart; boxes may lie on either side of the 180° meridian.
    """
    boxes = np.array([transform_bounds(g.crs, WGS84, *g.bounds()) for g in grids]).reshape(-1, 4)
    boxes[boxes[:, 2] < boxes[:, 0], 2] += 360
    centres, halves = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    x, y, half_x, half_y = np.ascontiguousarray(np.column_stack([centres, halves]).T)
    found = []
    for i in range(len(boxes)):
        others = (
            i
            + 1
            + np.flatnonzero(half_y[i + 1 :] + (half_y[i] - TOUCH) > np.abs(y[i + 1 :] - y[i]))
        )
        apart = np.abs(x[others] - x[i]) % 360
        near = half_x[others] + half_x[i] - np.minimum(apart, 360 - apart) > TOUCH
        found.append(np.column_stack([np.full(near.sum(), i), others[near]]))
    return joined(*found)


def alike(keys: Sequence[str]) -> Pairs:
    """Pairs of neighbours among those with the same non-empty key, enough to connect them all."""
    last: dict[str, int] = {}
    pairs = []
    for number, key in enumerate(keys):
        if key and key in last:
            pairs.append((last[key], number))
        last[key] = number
    return np.array(pairs, np.int64).reshape(-1, 2)


def copies(names: Sequence[str], same_as: Sequence[str]) -> Pairs:
    """Pairs of scenes with the same non-empty `same_as`, and of a scene with those it names (a/b)."""
    places = {name: number for number, name in enumerate(names)}
    named = [
        (places[other], i)
        for i, others in enumerate(same_as)
        for other in others.split("/")
        if other in places and places[other] != i
    ]
    return joined(alike(same_as), np.array(named, np.int64).reshape(-1, 2))


def joined(*pairs: Pairs) -> Pairs:
    return np.concatenate([np.empty((0, 2), np.int64), *pairs])


def connected(count: int, pairs: Pairs) -> list[list[int]]:
    """Numbers 0 … count − 1 in groups that the pairs connect, each sorted, by their first number."""
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (count, count))
    labels = connected_components(links, directed=False)[1]
    order = np.argsort(labels, kind="stable")
    bounds = np.flatnonzero(np.diff(labels[order])) + 1
    return sorted(group.tolist() for group in np.split(order, bounds) if len(group))
