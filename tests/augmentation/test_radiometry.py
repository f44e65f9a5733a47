"""Radiometric views: what speckle, gain, blur and veil promise."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from dllr.augmentation.radiometry import FADE, Radiometry, _steps, speckle

DEVIATION = torch.tensor([4.0, 2.5])  # dB
FULL = Radiometry(DEVIATION)
STILL = Radiometry(  # nothing happens; each test turns one part on
    DEVIATION, contrast=0, brightness=0, band_contrast=0, band_brightness=0,
    blur_share=0, veil_share=0, looks=(1e9, 1e9), gain=0, band_gain=0,
)  # fmt: skip


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int = 6, height: int = 24, width: int = 24) -> tuple[Tensor, Tensor, Tensor]:
    draws = dice(9)
    optical = torch.randn(count, 4, height, width, generator=draws)
    sar = torch.randn(count, 2, height, width, generator=draws)
    return optical, sar, torch.rand(count, 2, height, width, generator=draws) > 0.2


def constant(count: int, side: int, value: float = 0.7) -> tuple[Tensor, Tensor, Tensor]:
    whole = torch.ones(count, 2, side, side, dtype=torch.bool)
    return (
        torch.full((count, 4, side, side), value),
        torch.full((count, 2, side, side), value),
        whole,
    )


@pytest.mark.parametrize(
    ("looks", "distance"), [(1, 0.0123), (2, 0.0033), (4, 0.0017), (8, 0.0008), (16, 0.0005)]
)
def test_speckle_is_gamma_of_unit_mean(looks: int, distance: float) -> None:
    count = 1_000_000
    decibel = speckle(torch.full((4,), float(looks)), torch.Size((4, 1, 500, 500)), dice()).double()
    power = 10 ** (decibel.flatten() / 10)
    sampling = 1.63 / math.sqrt(count)  # of the KS distance, 1 % level
    assert (
        stats.ks_1samp(power, stats.gamma(looks, scale=1 / looks).cdf).statistic
        < distance + sampling
    )
    assert power.mean().item() == pytest.approx(
        1, abs=(9 * looks) ** -3 + 4 / math.sqrt(looks * count)
    )
    assert power.var().item() * looks == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("view", ["weak", "strong"])
def test_a_ratio_stays_that_of_its_bands(view: str) -> None:
    """In decibels it is their difference, before as after."""
    deviation = torch.tensor([4.0, 2.5, 3.0])
    own = Radiometry(deviation, ratio=(2, 0, 1))
    optical, _, whole = constant(6, 24)
    measured = torch.randn(6, 2, 24, 24, generator=dice(2))
    over = (measured[:, 0] * 4.0 - measured[:, 1] * 2.5) / 3.0
    sar = torch.cat([measured, over[:, None]], 1)
    _, seen = getattr(own, view)(optical, sar, whole, dice())
    decibel = seen * deviation[:, None, None]
    assert not torch.allclose(seen[:, 0], sar[:, 0])
    torch.testing.assert_close(decibel[:, 2], decibel[:, 0] - decibel[:, 1], atol=1e-4, rtol=0)


def test_fades_end_where_documented() -> None:
    one_look = speckle(torch.ones(1), torch.Size((1, 1, 1000, 1000)), dice())
    assert one_look.isfinite().all()
    assert one_look.min().item() == pytest.approx(30 * math.log10(FADE), abs=1e-4)
    assert (one_look < -29.99).float().mean().item() == pytest.approx(0.009, abs=0.001)


def test_speckle_is_white_and_independent_between_bands() -> None:
    field = speckle(torch.tensor([4.0]), torch.Size((1, 2, 400, 400)), dice())[0]
    field = (field - field.mean((1, 2), keepdim=True)) / field.std((1, 2), keepdim=True)
    apart = [field[:, 1:] * field[:, :-1], field[..., 1:] * field[..., :-1], field[0] * field[1]]
    assert all(abs(product.mean().item()) < 0.01 for product in apart)


def test_looks_are_drawn_by_sample_in_the_range() -> None:
    view = replace(STILL, looks=(4.0, 32.0))
    optical, sar, whole = constant(200, 64)
    _, noisy = view.strong(optical, sar, whole, dice())
    power = 10 ** ((noisy - sar) * DEVIATION[:, None, None] / 10)
    looks = 1 / power.flatten(1).var(1)
    assert looks.min() > 4 * 0.9 and looks.max() < 32 * 1.1
    assert looks.log().mean().item() == pytest.approx(math.log(4 * 32) / 2, abs=0.15)
    assert power.mean((1, 2, 3)).sub(1).abs().max() < 0.05


def test_speckle_has_the_same_decibels_in_every_band_whatever_its_deviation() -> None:
    view = replace(STILL, looks=(4.0, 4.0))
    optical, sar, whole = constant(4, 256)
    _, noisy = view.strong(optical, sar, whole, dice())
    spread = noisy.transpose(0, 1).flatten(1).std(1) * DEVIATION
    expected = 10 / math.log(10) * math.sqrt(1 / 4 + 1 / 32 + 1 / 384)  # ≈ trigamma(4), to 1 %
    assert spread.tolist() == pytest.approx([expected, expected], rel=0.02)


@pytest.mark.parametrize(("part", "kind"), [(0.25, "weak"), (1.0, "strong")])
def test_gain_is_one_number_of_decibels_a_band(part: float, kind: str) -> None:
    view = replace(STILL, gain=1.0, band_gain=0.5)
    optical, sar, whole = constant(4000, 2)
    _, out = getattr(view, kind)(optical, sar, whole, dice())
    lift = (out - sar) * DEVIATION[:, None, None]
    assert (lift - lift[..., :1, :1]).abs().max() < 2e-3  # the speckle of 1e9 looks
    common, single = lift[:, 0, 0, 0], lift[:, 1, 0, 0]
    assert common.std().item() == pytest.approx(part * math.sqrt(1.25), rel=0.05)
    correlation = torch.corrcoef(torch.stack([common, single]))[0, 1].item()
    assert correlation == pytest.approx(1 / 1.25, abs=0.05)


def test_optical_jitter_is_one_gain_and_offset_a_band() -> None:
    view = replace(STILL, contrast=0.2, brightness=0.2, band_contrast=0.1, band_brightness=0.1)
    optical, sar, _ = batch(2000, 2, 2)
    whole = torch.ones(2000, 2, 2, 2, dtype=torch.bool)
    for out, part in (
        (view.strong(optical, sar, whole, dice())[0], 1.0),
        (view.weak(optical, sar, whole, dice())[0], 0.25),
    ):
        x, y = optical.flatten(2), out.flatten(2)
        slope = (y[..., 1] - y[..., 0]) / (x[..., 1] - x[..., 0])
        start = y[..., 0] - slope * x[..., 0]
        apart = (x[..., 1] - x[..., 0]).abs() > 0.1
        assert (slope[..., None] * x + start[..., None] - y).abs()[apart].max() < 1e-3
        assert slope[apart].min() > 0
        assert slope[apart].log().std().item() == pytest.approx(part * math.sqrt(0.05), rel=0.05)
        assert start[apart].std().item() == pytest.approx(part * math.sqrt(0.05), rel=0.05)


def test_a_constant_image_without_a_veil_stays_constant_by_band() -> None:
    optical, sar, whole = constant(32, 24)
    out, _ = replace(FULL, veil_share=0.0, blur_share=1.0).strong(optical, sar, whole, dice())
    assert (out - out[..., :1, :1]).abs().max() < 1e-5
    assert out[..., 0, 0].std() > 0.05
    assert (out[:, 0] - out[:, 1]).abs().max() > 0.01  # bands differ


def test_blur_keeps_the_range_lowers_contrast_and_touches_some_samples() -> None:
    optical, sar, _ = batch(400)
    whole = torch.ones(400, 2, 24, 24, dtype=torch.bool)
    out, _ = replace(STILL, blur_share=0.5).strong(optical, sar, whole, dice())
    touched = (out != optical).flatten(1).any(1)
    assert touched.float().mean().item() == pytest.approx(0.5, abs=0.08)
    assert torch.equal(out[~touched], optical[~touched])
    low, high = optical.amin((2, 3), keepdim=True), optical.amax((2, 3), keepdim=True)
    assert (out >= low - 1e-5).all() and (out <= high + 1e-5).all()
    assert (out.std((2, 3))[touched] < optical.std((2, 3))[touched]).all()


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5])
def test_blur_is_a_gaussian_of_the_drawn_sigma(sigma: float) -> None:
    optical, sar, whole = constant(1, 31, 0.0)
    optical[..., 15, 15] = 1.0
    out, _ = replace(STILL, blur_share=1.0, blur_sigma=(sigma, sigma)).strong(
        optical, sar, whole, dice()
    )
    bell = torch.exp(-0.5 * ((torch.arange(31) - 15) / sigma) ** 2)
    bell = bell / bell.sum()
    assert (out[0, 0] - bell[:, None] * bell).abs().max() < 1e-3


@given(st.integers(0, 999), st.floats(-4, 4))
def test_a_veil_is_bounded_and_only_brightens_what_is_darker(seed: int, bright: float) -> None:
    optical, sar, _ = batch(4)
    whole = torch.ones(4, 2, 24, 24, dtype=torch.bool)
    view = replace(STILL, veil_share=1.0, veil_bright=bright, veil_opacity=(0.1, 0.7))
    out, _ = view.strong(optical, sar, whole, dice(seed))
    fixed = torch.tensor(bright)
    assert (out >= torch.minimum(optical, fixed) - 1e-5).all()
    assert (out <= torch.maximum(optical, fixed) + 1e-5).all()
    # Opacity, the share of the way to the bright value, is at most .7.
    assert ((out - optical).abs() <= 0.7 * (fixed - optical).abs() + 1e-5).all()


def test_a_veil_is_smooth_the_same_in_all_bands_and_on_some_samples() -> None:
    optical, sar, whole = constant(400, 64, 0.0)
    view = replace(STILL, veil_share=0.3, veil_opacity=(0.5, 0.5), veil_bright=1.0)
    out, _ = view.strong(optical, sar, whole, dice())  # opacity itself
    assert (out == out[:, :1]).all()
    touched = (out > 0).flatten(1).any(1)
    assert touched.float().mean().item() == pytest.approx(0.3, abs=0.07)
    steepest = 0.5 / (1 - 0.5) * 1.5 * 4 / 63  # opacity, level, slope of the step, cells by pixel
    assert max(out.diff(dim=d).abs().max().item() for d in (2, 3)) <= steepest + 1e-5
    assert out.max() <= 0.5 + 1e-6


@pytest.mark.parametrize("kind", ["weak", "strong"])
def test_what_is_not_valid_neither_changes_nor_spreads(kind: str) -> None:
    optical, sar, valid = batch()
    view = replace(FULL, blur_share=1.0, veil_share=1.0)
    results = []
    for fill in (0.0, 1e6, math.nan):
        parts = optical.where(valid[:, :1], fill), sar.where(valid[:, 1:], fill)
        out = getattr(view, kind)(*parts, valid, dice())
        for one, before, known in zip(out, parts, (valid[:, :1], valid[:, 1:]), strict=True):
            assert torch.equal(
                one.where(~known, 0).nan_to_num(), before.where(~known, 0).nan_to_num()
            )
        results.append([out[0].where(valid[:, :1], 0), out[1].where(valid[:, 1:], 0)])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))
        assert all(a.isfinite().all() for a in other)


@pytest.mark.parametrize("kind", ["weak", "strong"])
@given(st.integers(1, 5), st.integers(1, 20), st.integers(1, 20), st.integers(0, 999))
def test_any_shape_passes_and_the_same_dice_give_the_same(
    kind: str, count: int, height: int, width: int, seed: int
) -> None:
    optical, sar, valid = batch(count, height, width)
    before = [t.clone() for t in (optical, sar, valid)]
    one, two = (getattr(FULL, kind)(optical, sar, valid, dice(seed)) for _ in range(2))
    for a, b, source in zip(one, two, (optical, sar), strict=True):
        assert torch.equal(a, b)
        assert (a.shape, a.dtype) == (source.shape, source.dtype)
        assert a.isfinite().all()
    assert all(torch.equal(a, b) for a, b in zip((optical, sar, valid), before, strict=True))
    none = torch.zeros_like(valid)
    dark = getattr(FULL, kind)(optical, sar, none, dice(seed))
    assert torch.equal(dark[0], optical) and torch.equal(dark[1], sar)


def test_the_weak_view_is_weaker() -> None:
    optical, sar, whole = constant(500, 8)
    for band, (weak, strong) in enumerate(
        zip(
            FULL.weak(optical, sar, whole, dice()),
            FULL.strong(optical, sar, whole, dice()),
            strict=True,
        )
    ):
        source = (optical, sar)[band]
        assert (weak - source).std() < 0.5 * (strong - source).std()
        assert (weak - weak[..., :1, :1]).abs().max() < 1e-6  # neither speckle nor veil


@given(st.integers(2, 200), st.integers(2, 9))
def test_steps_between_nodes_are_means_and_flat_at_the_nodes(length: int, nodes: int) -> None:
    steps = _steps(length, nodes, torch.zeros(()))
    assert (steps >= 0).all() and (steps.sum(1) - 1).abs().max() < 1e-5
    fine = _steps(100 * (nodes - 1) + 1, nodes, torch.zeros(()))
    at = fine[::100]
    assert torch.allclose(at, torch.eye(nodes), atol=1e-4)
    assert (fine[1::100] - at[:-1]).abs().max() < 4e-4  # linear: 1e-2
