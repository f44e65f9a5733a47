"""A connected road network: cheapest ways from the first town to the edges, towns and villages."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from dllr.demo.noise import Floats, Mask
from dllr.demo.window import Window

GRID = 2  # nodes of the plan between nodes of the graph that ways are searched on
HALF_WIDTH = (1.0, 2.0)  # px, so that roads are 2 to 4 px wide
WIDTH = 3.0  # px, that the number of ways is planned with
SMOOTHING = 6  # times that each node moves half the way to the middle of its neighbours
REACH = 8  # px, how far from an axis distances are told


@dataclass(frozen=True)
class Roads:
    """axis: points (n, 2) along the middle of the roads, at most half a pixel apart, y, x.
    half_width: px."""

    axis: NDArray[np.float64]
    half_width: float

    def distance(self, window: Window) -> Floats:
        """Distance from the next road's axis, px, no larger than REACH; needs a window of step 1."""
        wide = window.grown(REACH)
        y, x = (np.rint(self.axis) - (wide.y, wide.x)).astype(int).T
        here = (y >= 0) & (y < wide.height) & (x >= 0) & (x < wide.width)
        distance = np.full(window.shape, REACH, dtype=np.float32)
        if not here.any():
            return distance
        free = np.ones(wide.shape, dtype=bool)
        free[y[here], x[here]] = False
        near = np.nonzero(window.cut(distance_transform_edt(free), REACH) < REACH - 1)
        points = np.stack(near, axis=1) + np.array([window.y, window.x])
        distance[near] = cKDTree(self.axis[here]).query(points)[0]
        return distance


def network(
    rng: np.random.Generator,
    core: Window,
    grid: Window,
    slope: Floats,
    water: Mask,
    towns: NDArray[np.float64],
    villages: NDArray[np.float64],
    area: float,
) -> Roads:
    """Roads of about `area` px in the core. Slope and water lie on the plan's grid; places are y, x, px.

    All ways start in the first town, so the network is connected. Ways are added, first to three
    edges, then to the other towns and the villages, until the area is reached; what the last way has
    too much, the width makes up for.
    """
    if not area:
        return Roads(np.zeros((0, 2)), HALF_WIDTH[0])
    cost = 1 + 12 * slope[::GRID, ::GRID] + 4 * water[::GRID, ::GRID]
    cost = cost * rng.uniform(0.7, 1.3, cost.shape)
    rows, columns = cost.shape
    exits = np.array(
        [
            (rng.uniform(0, rows), 0),
            (rng.uniform(0, rows), columns),
            (0, rng.uniform(0, columns)),
            (rows, rng.uniform(0, columns)),
        ]
    )
    order = rng.permutation(len(exits))[:3]
    spacing, origin = GRID * grid.step, np.array([grid.y, grid.x])
    inner = (np.concatenate([towns, villages]) - origin) / spacing
    start, *targets = (_node(p, cost.shape) for p in [inner[0], *exits[order], *inner[1:]])
    _, before = dijkstra(_graph(cost), directed=False, indices=start, return_predecessors=True)

    place = np.stack(np.unravel_index(np.arange(cost.size), cost.shape), axis=1)
    place = (place * spacing + origin).astype(np.float64)
    inside = ((place >= (core.y, core.x)) & (place < (core.height, core.width))).all(axis=1)
    joined, built = {start: start}, 0.0
    for node in targets:
        while node not in joined:
            joined[node] = int(before[node])
            built += inside[node] * float(np.hypot(*(place[node] - place[joined[node]])))
            node = joined[node]
        if built * WIDTH >= area:
            break
    half = np.clip(0.5 * area / max(built, 1.0), *HALF_WIDTH)
    return Roads(_smooth(joined, place), float(half))


def _smooth(tree: dict[int, int], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points along a tree of nodes (child → parent), smoothed as a whole so that it stays one."""
    nodes = np.fromiter(tree, dtype=np.int64)
    number = {int(node): n for n, node in enumerate(nodes)}
    edges = np.array([(number[c], number[p]) for c, p in tree.items() if c != p]).reshape(-1, 2)
    at = place[nodes]
    degree = np.bincount(edges.ravel(), minlength=len(nodes))[:, None]
    free = degree[:, 0] > 1  # ends stay where they are
    for _ in range(SMOOTHING):
        total = np.zeros_like(at)
        np.add.at(total, edges[:, 0], at[edges[:, 1]])
        np.add.at(total, edges[:, 1], at[edges[:, 0]])
        at[free] = 0.5 * at[free] + 0.5 * (total / np.maximum(degree, 1))[free]
    first, last = at[edges[:, 0]], at[edges[:, 1]]
    share = np.linspace(0, 1, 2 * int(np.ceil(np.hypot(*(last - first).T).max(initial=1))) + 1)
    line = first[:, None] + share[:, None] * (last - first)[:, None]
    return np.concatenate([at, line.reshape(-1, 2)])


def _node(place: NDArray[np.float64], shape: tuple[int, ...]) -> int:
    row, column = np.clip(place.astype(int), 0, np.array(shape) - 1)
    return int(row * shape[1] + column)


def _graph(cost: NDArray[np.floating]) -> csr_array:
    """Edges to the eight neighbours; an edge costs its length times the mean of its ends."""
    nodes = np.arange(cost.size, dtype=np.int32).reshape(cost.shape)
    pairs: list[tuple[Any, Any, float]] = [
        (np.s_[:, :-1], np.s_[:, 1:], 1.0),
        (np.s_[:-1, :], np.s_[1:, :], 1.0),
        (np.s_[:-1, :-1], np.s_[1:, 1:], 2**0.5),
        (np.s_[:-1, 1:], np.s_[1:, :-1], 2**0.5),
    ]
    ends = [(nodes[a].ravel(), nodes[b].ravel()) for a, b, _ in pairs]
    weights = [((cost[a] + cost[b]) * (step / 2)).ravel() for a, b, step in pairs]
    row = np.concatenate([a for a, _ in ends])
    column = np.concatenate([b for _, b in ends])
    return csr_array((np.concatenate(weights), (row, column)), shape=(cost.size, cost.size))
