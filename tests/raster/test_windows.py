"""Windows cover a scene, and splits keep their distance."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dllr.raster.grid import IGNORE
from dllr.raster.partition import Role, blocks, choose, inside, with_buffer
from dllr.raster.windows import lattice, positions, shares

lengths = st.integers(1, 300)
sizes = st.integers(16, 64)


@given(lengths, sizes, st.integers(1, 64))
def test_windows_cover_every_pixel_and_stay_inside(length: int, size: int, stride: int) -> None:
    stride = min(stride, size)
    starts = positions(length, size, stride)
    covered = np.zeros(max(length, size), bool)
    for start in starts:
        covered[start : start + size] = True
    assert covered[:length].all()
    assert starts == sorted(set(starts))
    assert length <= size or starts[-1] + size == length


def counts(classes: np.ndarray, windows: np.ndarray, size: int) -> np.ndarray:
    """Pixels of each of three classes (N, 3) in each window, by the shares that windows are kept by."""
    found = [shares(classes == c, windows, size) * size**2 for c in range(3)]
    return np.stack(found, axis=1)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**31))
def test_disjoint_windows_conserve_the_label_histogram(height: int, width: int, seed: int) -> None:
    classes = np.random.default_rng(seed).integers(0, 3, (height, width))
    size = 16
    windows = lattice(height, width, size, size)
    seen = np.zeros((height, width), int)
    for _, _, y, x in windows:
        seen[y : y + size, x : x + size] += 1
    assert np.array_equal(
        counts(classes, windows, size).sum(axis=0),
        np.bincount(classes.ravel(), seen.ravel(), minlength=3),
    )
    twice = [
        (np.arange(n) >= n // size * size - -n % size) & (np.arange(n) < n // size * size)
        if n > size
        else np.zeros(n, bool)
        for n in (height, width)
    ]
    assert np.array_equal(seen, np.outer(1 + twice[0], 1 + twice[1]))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**31))
def test_whole_windows_hold_each_pixel_once(rows: int, columns: int, seed: int) -> None:
    classes = np.random.default_rng(seed).integers(0, 3, (16 * rows, 16 * columns))
    windows = lattice(*classes.shape, 16, 16)
    assert len(windows) == rows * columns
    assert np.array_equal(
        counts(classes, windows, 16).sum(axis=0), np.bincount(classes.ravel(), minlength=3)
    )


@given(st.integers(0, 2**31), st.integers(10, 30), st.integers(0, 4))
def test_no_two_splits_come_closer_than_twice_the_buffer(seed: int, side: int, buffer: int) -> None:
    rng = np.random.default_rng(seed)
    raw = np.full((64, 80), 255, np.uint8)
    for block in blocks(64, 80, side):
        assert (raw[block] == 255).all()
        raw[block] = rng.choice([0, 3, 4])
    assert (raw != 255).all()
    roles = with_buffer(raw, buffer)
    assert ((roles == raw) | (roles == Role.NONE)).all()
    train = np.argwhere(roles == Role.UNLABELLED)
    test = np.argwhere(roles == Role.TEST)
    if len(train) and len(test):
        apart = np.abs(train[:, None] - test[None]).max(axis=2).min()
        assert apart > 2 * buffer


def test_a_window_belongs_to_a_split_only_whole() -> None:
    roles = np.zeros((40, 40), np.uint8)
    roles[:, 20:] = Role.TEST
    windows = np.array([[0, 0], [0, 10], [0, 20], [30, 30]])
    assert inside(roles, Role.UNLABELLED, windows, 16).tolist() == [True, False, False, False]
    assert inside(roles, Role.TEST, windows, 16).tolist() == [False, False, True, True]


@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 12))
def test_budgets_are_nested_never_overlap_and_meet_every_class(
    seed: int, small: int, more: int
) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 50, (40, 4)) * (rng.random((40, 4)) < [0.9, 0.5, 0.1, 0.0])
    boxes = np.column_stack([rng.integers(0, 3, 40), rng.integers(0, 100, (40, 2))])
    few = choose(counts, boxes, 16, small, np.random.default_rng(seed))
    many = choose(counts, boxes, 16, small + more, np.random.default_rng(seed))
    assert many[: len(few)] == few
    assert len(few) <= small
    for i, a in enumerate(many):
        for b in many[:i]:
            near = np.abs(boxes[a, 1:] - boxes[b, 1:]).max() < 16
            assert boxes[a, 0] != boxes[b, 0] or not near
    if len(many) >= 4:
        lone = [c for c in range(4) if counts[:, c].any() and not counts[many][:, c].any()]
        free = [
            i
            for i in range(40)
            if i not in many
            and all(
                boxes[i, 0] != boxes[j, 0] or np.abs(boxes[i, 1:] - boxes[j, 1:]).max() >= 16
                for j in many
            )
        ]
        assert not any(counts[i, c] for i in free for c in lone)


def test_ignore_is_the_role_of_no_use() -> None:
    assert int(Role.NONE) == IGNORE
