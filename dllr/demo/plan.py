"""The plan of a scene: all that needs the whole of it, at a quarter of the resolution or less."""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from dllr.demo.cover import ROAD_SHARE, SHARES, Places, settled, waters
from dllr.demo.ground import CLASSES, OTHERS, ROAD, VILLAGE, WATER, Ground
from dllr.demo.noise import Floats, Mask, interpolated
from dllr.demo.roads import Roads, network
from dllr.demo.terrain import Terrain, rise, terrain
from dllr.demo.window import Window

STEP = 4  # px between the nodes of a plan
LARGEST = (
    4096  # px, side of a scene that is planned so; larger ones more coarsely, in the same memory
)
BEYOND = 3  # nodes that a window needs beyond itself, and one for the slopes
TOWN = 1400  # px, side of the square that has one town
VILLAGE_SIZE = 700  # px, mean area of a village
PIT_SIZE = 350  # px, mean area of a quarry or building site


@dataclass(frozen=True)
class Plan:
    """What windows of a scene are made from.

    shares: wanted of the scene, by class. thresholds: by name of a rule in `cover`. Arrays lie on
    the terrain's grid.
    """

    key: int
    terrain: Terrain
    height: Floats
    slope: Floats
    shares: dict[int, float]
    thresholds: dict[str, float]
    places: Places
    roads: Roads

    def ground(self, window: Window) -> Ground:
        """The lie of the land in a window."""
        grid = self.terrain.grid
        river = self.terrain.distance_to_river(window)
        height, slope = (interpolated(v, grid, window) for v in (self.height, self.slope))
        return Ground(self.key, window, height, slope, river)

    def cut(self, name: str, score: NDArray[np.floating], free: Mask) -> Mask:
        """Where a rule's score reaches its threshold; see `dllr.demo.cover.Cut`."""
        chosen: Mask = free & (score >= self.thresholds[name])
        return chosen


def draw_shares(rng: np.random.Generator, missing: str | None) -> dict[int, float]:
    """Wanted share of each class but farmland; `missing`: the class that the scene does without."""
    means = SHARES | {ROAD: ROAD_SHARE}
    drawn = {c: mean * rng.uniform(1 - spread, 1 + spread) for c, (mean, spread) in means.items()}
    return {c: 0.0 if CLASSES[c] == missing else share for c, share in drawn.items()}


def plan(
    rng: np.random.Generator,
    core: Window,
    frame: Window,
    pixel: float,
    relief: float,
    missing: str | None,
) -> Plan:
    """Place the classes so that `core` has the shares drawn; windows may lie anywhere in `frame`."""
    key = int(rng.integers(2**32))
    shares = draw_shares(rng, missing)
    parts = rng.dirichlet([4, 4, 2])
    targets = {f: shares[WATER] * p for f, p in zip(("river", "lake", "pond"), parts, strict=True)}
    targets |= {CLASSES[c]: s for c, s in shares.items()}

    grid = _grid(frame, STEP * -(-max(core.shape) // LARGEST))
    land = terrain(key, core, grid, pixel, relief)
    height = land.height(grid)
    east, north = rise(height, grid.step * pixel)
    slope = np.hypot(east, north)
    ground = Ground(key, grid, height, slope, land.river)
    fit = _Fit(_inside(core, grid), targets)

    water = waters(ground, fit) > 0
    towns = _towns(rng, ground, core, water)
    places, villages = _places(rng, ground, core, towns, water, shares)
    settled(ground, water, places, fit)
    area = shares[ROAD] * core.height * core.width
    roads = network(rng, core, grid, slope, water, towns, villages, area)
    return Plan(key, land, height, slope, shares, fit.thresholds, places, roads)


class _Fit:
    """A `Cut` that finds the thresholds: each rule gets its share of the scene."""

    def __init__(self, core: tuple[slice, slice], targets: dict[str, float]) -> None:
        self.core, self.targets = core, targets
        self.thresholds: dict[str, float] = {}

    def __call__(self, name: str, score: NDArray[np.floating], free: Mask) -> Mask:
        values = score[self.core][free[self.core]]
        wanted = min(round(self.targets[name] * free[self.core].size), values.size)
        threshold = float(np.partition(values, -wanted)[-wanted]) if wanted else np.inf
        self.thresholds[name] = threshold
        chosen: Mask = free & (score >= threshold)
        return chosen


def _grid(frame: Window, step: int) -> Window:
    y, x = frame.y // step - BEYOND, frame.x // step - BEYOND
    bottom = (frame.y + frame.height) // step + BEYOND + 1
    right = (frame.x + frame.width) // step + BEYOND + 1
    return Window(y * step, x * step, bottom - y, right - x, step)


def _inside(core: Window, grid: Window) -> tuple[slice, slice]:
    """The nodes in the core."""
    first = (-(-(core.y - grid.y) // grid.step), -(-(core.x - grid.x) // grid.step))
    return (
        slice(first[0], first[0] + core.height // grid.step),
        slice(first[1], first[1] + core.width // grid.step),
    )


def _towns(
    rng: np.random.Generator, ground: Ground, core: Window, water: Mask
) -> NDArray[np.float64]:
    """The lowest and flattest of some dry places well inside the scene: (n, 2) of y, x, px."""
    count = max(1, round(core.height * core.width / TOWN**2))
    low, high = np.array(core.shape) * 0.2, np.array(core.shape) * 0.8
    places = rng.uniform(low, high, (60 * count, 2))
    y, x = ((places - (ground.window.y, ground.window.x)) / ground.window.step).astype(int).T
    rating = ground.height[y, x] + 300 * ground.slope[y, x] + 500 * water[y, x]
    return np.asarray(places[np.argsort(rating, kind="stable")[:count]], dtype=np.float64)


def _places(
    rng: np.random.Generator,
    ground: Ground,
    core: Window,
    towns: NDArray[np.float64],
    water: Mask,
    shares: dict[int, float],
) -> tuple[Places, NDArray[np.float64]]:
    """Where the town, villages and pits lie, and the villages' places (n, 2), the largest first."""
    y, x = ground.window.rows()[:, None], ground.window.columns()[None]
    reach = 0.11 * np.sqrt(core.height * core.width / len(towns))
    far = reduce(np.minimum, (np.hypot(y - top, x - left) for top, left in towns))
    area = ground.window.height * ground.window.width * ground.window.step**2

    dry = np.where(water, 0.0, 1.0)
    suits = dry * np.exp(-12 * ground.slope)
    villages = _scattered(rng, suits, max(1, round(shares[VILLAGE] * area / VILLAGE_SIZE)))
    size = np.sort(rng.lognormal(0, 0.5, len(villages)))[::-1]
    village = _bumps(ground.window, villages, size, 14.0)

    pits = max(2, round(shares[OTHERS] * area / PIT_SIZE))
    where = _scattered(rng, dry * (0.05 + np.minimum(ground.slope, 0.4)), pits)
    pit = _bumps(ground.window, where, rng.lognormal(0, 0.4, pits), 9.0)
    city = np.asarray(-far / reach, dtype=np.float32)
    origin = (ground.window.y, ground.window.x)
    return Places(ground.window, city, village, pit), villages * ground.window.step + origin


def _scattered(
    rng: np.random.Generator, suits: NDArray[np.floating], count: int
) -> NDArray[np.float64]:
    """`count` nodes (row, column) with a density proportional to `suits`."""
    chance = np.cumsum(suits.ravel(), dtype=np.float64)
    flat = np.searchsorted(chance, rng.uniform(0, chance[-1], count))
    return np.stack(np.unravel_index(flat, suits.shape), axis=1).astype(np.float64)


def _bumps(
    grid: Window, nodes: NDArray[np.float64], size: NDArray[np.float64], sigma: float
) -> Floats:
    """Gaussians of height `size` and deviation `sigma`, px, at the nodes."""
    bumps: Floats = np.zeros(grid.shape, dtype=np.float32)
    np.add.at(bumps, tuple(nodes.astype(int).T), size.astype(np.float32))
    wide = sigma / grid.step
    return np.asarray(gaussian_filter(bumps, wide, truncate=4) * (2 * np.pi * wide**2), np.float32)
