"""Grids on the ground, the way from one to another, and how far a SAR image lies from where it says."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform, transform_bounds

from dllr.demo.noise import Mask
from dllr.demo.window import Window
from dllr.raster.grid import Grid

KNOTS = 32  # px between the pixels that are transformed exactly; between them, bilinear
CENTRE = Affine.translation(0.5, 0.5)  # pixel numbers are whole at the pixels' centres


class Positions(NamedTuple):
    """Where pixels lie on a grid: rows and columns, float64, whole at the centres, (y, x)."""

    y: NDArray[np.float64]
    x: NDArray[np.float64]


@dataclass(frozen=True)
class Misregistration:
    """How a SAR image lies: turned and stretched about `centre`, then shifted.

    What lies at p is shown at centre + scale · R(rotation) (p - centre) + shift.
    centre: map coordinates of the optical image, m. shift: m towards east and north. rotation:
    degrees, counter-clockwise on the map.
    """

    centre: tuple[float, float]
    shift: tuple[float, float]
    rotation: float
    scale: float

    def true_to_georeferenced(self) -> Affine:
        """Map coordinates (m) → map coordinates (m)."""
        (x, y), (east, north) = self.centre, self.shift
        there = Affine.translation(x + east, y + north)
        turn = Affine.rotation(self.rotation) @ Affine.scale(self.scale)
        return there @ turn @ Affine.translation(-x, -y)


def draw_misregistration(
    rng: np.random.Generator,
    centre: tuple[float, float],
    max_shift: float,
    max_rotation: float,
    max_scale: float,
) -> Misregistration:
    """Shift (m, any direction), rotation (degrees) and scale, each up to its maximum."""
    # The root makes the shift uniform over the disc.
    reach, angle = max_shift * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
    return Misregistration(
        centre,
        (float(reach * np.cos(angle)), float(reach * np.sin(angle))),
        rng.uniform(-max_rotation, max_rotation),
        1 + rng.uniform(-max_scale, max_scale),
    )


def positions(source: Grid, window: Window, target: Grid, moved: Affine | None = None) -> Positions:
    """Where the pixels of a window of `source` lie on `target`.

    moved: map coordinates → map coordinates, in the CRS of `target`, applied on the way.
    """
    rows, columns = (
        np.arange(at[0] // KNOTS, at[-1] // KNOTS + 2) * KNOTS
        for at in (window.rows(), window.columns())
    )
    at = (np.tile(columns, len(rows)), np.repeat(rows, len(columns)))
    x, y = _apply(source.transform @ CENTRE, *at)
    if source.crs != target.crs:
        x, y = (np.array(v) for v in transform(source.crs, target.crs, x, y)[:2])
    to_pixels = ~(target.transform @ CENTRE)
    x, y = _apply(to_pixels @ moved if moved else to_pixels, x, y)
    shape = len(rows), len(columns)
    return Positions(*(_between(v.reshape(shape), rows[0], columns[0], window) for v in (y, x)))


def _apply(
    map: Affine, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return map.a * x + map.b * y + map.c, map.d * x + map.e * y + map.f


def _between(
    knots: NDArray[np.float64], first: int, left: int, window: Window
) -> NDArray[np.float64]:
    """Bilinear between the knots, the first of which is pixel (first, left)."""
    y, x = (window.rows() - first) / KNOTS, (window.columns() - left) / KNOTS
    i, j = y.astype(int), x.astype(int)
    down = knots[i] + (y - i)[:, None] * (knots[i + 1] - knots[i])
    return np.asarray(down[:, j] + (x - j) * (down[:, j + 1] - down[:, j]))


def frame_around(
    grid: Grid, crs: CRS, pixel: float, margin: int, part: tuple[float, float]
) -> Grid:
    """The north-up grid in `crs`, of pixels of `pixel` m, that holds `grid` and a margin, px.

    part: how far its corner is moved off, in parts of a pixel, so that it is aligned to nothing.
    """
    left, bottom, right, top = grid.bounds()
    x, y = (left + right) / 2, (bottom + top) / 2
    xs, ys = transform(grid.crs, crs, [x, x + pixel, x], [y, y, y + pixel])[:2]
    wide = float(np.hypot(xs[1] - xs[0], ys[1] - ys[0]))
    high = float(np.hypot(xs[2] - xs[0], ys[2] - ys[0]))
    left, bottom, right, top = transform_bounds(grid.crs, crs, left, bottom, right, top)
    width = int(np.ceil((right - left) / wide)) + 2 * margin + 1
    height = int(np.ceil((top - bottom) / high)) + 2 * margin + 1
    corner = (left - (margin + part[0]) * wide, top + (margin + part[1]) * high)
    return Grid(crs, Affine(wide, 0, corner[0], 0, -high, corner[1]), height, width)


def extent(source: Grid, target: Grid, moved: Affine | None = None) -> Positions:
    """First and last row and column of `target` that the pixels of `source` lie between: (2,) each."""
    last = source.height - 1, source.width - 1
    borders = [
        positions(source, window, target, moved)
        for window in (
            Window(0, 0, 1, source.width),
            Window(last[0], 0, 1, source.width),
            Window(0, 0, source.height, 1),
            Window(0, last[1], source.height, 1),
        )
    ]
    y, x = (np.concatenate([b[axis].ravel() for b in borders]) for axis in (0, 1))
    return Positions(np.array([y.min(), y.max()]), np.array([x.min(), x.max()]))


def whole(grid: Grid) -> Window:
    """All pixels of a grid."""
    return Window(0, 0, grid.height, grid.width)


@dataclass(frozen=True)
class Edge:
    """The slanted edge of a swath, in pixels of its own grid; beyond it nothing was seen."""

    lean: float
    from_right: bool
    width: int
    depth: float

    def beyond(self, at: Positions) -> Mask:
        """Which positions lie beyond the edge."""
        x = self.width - 1 - at.x if self.from_right else at.x
        return np.asarray(x + self.lean * at.y < self.depth)


def draw_edge(rng: np.random.Generator, grid: Grid, share: float) -> Edge:
    """An edge that cuts off a share of the grid, on the left or on the right."""
    lean, from_right = rng.uniform(0.08, 0.25), bool(rng.uniform() < 0.5)
    step = max(1, min(grid.height, grid.width) // 256)
    y, x = np.ogrid[: grid.height : step, : grid.width : step]
    depth = float(np.quantile(x + lean * y, share)) if share else -np.inf
    return Edge(lean, from_right, grid.width, depth)
