"""A connected road network: cheapest ways from the first town to the edges, towns and villages."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter1d
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from dllr.demo.noise import Floats, Mask
from dllr.demo.window import Window

GRID = 2  # nodes of the plan between nodes of the graph that ways are searched on
HALF_WIDTH = (1.0, 2.0)  # px, so that roads are 2 to 4 px wide
WIDTH = 3.0  # px, that the number of ways is planned with
REACH = 8  # px, how far from an axis distances are told


@dataclass(frozen=True)
class Roads:
    """axis: points (n, 2) along the middle of the roads, half a pixel apart, y, x. half_width: px."""

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
        points = np.stack(near, axis=1) + (window.y, window.x)
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
    """Roads of about `area` px in the core; slope and water lie on the plan's grid, places (n, 2) are y, x, px.

    All ways start in the first town, so the network is connected. Ways are added, first to three
    edges, then to the other towns and the villages, until the area is reached; what the last way has
    too much, the width makes up for.
    """
    cost = 1 + 12 * slope[::GRID, ::GRID] + 4 * water[::GRID, ::GRID]
    cost = cost * rng.uniform(0.7, 1.3, cost.shape)
    rows, columns = cost.shape
    spacing = GRID * grid.step
    exits = np.array(
        [
            (rng.uniform(0, rows), 0),
            (rng.uniform(0, rows), columns),
            (0, rng.uniform(0, columns)),
            (rows, rng.uniform(0, columns)),
        ]
    )
    order = rng.permutation(len(exits))[:3]
    if not area:
        return Roads(np.zeros((0, 2)), HALF_WIDTH[0])
    origin = np.array([grid.y, grid.x])
    inner = (np.concatenate([towns, villages]) - origin) / spacing
    start, *targets = (_node(p, cost.shape) for p in [inner[0], *exits[order], *inner[1:]])
    _, before = dijkstra(_graph(cost), directed=False, indices=start, return_predecessors=True)

    lines: list[NDArray[np.float64]] = []
    joined = {start}
    built = 0.0
    for target in targets:
        node, way = target, [target]
        while node not in joined:
            node = int(before[node])
            way.append(node)
        joined.update(way)
        new = len(way) - 1
        # A few nodes beyond the junction, so that smoothing does not tear the way off.
        for _ in range(3):
            if node != start:
                node = int(before[node])
                way.append(node)
        if len(way) > 1:
            nodes = np.stack(np.unravel_index(way, cost.shape), axis=1)
            line = _dense(nodes * float(spacing) + origin)
            inside = ((line >= (core.y, core.x)) & (line < (core.height, core.width))).all(axis=1)
            built += 0.5 * np.count_nonzero(inside) * new / (len(way) - 1)
            lines.append(line)
        if built * WIDTH >= area:
            break
    half = np.clip(0.5 * area / max(built, 1.0), *HALF_WIDTH)
    return Roads(np.concatenate(lines), float(half))


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


def _dense(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """A smoothed polyline (n, 2) of y, x, a point each half pixel."""
    smooth = gaussian_filter1d(line, 2.0, axis=0, mode="nearest")
    smooth[0], smooth[-1] = line[0], line[-1]
    steps = np.hypot(*np.diff(smooth, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    dense = np.arange(0, along[-1], 0.5)
    return np.stack([np.interp(dense, along, smooth[:, axis]) for axis in (0, 1)], axis=1)
