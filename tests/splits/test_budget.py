"""Budgets are nested, meet every class they can, and hold back an even share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllr.splits.budget import choose, choose_scenes, held_back, touching

seeds = st.integers(0, 2**31)


def some_counts(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 50, (count, 4)) * (rng.random((count, 4)) < [0.9, 0.5, 0.1, 0.0])


@given(seeds, st.integers(1, 12), st.integers(1, 12))
def test_budgets_are_nested_never_overlap_and_meet_every_class(
    seed: int, small: int, more: int
) -> None:
    rng = np.random.default_rng(seed)
    counts = some_counts(rng, 40)
    boxes = np.column_stack([rng.integers(0, 3, 40), rng.integers(0, 100, (40, 2))])
    few = choose(counts, boxes, 16, small, np.random.default_rng(seed))
    many = choose(counts, boxes, 16, small + more, np.random.default_rng(seed))
    assert many[: len(few)] == few
    assert len(few) <= small

    def apart(a: int, b: int) -> bool:
        return boxes[a, 0] != boxes[b, 0] or np.abs(boxes[a, 1:] - boxes[b, 1:]).max() >= 16

    assert all(apart(a, b) for i, a in enumerate(many) for b in many[:i])
    free = [i for i in range(40) if i not in many and all(apart(i, j) for j in many)]
    assert len(many) == small + more or not free
    if len(many) >= 4:
        missed = [c for c in range(4) if not counts[many][:, c].any()]
        assert not any(counts[i, c] for i in free for c in missed)


@given(seeds, st.integers(1, 8), st.integers(1, 8))
def test_scenes_are_nested_and_each_adds_as_many_classes_as_any(
    seed: int, small: int, more: int
) -> None:
    counts = some_counts(np.random.default_rng(seed), 10)
    few = choose_scenes(counts, small, np.random.default_rng(seed))
    many = choose_scenes(counts, small + more, np.random.default_rng(seed))
    assert many[: len(few)] == few
    assert len(many) == len(set(many)) == min(10, small + more)
    for place, scene in enumerate(many):
        missing = ~counts[many[:place]].any(axis=0)
        gains = ((counts > 0) & missing).sum(axis=1)
        gains[many[:place]] = -1
        assert gains[scene] == gains.max()


@given(st.integers(0, 200), st.floats(0, 0.99))
def test_the_share_held_back_is_even_and_nested(count: int, share: float) -> None:
    flags = held_back(count, share)
    for n in range(count + 1):
        assert flags[:n].sum() == int(n * share)
        assert (held_back(n, share) == flags[:n]).all()


@given(seeds, st.integers(0, 12), st.integers(0, 12), st.integers(1, 20))
def test_windows_touch_if_they_share_a_pixel(seed: int, one: int, two: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    corners, others = rng.integers(0, 60, (one, 2)), rng.integers(0, 60, (two, 2))
    covered = np.zeros((80, 80), bool)
    for y, x in others:
        covered[y : y + size, x : x + size] = True
    expected = [covered[y : y + size, x : x + size].any() for y, x in corners]
    assert touching(corners, others, size).tolist() == expected


@pytest.mark.parametrize("classes", [1, 3])
def test_more_than_there_is_takes_all(classes: int) -> None:
    counts = np.ones((3, classes), np.int64)
    boxes = np.array([[0, 0, 0], [0, 0, 99], [1, 0, 0]])
    assert sorted(choose(counts, boxes, 16, 99, np.random.default_rng(0))) == [0, 1, 2]
