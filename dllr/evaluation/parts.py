"""Confusion matrices part by part, so that a scene is looked at once and told in many ways."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from dllr.evaluation.confusion import Matrix


def confusion_by_part(
    actual: NDArray[Any],
    predicted: NDArray[Any],
    part: NDArray[Any],
    parts: int,
    classes: int,
    ignore: int = 255,
) -> Matrix:
    """Confusion matrices (parts, K, K), row = actual; they add up to that of `confusion`.

    Args:
        actual, predicted: as in `confusion`.
        part: of each pixel, an integer in 0..parts-1; the same shape.

    Raises:
        ValueError: of a pixel that counts, an index is neither a class nor `ignore`, or there is no such
            part.
    """
    known = (actual != ignore) & (predicted != ignore)
    shape = parts, classes, classes
    index = [values[known].astype(np.int64) for values in (part, actual, predicted)]
    place = np.ravel_multi_index(tuple(index), shape)
    return np.bincount(place, minlength=parts * classes**2).reshape(shape).astype(np.int64)


def boundary(actual: NDArray[np.uint8], width: int = 3, ignore: int = 255) -> NDArray[np.bool_]:
    """Pixels within `width` px of a border between two classes of the truth, (H, W).

    A pixel is one where another class lies at most `width` rows and columns away: a band of `width` px on
    either side of the border (the trimap of Kohli, Ladický and Torr, IJCV 82, 2009). What is not known
    makes no border and has none.

    actual (H, W): class indices below `ignore`, which is the largest value of its type.
    """
    known = actual != ignore
    side = 2 * width + 1
    highest = maximum_filter(np.where(known, actual, 0), side, mode="nearest")
    lowest = minimum_filter(actual, side, mode="nearest")
    found: NDArray[np.bool_] = known & (lowest < highest)
    return found
