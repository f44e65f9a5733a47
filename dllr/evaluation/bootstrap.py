"""How much scores would change with other units (scenes, blocks) of the same kind: the bootstrap."""

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from dllr.evaluation.confusion import Matrix

DRAWS = 1000
LEVEL = 0.95
SEED = 0
Floats = NDArray[np.float64]


class Interval(TypedDict):
    """Bounds of a score, 0..1."""

    low: float
    high: float


class Intervals(TypedDict):
    """None where there is no interval."""

    miou: Interval | None
    oa: Interval | None
    f1: Interval | None
    kappa: Interval | None
    iou: dict[str, Interval | None]
    precision: dict[str, Interval | None]
    recall: dict[str, Interval | None]


def tally(matrix: Matrix) -> NDArray[np.int64]:
    """(..., K, K) confusion matrices → (..., 3, K): hits, actual and predicted pixels, which scores
    need."""
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    return np.stack([hits, matrix.sum(axis=-1), matrix.sum(axis=-2)], axis=-2)


def intervals(tallies: NDArray[np.int64], names: Sequence[str]) -> Intervals:
    """Percentile intervals of scores (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
    chapter 13): LEVEL of DRAWS draws of as many units with replacement lie within.

    Scores are taken from the summed counts of a draw. A draw in which a score does not exist is left out of
    its interval, and a class out of the means of draws that lack it. Units without pixels do not count; of
    fewer than two that do, nothing has an interval.

    tallies: (N, 3, K), one of each unit, as `tally` makes them.
    """
    tallies = tallies[tallies.any(axis=(1, 2))]
    count = len(tallies)
    if count < 2:
        none: dict[str, Interval | None] = dict.fromkeys(names)
        return {
            "miou": None, "oa": None, "f1": None, "kappa": None,
            "iou": none, "precision": none, "recall": none,
        }  # fmt: skip
    dice, flat = np.random.default_rng(SEED), tallies.reshape(count, -1).astype(np.float64)
    even = np.full(count, 1 / count)
    drawn = np.array([dice.multinomial(count, even) @ flat for _ in range(DRAWS)])
    hits, actual, predicted = drawn.reshape(DRAWS, *tallies.shape[1:]).transpose(1, 0, 2)
    total = actual.sum(axis=1)
    oa = hits.sum(axis=1) / total
    chance = (actual * predicted).sum(axis=1) / total**2
    iou = _ratio(hits, actual + predicted - hits)

    def each(values: Floats) -> dict[str, Interval | None]:
        return {name: _bounds(column) for name, column in zip(names, values.T, strict=True)}

    return {
        "miou": _bounds(np.nanmean(iou, axis=1)),
        "oa": _bounds(oa),
        "f1": _bounds(np.nanmean(_ratio(2 * hits, actual + predicted), axis=1)),
        "kappa": _bounds(_ratio(oa - chance, 1 - chance)),
        "iou": each(iou),
        "precision": each(_ratio(hits, predicted)),
        "recall": each(_ratio(hits, actual)),
    }


def _ratio(part: Floats, whole: Floats) -> Floats:
    """NaN where the whole is none."""
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def _bounds(values: NDArray[Any]) -> Interval | None:
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"low": float(low), "high": float(high)}
