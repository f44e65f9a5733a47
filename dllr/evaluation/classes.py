"""Scores of each class by itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dllr.evaluation.confusion import Matrix

ByClass = dict[str, dict[str, float | None]]


def by_class(matrix: Matrix, names: Sequence[str]) -> ByClass:
    """`precision`, `recall` and `class_f1` by class, each 0..1, of a (K, K) matrix, row = actual.

    - `precision`: TP / (TP + FP), the share of what is mapped as the class that is it (user's accuracy);
      None where nothing is.
    - `recall`: TP / (TP + FN), the share of the class that is mapped as it (producer's accuracy); None
      where the class does not occur.
    - `class_f1`: 2 TP / (2 TP + FP + FN); None where the class is in neither truth nor prediction.

    Raises:
        ValueError: the matrix does not have one row for each name.
    """
    hits = matrix.diagonal()
    actual, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    return {
        "precision": _shares(hits, predicted, names),
        "recall": _shares(hits, actual, names),
        "class_f1": _shares(2 * hits, actual + predicted, names),
    }


def _shares(part: NDArray[Any], whole: NDArray[Any], names: Sequence[str]) -> Any:
    pairs = zip(names, part.astype(np.float64), whole, strict=True)
    return {name: float(p / w) if w else None for name, p, w in pairs}
