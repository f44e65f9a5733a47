"""Differences of series that share their seeds, and how far they are to be trusted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import t, ttest_rel

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
    assert over_scenes([one(0, 9)], [one(1, 9)], shared=True) is None
    assert over_scenes([], [], shared=False) is None


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
    assert over_scenes(same, same, shared=False) == (0, 0)


def test_what_is_better_in_every_scene_is_better_for_certain() -> None:
    found = over_scenes(cells(4, 3, 0.9), cells(4, 3, 0.5), shared=False)
    assert found is not None
    middle = np.mean([mean_iou(a.sum(0)) - mean_iou(b.sum(0)) for a, b in
                      zip(cells(4, 3, 0.9), cells(4, 3, 0.5), strict=True)])  # fmt: skip
    assert found.low > 0
    assert sum(found) / 2 == pytest.approx(middle)  # about what is reported
    turned = over_scenes(cells(4, 3, 0.5), cells(4, 3, 0.9), shared=False)
    assert turned == pytest.approx((-found.high, -found.low))


def test_of_cells_with_one_scene_none_is_drawn() -> None:
    assert over_scenes(cells(6, 1, 0.8), cells(6, 1, 0.5), shared=False) is None
    mixed = [*cells(2, 3, 0.8), *cells(1, 1, 0.8)]
    assert over_scenes(mixed, mixed, shared=False) is None


def alike(scenes: int, gains: NDArray[np.float64], seed: int) -> list[list[NDArray[np.int64]]]:
    """Two lists of cells whose scenes are all alike within a cell: differences `gains` by cell."""
    dice = np.random.default_rng(seed)
    found: list[list[NDArray[np.int64]]] = [[], []]
    for gain in gains:
        wrong = int(dice.integers(2000, 3000))
        for cells, less in ((found[0], round(gain * 10_000)), (found[1], 0)):
            hits = 10_000 - wrong + less
            scene = np.array([[hits, hits], [10_000, 10_000], [10_000, 10_000]])
            cells.append(np.repeat(scene[None], scenes, axis=0))
    return found


@pytest.mark.parametrize("shared", [False, True])
def test_where_scenes_are_alike_it_is_the_interval_over_cells(shared: bool) -> None:
    first, second = alike(3, np.array([0.05, 0.01, 0.03, -0.01, 0.04]), 0)
    apart = [
        float(mean_iou(a.sum(0)) - mean_iou(b.sum(0))) for a, b in zip(first, second, strict=True)
    ]
    wanted = over_seeds(apart)
    found = over_scenes(first, second, shared)
    assert wanted is not None and found == pytest.approx(wanted, abs=0.002)


def test_scenes_that_all_cells_share_do_not_average_out() -> None:
    """Cells are alike and scenes are not: what one scene changes in one cell it changes in all."""
    first = [np.concatenate([one(s, 400, right=0.2 + 0.15 * s) for s in range(5)])] * 6
    second = [np.concatenate([one(50, 400, right=0.5) for _ in range(5)])] * 6
    together, apart = (over_scenes(first, second, shared) for shared in (True, False))
    assert together is not None and apart is not None
    single = over_scenes(first[:1], second[:1], shared=True)
    assert single is not None
    # As wide as that of the one cell, but for the number of values the deviation is taken from.
    ratio = t.ppf(0.975, 5) * (6 / 5) ** 0.5 / (t.ppf(0.975, 4) * (5 / 4) ** 0.5)
    wide = (together.high - together.low) / (single.high - single.low)
    assert wide == pytest.approx(ratio, rel=0.05)
    narrow = (apart.high - apart.low) / (single.high - single.low)
    assert narrow == pytest.approx(ratio / 6**0.5, rel=0.05)


def test_it_holds_the_true_difference_about_as_often_as_it_says() -> None:
    """Five cells of four scenes whose gains have a mean of 0: percentiles of the bootstrap hold it in 84 %."""
    held = 0
    for seed in range(300):
        dice = np.random.default_rng(seed)
        first, second = alike(4, dice.normal(0, 0.02, 5), seed)
        found = over_scenes(first, second, shared=False)
        assert found is not None
        held += found.low <= 0 <= found.high
    assert 0.92 < held / 300 < 0.98


def test_places_count_from_the_best_and_equals_share_theirs() -> None:
    found = ranks(np.array([[0.1, 0.3, 0.2], [0.5, 0.5, 0.1]]))
    np.testing.assert_array_equal(found, [[3, 1, 2], [1.5, 1.5, 3]])
