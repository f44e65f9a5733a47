"""Differences of series that share their seeds, and how far they are to be trusted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ttest_rel

from dllr.evaluation.bootstrap import tally
from dllr.evaluation.confusion import confusion, scores
from dllr.study.paired import mean_iou, over_scenes, over_seeds, ranks

SCORES = st.lists(st.tuples(*[st.floats(0, 1)] * 2), min_size=3, max_size=9, unique=True)


@given(SCORES)
def test_the_interval_over_seeds_is_that_of_the_paired_t_test(
    pairs: list[tuple[float, float]],
) -> None:
    first, second = np.array(pairs).T
    found = over_seeds((first - second).tolist())
    assert found is not None
    if np.ptp(first - second) < 1e-6:
        return  # the test itself warns that it cannot be exact
    wanted = ttest_rel(first, second).confidence_interval(0.95)
    assert found == pytest.approx((wanted.low, wanted.high), abs=1e-9)


def test_one_cell_has_no_interval() -> None:
    assert over_seeds([0.1]) is None
    assert over_seeds([]) is None
    assert over_scenes([one(0, 9)], [one(1, 9)]) is None


def one(seed: int, pixels: int, classes: int = 3, right: float = 0.5) -> NDArray[np.int64]:
    """The tally of a scene, (1, 3, K)."""
    dice = np.random.default_rng(seed)
    truth = dice.integers(classes, size=pixels)
    said = np.where(dice.random(pixels) < right, truth, dice.integers(classes, size=pixels))
    return tally(confusion(truth, said, classes))[None]


@pytest.mark.parametrize("seed", range(3))
def test_mean_iou_is_that_of_the_evaluation(seed: int) -> None:
    dice = np.random.default_rng(seed)
    truth, said = dice.integers(1, 4, size=(2, 50))
    matrix = confusion(truth, said, 6)  # three classes are neither there nor mapped
    assert mean_iou(tally(matrix)) == pytest.approx(scores(matrix, list("abcdef"))["miou"])
    assert np.isnan(mean_iou(np.zeros((3, 6), np.int64)))


def cells(count: int, scenes: int, right: float) -> list[NDArray[np.int64]]:
    return [
        np.concatenate([one(100 * cell + scene, 400, right=right) for scene in range(scenes)])
        for cell in range(count)
    ]


def test_the_same_maps_are_no_difference_apart() -> None:
    same = cells(3, 2, 0.6)
    assert over_scenes(same, same) == (0, 0)


def test_what_is_better_in_every_scene_is_better_for_certain() -> None:
    found = over_scenes(cells(4, 3, 0.9), cells(4, 3, 0.5))
    assert found is not None
    middle = np.mean([mean_iou(a.sum(0)) - mean_iou(b.sum(0)) for a, b in
                      zip(cells(4, 3, 0.9), cells(4, 3, 0.5), strict=True)])  # fmt: skip
    assert 0 < found.low < middle < found.high
    turned = over_scenes(cells(4, 3, 0.5), cells(4, 3, 0.9))
    assert turned == pytest.approx((-found.high, -found.low))


def test_with_one_scene_a_cell_it_is_the_bootstrap_over_cells() -> None:
    first, second = cells(6, 1, 0.8), cells(6, 1, 0.5)
    apart = [float(mean_iou(a[0]) - mean_iou(b[0])) for a, b in zip(first, second, strict=True)]
    dice = np.random.default_rng(7)
    drawn = np.array(apart)[dice.integers(6, size=(20000, 6))].mean(axis=1)
    assert over_scenes(first, second) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.01)


def test_places_count_from_the_best_and_equals_share_theirs() -> None:
    found = ranks(np.array([[0.1, 0.3, 0.2], [0.5, 0.5, 0.1]]))
    np.testing.assert_array_equal(found, [[3, 1, 2], [1.5, 1.5, 3]])
