"""Intervals of the bootstrap: its laws, SciPy as oracle, and what has none."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import bootstrap

from dllr.evaluation.bootstrap import intervals, tally
from dllr.evaluation.classes import by_class
from dllr.evaluation.confusion import scores

NAMES = ["field", "town", "lake"]
MATRICES = hnp.arrays(
    np.int64,
    st.tuples(st.integers(0, 6), st.just(3), st.just(3)),
    elements=st.integers(0, 9),
)


def noisy(units: int) -> np.ndarray:
    """(units, 3, 3), each of other pixels and other mistakes."""
    rng = np.random.default_rng(2)
    right = rng.integers(40, 90, (units, 3, 1)) * np.eye(3, dtype=np.int64)
    return right + rng.integers(0, 30, (units, 3, 3))


@given(MATRICES)
def test_tallies_are_what_iou_needs(matrices: np.ndarray) -> None:
    hits, actual, predicted = tally(matrices).sum(axis=0)
    found = scores(matrices.sum(axis=0), NAMES)["iou"]
    for k, name in enumerate(NAMES):
        union = actual[k] + predicted[k] - hits[k]
        assert found[name] == (pytest.approx(hits[k] / union) if union else None)


@settings(deadline=None, max_examples=30)
@given(MATRICES)
def test_bounds_are_shares_in_order_and_repeat(matrices: np.ndarray) -> None:
    found = intervals(tally(matrices), NAMES)
    assert intervals(tally(matrices), NAMES) == found
    each = [b for name in ("iou", "precision", "recall") for b in found[name].values()]
    for bounds in (found["miou"], found["oa"], found["f1"], *each):
        assert bounds is None or 0 <= bounds["low"] <= bounds["high"] <= 1
    assert found["kappa"] is None or found["kappa"]["high"] <= 1
    units = int(matrices.any(axis=(1, 2)).sum())
    assert (found["miou"] is None) == (units < 2)


def miou(matrix: np.ndarray) -> float:
    return rated(matrix, "miou")


def rated(matrix: np.ndarray, score: str, name: str | None = None) -> float:
    found: Any = {**scores(matrix, NAMES), **by_class(matrix, NAMES)}[score]
    return float(found if name is None else found[name])


@pytest.mark.parametrize(
    ("score", "name"),
    [("miou", None), ("oa", None), ("f1", None), ("kappa", None)]
    + [(score, "town") for score in ("iou", "precision", "recall")],
)
def test_bounds_are_those_of_scipy(score: Any, name: str | None) -> None:
    matrices = noisy(30)

    def statistic(chosen: np.ndarray) -> Any:
        return rated(matrices[chosen].sum(axis=0), score, name)

    oracle = bootstrap(
        (np.arange(30),), statistic, n_resamples=1000, method="percentile", vectorized=False,
        rng=np.random.default_rng(7),
    ).confidence_interval  # fmt: skip
    found: Any = intervals(tally(matrices), NAMES)[score]
    found = found if name is None else found[name]
    width = oracle.high - oracle.low
    assert found["low"] == pytest.approx(oracle.low, abs=width / 10)
    assert found["high"] == pytest.approx(oracle.high, abs=width / 10)
    assert found["low"] < rated(matrices.sum(axis=0), score, name) < found["high"]


def test_two_units_reach_from_one_to_the_other() -> None:
    """A quarter of the draws holds one unit twice, a quarter the other."""
    matrices = noisy(2)
    found = intervals(tally(matrices), NAMES)["miou"]
    alone = sorted(miou(matrix) for matrix in matrices)
    assert found == {"low": pytest.approx(alone[0]), "high": pytest.approx(alone[1])}


def test_units_that_are_alike_leave_no_doubt() -> None:
    found = intervals(tally(np.repeat(noisy(1), 5, axis=0)), NAMES)["miou"]
    assert found is not None and found["low"] == pytest.approx(found["high"])


def test_a_class_that_occurs_nowhere_has_no_interval() -> None:
    matrices = noisy(4)
    matrices[:, 2] = matrices[:, :, 2] = 0
    found = intervals(tally(matrices), NAMES)
    assert found["iou"]["lake"] is None and found["iou"]["town"] is not None


@pytest.mark.parametrize("units", [0, 1])
def test_fewer_than_two_units_tell_nothing(units: int) -> None:
    empty = np.zeros((3, 3, 3), np.int64)  # units without pixels are none
    found = intervals(tally(np.concatenate([noisy(units), empty])), NAMES)
    none = dict.fromkeys(("miou", "oa", "f1", "kappa"))
    assert found == none | {key: dict.fromkeys(NAMES) for key in ("iou", "precision", "recall")}
