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
    reach = _quantile(count) * values.std(ddof=1) / np.sqrt(count)
    return Bounds(float(values.mean() - reach), float(values.mean() + reach))


def over_scenes(
    first: Sequence[NDArray[np.int64]], second: Sequence[NDArray[np.int64]], shared: bool
) -> Bounds | None:
    """Of the mean difference in mean IoU, `first` less `second`, where test scenes are drawn anew too; None
    where a cell has a single scene.

    A bootstrap of two levels, cells and within them scenes, gives the deviation; the interval is Student's
    t with it, since the percentiles of a bootstrap of few cells are too narrow. Of a single cell scenes
    alone are drawn.

    first, second: of each cell, the same in both, (scenes, 3, K) hits, actual and predicted pixels by
    class, as `dllr.evaluation.bootstrap.tally` makes them. shared: all cells have the same scenes, in
    the same order; then they are drawn for all cells alike. Where they are not, what lies apart between
    cells comes of their scenes too, and the interval is rather too wide.
    """
    if not first or min(len(cell) for cell in first) < 2:
        return None
    dice = np.random.default_rng(SEED)

    def draws(scenes: int) -> NDArray[np.int64]:
        return dice.multinomial(scenes, np.full(scenes, 1 / scenes), DRAWS)

    common = draws(len(first[0]))
    count, draw = len(first), np.arange(DRAWS)
    means = np.zeros(DRAWS)
    # A cell that is drawn twice has its scenes drawn twice, unless they are the same for all.
    for chosen in dice.integers(count, size=(count, DRAWS)):
        apart = []
        for one, other in zip(first, second, strict=True):
            drawn = common if shared else draws(len(one))
            apart.append(mean_iou(_summed(drawn, one)) - mean_iou(_summed(drawn, other)))
        means += np.array(apart)[chosen, draw] / count
    centres = [mean_iou(a.sum(0)) - mean_iou(b.sum(0)) for a, b in zip(first, second, strict=True)]
    drawn_from = count if count > 1 else len(first[0])
    # A bootstrap divides by n where the deviation of a mean divides by n - 1.
    deviation = np.nanstd(means) * np.sqrt(drawn_from / (drawn_from - 1))
    middle, reach = float(np.mean(centres)), _quantile(drawn_from) * float(deviation)
    return Bounds(middle - reach, middle + reach)


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


def _quantile(count: int) -> float:
    """How many deviations of the mean of so many values an interval reaches to either side."""
    return float(t.ppf((1 + LEVEL) / 2, count - 1))


def _summed(drawn: NDArray[np.int64], scenes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(draws, scenes) times (scenes, 3, K) → (draws, 3, K)."""
    total: NDArray[np.int64] = np.einsum("ds,sck->dck", drawn, scenes)
    return total
