"""How far two series of scores that differ in one thing lie apart, and how far that is to be trusted.

Cells with the same seeds see the same scenes, split and labelled tiles, so their difference is taken first
and averaged then: what seeds change in both does not count.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, t

LEVEL = 0.95
DRAWS = 2000
SEED = 0


class Bounds(NamedTuple):
    """Ends of an interval that holds LEVEL."""

    low: float
    high: float


def over_seeds(differences: Sequence[float]) -> Bounds | None:
    """Of the mean difference, by Student's t over the cells; None of fewer than two."""
    if (count := len(differences)) < 2:
        return None
    values = np.asarray(differences, np.float64)
    reach = t.ppf((1 + LEVEL) / 2, count - 1) * values.std(ddof=1) / np.sqrt(count)
    return Bounds(float(values.mean() - reach), float(values.mean() + reach))


def over_scenes(
    first: Sequence[NDArray[np.int64]], second: Sequence[NDArray[np.int64]]
) -> Bounds | None:
    """Of the mean difference in mean IoU, `first` less `second`, by drawing cells and within them test
    scenes, with replacement (a bootstrap of two levels); None of a single cell with a single scene.

    first, second: of each cell, the same in both, (scenes, 3, K) hits, actual and predicted pixels by
    class, as `dllr.evaluation.bootstrap.tally` makes them.
    """
    if sum(len(cell) for cell in first) < 2:
        return None
    dice = np.random.default_rng(SEED)
    apart = []
    for one, other in zip(first, second, strict=True):
        drawn = dice.multinomial(len(one), np.full(len(one), 1 / len(one)), DRAWS)
        apart.append(mean_iou(_summed(drawn, one)) - mean_iou(_summed(drawn, other)))
    count = len(apart)
    cells, draws = (
        dice.integers(count, size=(DRAWS, count)),
        dice.integers(DRAWS, size=(DRAWS, count)),
    )
    means = np.nanmean(np.array(apart)[cells, draws], axis=1)
    low, high = np.nanquantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Bounds(float(low), float(high))


def mean_iou(tallies: NDArray[np.int64]) -> NDArray[np.float64]:
    """(..., 3, K) → (...): mean over the classes that are there or were mapped; NaN where none is."""
    hits, actual, predicted = np.moveaxis(tallies, -2, 0)
    union = actual + predicted - hits
    there = union > 0
    iou = np.divide(hits, union, out=np.zeros(union.shape), where=there)
    count = there.sum(axis=-1)
    total = iou.sum(axis=-1)
    mean: NDArray[np.float64] = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(cells, contestants) → place of each in its cell, 1 the best; equal scores share theirs."""
    found: NDArray[np.float64] = rankdata(-scores, method="average", axis=1)
    return found


def _summed(drawn: NDArray[np.int64], scenes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(draws, scenes) times (scenes, 3, K) → (draws, 3, K)."""
    total: NDArray[np.int64] = np.einsum("ds,sck->dck", drawn, scenes)
    return total
