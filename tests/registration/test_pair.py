"""Thinning and smoothing take known pixels alone, and speckle is averaged in power."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllr.registration.pair import ArrayPair, Box, box_mean, prepared, smoothed, thinned


@given(st.integers(1, 5), st.integers(10, 23), st.integers(10, 23), st.integers(0, 9))
def test_thinning_averages_what_is_known(factor: int, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(2, height, width)).astype(np.float32)
    values[:, rng.random((height, width)) < 0.3] = np.nan
    found, known = thinned(values, factor)
    assert found.shape == (2, height // factor, width // factor)
    for y, x in np.ndindex(known.shape):
        block = values[:, y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
        share = np.isfinite(block[0]).mean()
        assert known[y, x] == (share >= 0.5)
        if known[y, x]:
            assert found[:, y, x] == pytest.approx(np.nanmean(block, axis=(1, 2)), abs=1e-5)


@pytest.mark.parametrize("mean", [smoothed, box_mean])
def test_gaps_do_not_bleed(mean) -> None:  # type: ignore[no-untyped-def]
    image = np.full((40, 40), 7, np.float32)
    known = np.ones((40, 40), bool)
    image[10:30, 10:14], known[10:30, 10:14] = 1e6, False
    assert mean(image, known, 3)[known] == pytest.approx(7, rel=1e-5)


def test_speckle_is_averaged_in_power() -> None:
    speckle = np.random.default_rng(0).exponential(1, (1, 256, 256))
    calm, _ = prepared((10 * np.log10(speckle)).astype(np.float32), 8, decibel=True, thin=True)
    assert calm.mean() == pytest.approx(0, abs=0.1)  # of the logarithms it would be -2.5 dB
    plain, _ = prepared(speckle.astype(np.float32), 8, decibel=False, thin=True)
    assert plain.mean() == pytest.approx(1, abs=0.02)


def test_a_box_is_the_same_part_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    pair = ArrayPair(
        rng.random((3, 64, 48), np.float32), rng.random((1, 64, 48), np.float32), False
    )
    whole = pair.views(2, np.eye(3), [Box(0, 0, 32, 24)])
    parts = pair.views(2, np.eye(3), [Box(3, 5, 10, 8), Box(20, 0, 10, 8)])
    assert parts.fixed.shape == (2, 3, 10, 8) and parts.moving.shape == (2, 10, 8)
    assert np.array_equal(parts.fixed[0], whole.fixed[0, :, 3:13, 5:13])
    assert np.array_equal(parts.moving[1], whole.moving[0, 20:30, :8])
    assert whole.fixed_valid.all() and whole.moving_valid[0, 1:-1, 1:-1].all()
