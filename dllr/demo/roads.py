"""A connected road network: cheapest ways from the town to the edges and to the villages."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter1d
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from dllr.demo.noise import Floats, Mask

GRID = 8  # px between nodes of the graph that ways are searched on
HALF_WIDTH = (1.0, 2.0)  # px, so that roads are 2 to 4 px wide


def distance_to_roads(
    rng: np.random.Generator,
    slope: Floats,
    water: Mask,
    town: tuple[float, float],
    villages: NDArray[np.float64],
    length: float,
) -> Floats:
    """Distance of each pixel from the nearest road's axis, px.

    All ways start in the town (y, x), so the network is connected; ways are added, first to three
    edges, then to the villages (n, 2), until about `length` px of road lie in the scene.
    """
    cost = 1 + 12 * slope[::GRID, ::GRID] + 4 * water[::GRID, ::GRID]
    cost = cost * rng.uniform(0.7, 1.3, cost.shape)
    rows, columns = cost.shape
    start = _node(town, cost.shape)
    _, before = dijkstra(_graph(cost), directed=False, indices=start, return_predecessors=True)

    exits = [
        (rng.uniform(0, rows), 0),
        (rng.uniform(0, rows), columns),
        (0, rng.uniform(0, columns)),
        (rows, rng.uniform(0, columns)),
    ]
    order = rng.permutation(len(exits))[:3]
    targets = [(exits[i][0] * GRID, exits[i][1] * GRID) for i in order]
    targets += [(float(y), float(x)) for y, x in villages]

    axis = np.zeros(slope.shape, dtype=bool)
    joined = {start}
    built = 0.0
    for target in targets:
        node = _node(target, cost.shape)
        way = [node]
        while node not in joined:
            node = int(before[node])
            way.append(node)
        joined.update(way)
        # A few nodes beyond the junction, so that smoothing does not tear the way off.
        for _ in range(3):
            if node != start:
                node = int(before[node])
                way.append(node)
        line = np.stack(np.unravel_index(way, cost.shape), axis=1).astype(np.float64) * GRID
        built += _draw(axis, line)
        if built >= length:
            break
    distance: Floats = distance_transform_edt(~axis).astype(np.float32)
    return distance


def _node(place: tuple[float, float], shape: tuple[int, ...]) -> int:
    row = min(int(place[0] / GRID), shape[0] - 1)
    column = min(int(place[1] / GRID), shape[1] - 1)
    return row * shape[1] + column


def _graph(cost: NDArray[np.floating]) -> csr_array:
    """Edges to the eight neighbours; an edge costs its length times the mean of its ends."""
    nodes = np.arange(cost.size).reshape(cost.shape)
    pairs: list[tuple[Any, Any, float]] = [
        (np.s_[:, :-1], np.s_[:, 1:], 1.0),
        (np.s_[:-1], np.s_[1:], 1.0),
        (np.s_[:-1, :-1], np.s_[1:, 1:], 2**0.5),
        (np.s_[:-1, 1:], np.s_[1:, :-1], 2**0.5),
    ]
    ends = [(nodes[a].ravel(), nodes[b].ravel()) for a, b, _ in pairs]
    weights = [((cost[a] + cost[b]) * (step / 2)).ravel() for a, b, step in pairs]
    row = np.concatenate([a for a, _ in ends])
    column = np.concatenate([b for _, b in ends])
    return csr_array((np.concatenate(weights), (row, column)), shape=(cost.size, cost.size))


def _draw(axis: Mask, line: NDArray[np.float64]) -> float:
    """Mark a smoothed polyline (n, 2) of y, x; returns its length, px."""
    if len(line) < 2:
        return 0.0
    smooth = gaussian_filter1d(line, 2.0, axis=0, mode="nearest")
    smooth[0], smooth[-1] = line[0], line[-1]
    steps = np.hypot(*np.diff(smooth, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    dense = np.arange(0, along[-1], 0.5)
    y = np.rint(np.interp(dense, along, smooth[:, 0])).astype(int)
    x = np.rint(np.interp(dense, along, smooth[:, 1])).astype(int)
    axis[np.clip(y, 0, axis.shape[0] - 1), np.clip(x, 0, axis.shape[1] - 1)] = True
    return float(along[-1])
