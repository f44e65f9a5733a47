"""Affine misregistration as a 3×3 matrix, and what it says in words people use.

A matrix takes (column, row) of a point of the fixed image, in px counted from its corner, to where the
same ground lies in the moving image; sizes are (height, width), px.
"""

import numpy as np
from numpy.typing import NDArray

Floats64 = NDArray[np.float64]
Matrix = Floats64
Size = tuple[int, int]


def similarity(
    size: Size, shift: tuple[float, float] = (0, 0), rotation: float = 0, scale: float = 1
) -> Matrix:
    """Turn (degrees, counter-clockwise in column–row axes) and stretch about the centre, then shift
    (columns, rows)."""
    angle, centre = np.radians(rotation), np.array([size[1] / 2, size[0] / 2])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = centre + shift - turn @ centre
    return matrix


def scaled(matrix: Matrix, factor: float) -> Matrix:
    """The same transform between images whose pixels are `factor` times as large."""
    resize = np.diag([factor, factor, 1.0])
    return np.asarray(np.linalg.inv(resize) @ matrix @ resize)


def marks(size: Size) -> Floats64:
    """Corners and centre of the grid, (5, 2) columns and rows."""
    height, width = size
    return np.array(
        [[0, 0], [width, 0], [0, height], [width, height], [width / 2, height / 2]], np.float64
    )


def moved(matrix: Matrix, points: Floats64) -> Floats64:
    """Where points (N, 2) go."""
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2])


def distance(first: Matrix, second: Matrix, size: Size) -> float:
    """px, the farthest that two transforms put a corner or the centre of the grid apart."""
    apart = moved(first, marks(size)) - moved(second, marks(size))
    return float(np.hypot(*apart.T).max())


def shift(matrix: Matrix, size: Size) -> float:
    """px, how far the centre of the grid goes."""
    centre = marks(size)[4:]
    return float(np.hypot(*(moved(matrix, centre) - centre)[0]))


def rotation(matrix: Matrix) -> float:
    """Degrees, counter-clockwise in column–row axes, of the nearest rotation."""
    left, _, right = np.linalg.svd(matrix[:2, :2])
    turn = left @ right
    return float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))


def stretch(matrix: Matrix) -> float:
    """Relative change of length, the largest over all directions."""
    return float(np.abs(np.linalg.svd(matrix[:2, :2], compute_uv=False) - 1).max())
