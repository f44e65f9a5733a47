"""Windows cover a scene."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.integers(20, 90), st.integers(20, 90), st.integers(0, 2**31))
def test_disjoint_windows_conserve_the_label_histogram(height: int, width: int, seed: int) -> None:
    mask = (
        np.random.default_rng(seed).random((height - height % 16 or 16, width - width % 16 or 16))
        < 0.3
    )
    windows = lattice(*mask.shape, 16, 16)
    assert shares(mask, windows, 16).sum() * 256 == pytest.approx(mask.sum())
