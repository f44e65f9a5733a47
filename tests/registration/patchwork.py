"""Two modalities of one patchwork with a known transform between them."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dllr.registration.pair import ArrayPair
from dllr.registration.transform import Matrix

SIDE = 256
BORDER = 40


def pair(matrix: Matrix, seed: int = 0, side: int = SIDE) -> ArrayPair:
    """Fields of four kinds, in reflectance of two bands and in dB with speckle; the second is moved."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(side + 2 * BORDER,) * 2), 4)
    kinds = np.digitize(field, np.quantile(field, [0.25, 0.5, 0.75]))
    inner = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    bands = [
        np.array(levels)[kinds][inner] for levels in ([0.1, 0.5, 0.2, 0.4], [0.3, 0.1, 0.4, 0.2])
    ]
    optical = np.stack(bands) + 0.02 * rng.normal(size=(2, side, side))
    power = np.array([0.1, 0.02, 0.005, 0.2])[kinds]
    x, y = shown(np.linalg.inv(matrix), side)
    moved = ndimage.map_coordinates(power, [y + BORDER, x + BORDER], order=1, mode="nearest")
    speckle = rng.gamma(4, 0.25, (side, side))
    return ArrayPair(
        optical.astype(np.float32), (10 * np.log10(moved * speckle))[None].astype(np.float32), True
    )


def shown(inverse: Matrix, side: int) -> NDArray[np.float64]:
    """Column and row indices of the ground that each pixel of the moving image shows."""
    y, x = np.mgrid[:side, :side] + 0.5
    return np.stack([inverse[i, 0] * x + inverse[i, 1] * y + inverse[i, 2] - 0.5 for i in (0, 1)])
