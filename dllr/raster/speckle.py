"""Speckle filters of SAR intensity in linear power; missing pixels neither contribute nor are filled.

Speckle multiplies the ground's power by a gamma variate of mean 1 and variance 1/looks. In decibel it
is not multiplicative any more and averages are biased, hence linear power throughout. Each filter takes

    power: (H, W) float32, linear power; values of missing pixels do not matter.
    valid: (H, W) bool.
    window: side of the window, px, odd and at least 3; what lies off the image is missing.
    looks: equivalent number of looks of the speckle, above 0.

and returns (H, W) float32, NaN where a pixel is missing. A result depends on the pixels of its window
alone, to the last bit: parts of an image with a margin of window // 2 px make up the whole.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate, correlate1d

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

NORMALS = ((0, 1), (1, 0), (1, 1), (1, -1))  # (y, x) of edges at four angles; ties go to the first
SAME = 1e-9  # relative difference below which two slopes differ by rounding only


def lee(power: Floats, valid: Mask, window: int, looks: float) -> Floats:
    """Linear minimum-mean-square-error estimate from the mean and variance of a square window.

    Lee (1980), Digital image enhancement and noise filtering by use of local statistics, IEEE TPAMI 2;
    with the gain var(x) / var(z) of Lee and Pottier (2009), Polarimetric Radar Imaging, chapter 5.
    """
    mean, variance = _moments(*_sums(power, valid, partial(_boxed, side=window)))
    return _linear_estimate(power, valid, mean, variance, looks)


def refined_lee(power: Floats, valid: Mask, window: int, looks: float) -> Floats:
    """The same from that half of the window which lies on the pixel's side of the strongest edge.

    The means of 3×3 sub-windows (of 3×3 px in a window of 7×7) tell the edge's angle; of its two
    sides the one counts whose middle sub-window is nearer to the centre's. The half holds the pixels
    on the edge through the centre. A sub-window without data has the window's mean; without any edge
    the whole window counts. Choosing by noisy means lowers the mean of uniform ground by 1.5 % (1 look)
    or .4 % (4 looks).

    Lee (1981), Refined filtering of image noise using local statistics, Computer Graphics and Image
    Processing 15; without its threshold on the variance.
    """
    ny, nx = _normals(power, valid, window)
    best = _sums(power, valid, partial(_boxed, side=window))
    dy, dx = np.mgrid[:window, :window] - window // 2
    for y, x in [(sign * y, sign * x) for y, x in NORMALS for sign in (1, -1)]:
        half = (dy * y + dx * x >= 0).astype(float)
        found = _sums(power, valid, partial(correlate, weights=half, mode="constant"))
        for total, part in zip(best, found, strict=True):
            np.copyto(total, part, where=(ny == y) & (nx == x))
    return _linear_estimate(power, valid, *_moments(*best), looks)


def gamma_map(power: Floats, valid: Mask, window: int, looks: float) -> Floats:
    """Maximum a posteriori estimate for gamma-distributed ground power under gamma speckle.

    The mean where the window varies no more than speckle does; the pixel itself where it varies √2
    times as much or more, as around a point target. In between the estimate is a mode and lies below
    the mean: by 4 % (1 look) and 1.5 % (4 looks) over uniform ground.

    Lopes, Nezry, Touzi and Laur (1990), Maximum a posteriori speckle filtering and first order texture
    models in SAR images, IGARSS.
    """
    mean, variance = _moments(*_sums(power, valid, partial(_boxed, side=window)))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread, speckle = variance / mean**2, 1 / looks
        alpha = (1 + speckle) / (spread - speckle)
        b = (alpha - looks - 1) * mean
        found = (b + np.sqrt(b**2 + 4 * alpha * looks * mean * power)) / (2 * alpha)
    found = np.where(spread <= speckle, mean, np.where(spread >= 2 * speckle, power, found))
    return _known(found, valid)


FILTERS: dict[str, Callable[[Floats, Mask, int, float], Floats]] = {
    "lee": lee,
    "refined_lee": refined_lee,
    "gamma_map": gamma_map,
}


def _linear_estimate(
    power: Floats, valid: Mask, mean: Doubles, variance: Doubles, looks: float
) -> Floats:
    ground = (variance - mean**2 / looks) / (1 + 1 / looks)
    gain = np.divide(ground, variance, out=np.zeros_like(mean), where=variance > 0).clip(0, 1)
    return _known(mean + gain * (np.where(valid, power, mean) - mean), valid)


def _known(found: Doubles, valid: Mask) -> Floats:
    return np.where(valid, found, np.nan).astype(np.float32)


def _normals(power: Floats, valid: Mask, window: int) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Normal (y, x) of each pixel's strongest edge, towards the side of the pixel; (0, 0) = no edge."""
    stride = window // 3
    count, total, _ = _sums(power, valid, partial(_boxed, side=window))
    around = _ratio(total, count)
    count, total, _ = _sums(power, valid, partial(_boxed, side=window - 2 * stride))
    inner = np.pad(
        np.where(count > 0, _ratio(total, count), np.nan), stride, constant_values=np.nan
    )
    height, width = power.shape
    means: dict[tuple[int, int], Doubles] = {}
    for y, x in np.ndindex(3, 3):
        shifted = inner[y * stride : y * stride + height, x * stride : x * stride + width]
        means[y - 1, x - 1] = np.where(np.isnan(shifted), around, shifted)
    steepest = SAME * around
    ny, nx = np.zeros((2, height, width), np.int8)
    for y, x in NORMALS:
        sides = [_side(means, y, x), _side(means, -y, -x)]
        middles = [means[y, x], means[-y, -x]]
        near, far = (abs(middle - means[0, 0]) for middle in middles)
        near_side, far_side = (abs(side - 3 * means[0, 0]) for side in sides)
        sign = np.where(np.where(near == far, near_side <= far_side, near < far), 1, -1)
        slope = abs(sides[0] - sides[1])
        steeper = slope > steepest * (1 + SAME)
        for target, value in ((steepest, slope), (ny, sign * y), (nx, sign * x)):
            np.copyto(target, value, where=steeper, casting="unsafe")
    return ny, nx


def _side(means: dict[tuple[int, int], Doubles], y: int, x: int) -> Doubles:
    """Sum of the three sub-windows' means on the side towards (y, x)."""
    first, second, third = (mean for (i, j), mean in means.items() if i * y + j * x > 0)
    return first + second + third


def _sums(
    power: Floats, valid: Mask, summed: Callable[[Doubles], Doubles]
) -> tuple[Doubles, Doubles, Doubles]:
    """Number of valid pixels, their sum and their sum of squares in each pixel's window."""
    values = np.where(valid, power, 0).astype(float)
    return summed(valid.astype(float)), summed(values), summed(values**2)


def _boxed(values: Doubles, side: int) -> Doubles:
    # A running sum, as in uniform_filter, would depend on where the image begins.
    ones = np.ones(side)
    columns = correlate1d(values, ones, axis=0, mode="constant")
    summed: Doubles = correlate1d(columns, ones, axis=1, mode="constant")
    return summed


def _moments(count: Doubles, total: Doubles, squares: Doubles) -> tuple[Doubles, Doubles]:
    mean = _ratio(total, count)
    return mean, np.maximum(_ratio(squares, count) - mean**2, 0)


def _ratio(total: Doubles, count: Doubles) -> Doubles:
    return total / np.maximum(count, 1)
