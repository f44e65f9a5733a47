"""Windows cover a scene."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dllr.raster.windows import lattice, positions, shares

lengths = st.integers(1, 300)
sizes = st.integers(16, 64)


@given(lengths, sizes, st.integers(1, 64), st.integers(-(10**7), 10**7))
def test_windows_cover_every_pixel_and_stay_inside(
    length: int, size: int, stride: int, origin: int
) -> None:
    stride = min(stride, size)
    starts = positions(length, size, stride, origin)
    covered = np.zeros(max(length, size), bool)
    for start in starts:
        covered[start : start + size] = True
    assert covered[:length].all()
    assert starts == sorted(set(starts))
    assert length <= size or starts[-1] + size == length


@given(lengths, lengths, sizes, st.integers(1, 64), st.integers(-(10**7), 10**7))
def test_parts_of_a_row_have_their_windows_at_the_same_places(
    length: int, cut: int, size: int, stride: int, origin: int
) -> None:
    whole = positions(cut + length, size, stride, origin)
    part = [cut + start for start in positions(length, size, stride, origin + cut)]
    assert part[1:-1] == [start for start in whole if cut < start < cut + length - size]


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
