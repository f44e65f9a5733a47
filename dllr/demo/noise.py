"""Random fields that are functions of position, and random numbers that belong to an object.

A value follows from a key and a place alone, never from the window it is asked for in. So a scene
of any size is made window by window, and its parts fit.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dllr.demo.window import Window

Floats = NDArray[np.float32]
Ids = NDArray[np.uint32]
Mask = NDArray[np.bool_]

FINEST = 2.0  # px between the nodes of the finest octave of a field
FAINTEST = 0.03  # amplitude, relative to the first, below which an octave is left out


def hashed(*parts: NDArray[np.integer] | int) -> Ids:
    """One uint32 for each combination of integers, without visible order; parts broadcast."""
    state: Any = np.uint32(0x9E3779B9)
    with np.errstate(over="ignore"):
        for part in parts:
            value = np.asarray(part).astype(np.uint32)
            state = (state ^ value) * np.uint32(0x85EBCA6B)
            state = (state ^ (state >> np.uint32(13))) * np.uint32(0xC2B2AE35)
            state = state ^ (state >> np.uint32(16))
    return np.asarray(state, dtype=np.uint32)


def uniform(ids: Ids, salt: int) -> Floats:
    """A number in [0, 1) for each id; another `salt` gives an independent one."""
    return (hashed(ids, salt) >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def normal(ids: Ids, salt: int) -> Floats:
    """About standard normal for each id: the sum of two uniforms, so never beyond ±2.45."""
    return (uniform(ids, salt) + uniform(ids, salt + 1000) - 1) * np.float32(np.sqrt(6))


def pixels(key: int, window: Window) -> Ids:
    """A number of its own for each pixel."""
    return hashed(key, window.rows()[:, None], window.columns()[None])


def field(key: int, window: Window, wavelength: float, roughness: float = 2.5) -> Floats:
    """Gaussian field of zero mean and about unit deviation over the plane, float32 (y, x).

    Octaves of B-splines through random nodes: structures of about `wavelength` px and less, whose
    amplitude falls by 2^(1 − roughness) an octave, as a spectrum k^-roughness has it: ragged for a
    roughness of 1.5, smooth from 2.5 on. Structures larger than `wavelength` are weaker too.
    """
    fall = 2 ** (1 - roughness)
    spacing, strength, octave = wavelength, 0.5, 0
    total = np.zeros(window.shape, dtype=np.float32)
    power = 0.0
    while octave < 2 or (spacing >= FINEST and strength >= FAINTEST):
        total += np.float32(strength) * _octave(key, octave, window, spacing)
        power += strength**2
        strength = 1.0 if octave == 0 else strength * fall
        spacing, octave = spacing / 2, octave + 1
    total *= np.float32(power**-0.5)
    return total


def _octave(key: int, octave: int, window: Window, spacing: float) -> Floats:
    """B-splines of one spacing through normal numbers at the nodes, unit deviation."""
    y, first = _splines(window.rows() / spacing)
    x, left = _splines(window.columns() / spacing)
    rows, columns = first + np.arange(y.shape[1]), left + np.arange(x.shape[1])
    nodes = normal(hashed(key, octave, rows[:, None], columns[None]), 0)
    # The mean square of a spline through unit noise is 151 / 315 in each direction.
    return np.asarray(y @ np.ascontiguousarray((x @ nodes.T).T), np.float32) * np.float32(315 / 151)


def _splines(at: NDArray[np.float64]) -> tuple[csr_array, int]:
    """Weights (n, nodes) of the cubic B-splines at positions in units of nodes; the first node."""
    t = at - np.floor(at)
    weights = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1
    )
    return _sparse(weights / 6, np.floor(at).astype(int) - 1)


def _sparse(weights: NDArray[np.float64], start: NDArray[np.int64]) -> tuple[csr_array, int]:
    """Rows of four weights, each from its own column on, and the number of the first column."""
    first = int(start[0])
    columns = (start - first)[:, None] + np.arange(4)
    ends = np.arange(0, 4 * len(weights) + 1, 4)
    shape = len(weights), int(columns.max()) + 1
    values = weights.astype(np.float32).ravel()
    return csr_array((values, columns.ravel(), ends), shape=shape), first


def interpolated(values: Floats, grid: Window, window: Window) -> Floats:
    """Values known on a coarser `grid`, at a window within it: Catmull-Rom splines, C¹.

    At the nodes it gives the values themselves; two nodes beyond the window must be known.
    """
    y, top = _cardinal((window.rows() - grid.y) / grid.step)
    x, left = _cardinal((window.columns() - grid.x) / grid.step)
    part = values[top : top + y.shape[1], left : left + x.shape[1]]
    return np.asarray(y @ np.ascontiguousarray((x @ part.T).T), dtype=np.float32)


def _cardinal(at: NDArray[np.float64]) -> tuple[csr_array, int]:
    t = at - np.floor(at)
    weights = np.stack(
        [
            -(t**3) + 2 * t**2 - t,
            3 * t**3 - 5 * t**2 + 2,
            -3 * t**3 + 4 * t**2 + t,
            t**3 - t**2,
        ],
        axis=1,
    )
    return _sparse(weights / 2, np.floor(at).astype(int) - 1)


class Cells(NamedTuple):
    """Rows of rectangles: which one a pixel lies in, and how far from its nearest side, px."""

    ids: Ids
    edge: Floats


def cells(u: Floats, v: Floats, width: Floats | float, length: Floats | float, key: Ids) -> Cells:
    """Brick-like rectangles of about `width` × `length` px in the coordinates (u along, v across).

    Rows are `width` across; each row has a length of its own (± 40 %) and begins anywhere.
    """
    row = np.floor(v / width)
    row_ids = hashed(key, row.astype(np.int32))
    long = length * (0.6 + 0.8 * uniform(row_ids, 1))
    along = u / long + uniform(row_ids, 2)
    column = np.floor(along)
    across, along = v / width - row, along - column
    edge = np.minimum(
        np.minimum(across, 1 - across) * width, np.minimum(along, 1 - along) * long
    ).astype(np.float32)
    return Cells(hashed(row_ids, column.astype(np.int32)), edge)


def regions(key: int, window: Window, spacing: int) -> Ids:
    """Voronoi cells of points scattered one to each square of `spacing` px: a number a cell."""
    rows, columns = window.rows(), window.columns()
    i, j = rows // spacing, columns // spacing
    squares = (np.arange(i[0] - 1, i[-1] + 2)[:, None], np.arange(j[0] - 1, j[-1] + 2)[None])
    ids = hashed(key, *squares)
    y = ((squares[0] + 0.07 + 0.86 * uniform(ids, 1)) * spacing).astype(np.float32)
    x = ((squares[1] + 0.07 + 0.86 * uniform(ids, 2)) * spacing).astype(np.float32)
    nearest = np.full(window.shape, np.inf, dtype=np.float32)
    found = np.zeros(window.shape, dtype=np.uint32)
    for down in range(3):
        for right in range(3):
            square = np.ix_(i - i[0] + down, j - j[0] + right)
            far = (y[square] - rows[:, None].astype(np.float32)) ** 2
            far += (x[square] - columns[None].astype(np.float32)) ** 2
            closer = far < nearest
            nearest[closer] = far[closer]
            found[closer] = ids[square][closer]
    return found
