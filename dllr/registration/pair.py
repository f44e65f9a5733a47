"""Two images of the same ground, looked at by parts and at several sizes."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dllr.registration.transform import Matrix, Size, scaled

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
# px, Gaussian that tames the speckle before the logarithm, at full size and where pixels are means
# already; for matching only.
SMOOTHING, SMOOTHING_THIN = 1.5, 1.0
FAINT = 1e-4  # power that counts as dark, -40 dB


class Box(NamedTuple):
    """A part of a thinned image, px: its first row and column, height and width."""

    y: int
    x: int
    height: int
    width: int


class Views(NamedTuple):
    """Parts of both images: fixed (N, B, h, w) and moving (N, h, w) float32, smoothed and log-scaled,
    with what of them is known (N, h, w). What is not known may hold anything finite."""

    fixed: Floats
    fixed_valid: Mask
    moving: Floats
    moving_valid: Mask


class Pair(Protocol):
    """The two images; an estimator asks for no more of them than it needs."""

    @property
    def size(self) -> Size:
        """Height and width of the fixed image, px."""

    def views(self, factor: int, matrix: Matrix, boxes: list[Box]) -> Views:
        """These parts (all of one size) of both images, thinned `factor` times, the moving one brought
        back by `matrix` (of full-size pixels)."""


@dataclass(frozen=True, eq=False)
class ArrayPair:
    """A pair that lies in memory.

    Attributes:
        fixed: (B, H, W), NaN where there is no data; the optical image.
        moving: (b, h, w) likewise, in pixels of the same size; the SAR image.
        decibel: moving is in dB; its power is what speckle is averaged in. Else its values are
            averaged as they are.
        thin: pixels are means of many already.
    """

    fixed: Floats
    moving: Floats
    decibel: bool
    thin: bool = False

    @property
    def size(self) -> Size:
        return self.fixed.shape[1], self.fixed.shape[2]

    def views(self, factor: int, matrix: Matrix, boxes: list[Box]) -> Views:
        fixed, known = self._fixed(factor)
        moving, seen = self._moving(factor)
        shape = known.shape[0], known.shape[1]
        here = scaled(matrix, factor)
        moving = warped(moving, here, shape)
        seen = warped(seen.astype(np.float32), here, shape) > 0.999
        return Views(
            np.stack([fixed[:, y : y + h, x : x + w] for y, x, h, w in boxes]),
            np.stack([known[y : y + h, x : x + w] for y, x, h, w in boxes]),
            np.stack([moving[y : y + h, x : x + w] for y, x, h, w in boxes]),
            np.stack([seen[y : y + h, x : x + w] for y, x, h, w in boxes]),
        )

    @lru_cache(maxsize=8)  # noqa: B019, a pair lives for one scene
    def _fixed(self, factor: int) -> tuple[Floats, Mask]:
        return thinned(self.fixed, factor)

    @lru_cache(maxsize=8)  # noqa: B019
    def _moving(self, factor: int) -> tuple[Floats, Mask]:
        return prepared(self.moving, factor, self.decibel, self.thin or factor > 1)


def prepared(values: Floats, factor: int, decibel: bool, thin: bool) -> tuple[Floats, Mask]:
    """SAR bands (..., b, h, w) thinned, smoothed and averaged over bands: (..., h, w), log-scaled."""
    amount = np.power(np.float32(10), values / 10) if decibel else values
    means, known = thinned(amount, factor)
    calm = smoothed(means, known[..., None, :, :], SMOOTHING_THIN if thin else SMOOTHING)
    if decibel:
        calm = 10 * np.log10(np.maximum(calm, np.float32(FAINT)))
    return np.asarray(calm.mean(axis=-3), np.float32), known


def thinned(values: Floats, factor: int) -> tuple[Floats, Mask]:
    """Means of factor × factor pixels of bands (..., B, h, w), and where at least half of them are
    known in all bands (..., h, w)."""
    known = np.asarray(np.isfinite(values).all(axis=-3))
    if factor == 1:
        return np.where(known[..., None, :, :], values, 0).astype(np.float32), known
    height, width = (side // factor for side in values.shape[-2:])
    blocks = (height, factor, width, factor)
    inside = np.s_[..., : height * factor, : width * factor]
    count = known[inside].reshape(*known.shape[:-2], *blocks).sum(axis=(-3, -1))
    filled = np.where(known[..., None, :, :], values, 0)[inside]
    total = filled.reshape(*values.shape[:-2], *blocks).sum(axis=(-3, -1))
    mean = total / np.maximum(count, 1)[..., None, :, :]
    return mean.astype(np.float32), count * 2 >= factor * factor


def smoothed(values: Floats, known: Mask, sigma: float) -> Floats:
    """Gaussian means (..., h, w) of the known pixels alone."""
    weight = known.astype(np.float32)
    spread = [0.0] * (values.ndim - 2) + [sigma, sigma]
    total = ndimage.gaussian_filter(values * weight, spread, truncate=3.0)
    share = ndimage.gaussian_filter(
        weight, [0.0] * (weight.ndim - 2) + [sigma, sigma], truncate=3.0
    )
    return np.asarray(total / np.maximum(share, np.float32(1e-3)), np.float32)


def box_mean(values: Floats, known: Mask, side: int) -> Floats:
    """Means (..., h, w) over the known pixels of a square of `side` px."""
    size = [1] * (values.ndim - 2) + [side, side]
    weight = known.astype(np.float32)
    total = ndimage.uniform_filter(values * weight, size, mode="constant")
    share = ndimage.uniform_filter(weight, size, mode="constant")
    return np.asarray(total / np.maximum(share, np.float32(1e-3)), np.float32)


def warped(image: Floats, matrix: Matrix, shape: Size) -> Floats:
    """The moving image (h, w) as the fixed one (H, W) sees it, bilinear, 0 beyond its edge."""
    # Indices count from the first pixel's centre, and rows come first.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    found = np.linalg.inv(half) @ matrix @ half
    swap = [1, 0]
    return np.asarray(
        ndimage.affine_transform(
            image,
            found[:2, :2][np.ix_(swap, swap)],
            found[swap, 2],
            output_shape=shape,
            order=1,
            mode="constant",
        ),
        np.float32,
    )
