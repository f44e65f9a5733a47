"""From label arrays to a confusion matrix, and from the matrix to scores.

Matrices of parts (windows, scenes) add up to the matrix of the whole, so scores are taken once,
at the end, and never averaged over parts.
"""

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.int64]


class Scores(TypedDict):
    """Shares in 0..1, κ in -1..1; None where a score does not exist, never NaN."""

    miou: float | None
    oa: float | None
    f1: float | None
    kappa: float | None
    iou: dict[str, float | None]


def confusion(
    actual: npt.NDArray[Any], predicted: npt.NDArray[Any], classes: int, ignore: int = 255
) -> Matrix:
    """Count pixels by actual and predicted class.

    Args:
        actual: class indices of any shape, integers in 0..classes-1 or `ignore`.
        predicted: the same for the prediction. A pixel counts only where neither is `ignore`.
        classes: number of classes K.
        ignore: the index that means "not known".

    Returns:
        (K, K) matrix; row = actual, column = predicted. All zero where nothing counts.

    Raises:
        ValueError: the shapes differ, or an index is neither a class nor `ignore`.
    """
    if actual.shape != predicted.shape:
        raise ValueError(
            f"actual is {actual.shape}, predicted {predicted.shape}; give equal shapes"
        )
    known = (actual != ignore) & (predicted != ignore)
    row, column = actual[known].astype(np.int64), predicted[known].astype(np.int64)
    for name, index in (("actual", row), ("predicted", column)):
        if index.size and not 0 <= index.min() <= index.max() < classes:
            raise ValueError(
                f"{name} holds {index.min()}..{index.max()}; "
                f"expected 0..{classes - 1}, or {ignore} for pixels to ignore"
            )
    counts = np.bincount(row * classes + column, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def miou_of_present(matrix: Matrix) -> float | None:
    """Mean IoU over the classes that are there; None of an empty matrix.

    For choosing: in `scores` a single pixel of a class that is not there at all counts as a class with
    IoU 0, which says little of a network where few scenes decide. Here it counts as what it is not.
    """
    hits = matrix.diagonal().astype(np.float64)
    actual, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    there = actual > 0
    if not there.any():
        return None
    return float(np.mean(hits[there] / (actual + predicted - hits)[there]))


def scores(matrix: Matrix, names: Sequence[str]) -> Scores:
    """Scores of a (K, K) confusion matrix, row = actual.

    - `iou`: TP / (TP + FP + FN) of each class; None where the class is absent from both truth and
      prediction. A class that is predicted but never there has IoU 0.
    - `miou`, `f1`: unweighted means of IoU and of 2 TP / (2 TP + FP + FN) over the classes whose
      IoU exists.
    - `oa`: share of pixels that are right.
    - `kappa`: (oa - e) / (1 - e) with e the agreement expected by chance (Cohen, Educational and
      Psychological Measurement 20:37-46, 1960); None where e = 1, one class being all there is in
      both truth and prediction.

    Every score of an empty matrix is None.

    Raises:
        ValueError: the matrix is not square, or does not have one row for each name.
    """
    if matrix.shape != (len(names), len(names)):
        raise ValueError(f"a matrix of {matrix.shape} does not fit {len(names)} class names")
    hits = matrix.diagonal().astype(np.float64)
    actual, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    iou = {
        name: float(hit / (a + p - hit)) if a + p else None
        for name, hit, a, p in zip(names, hits, actual, predicted, strict=True)
    }
    total = int(matrix.sum())
    if not total:
        return {"miou": None, "oa": None, "f1": None, "kappa": None, "iou": iou}
    present = (actual + predicted) > 0
    oa = float(hits.sum() / total)
    chance = float((actual / total) @ (predicted / total))
    return {
        "miou": float(np.mean([value for value in iou.values() if value is not None])),
        "oa": oa,
        "f1": float(np.mean(2 * hits[present] / (actual + predicted)[present])),
        "kappa": (oa - chance) / (1 - chance) if present.sum() > 1 else None,
        "iou": iou,
    }
