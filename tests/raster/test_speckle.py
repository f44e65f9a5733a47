"""Speckle filters: their laws, and a plain loop over pixels as the oracle of each."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dllr.raster.speckle import FILTERS

Filter = Callable[..., Any]
every = pytest.mark.parametrize("name", sorted(FILTERS))
sizes = st.tuples(st.integers(1, 14), st.integers(1, 14))
windows = st.sampled_from([3, 5, 7, 9])
looks_ = st.sampled_from([1.0, 2.7, 4.0])


@st.composite
def scenes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Speckle over a step edge, with holes."""
    shape = draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    ground = np.where(np.arange(shape[1]) < shape[1] // 2, 0.05, 0.4)
    power = (ground * rng.gamma(2, 0.5, shape)).astype(np.float32)
    return power, draw(arrays(bool, shape, elements=st.sampled_from([True, True, True, False])))


def gain(values: list[float], centre: float, looks: float) -> float:
    """The linear estimate of a pixel from the values of its window, in plain numbers."""
    mean = sum(values) / len(values)
    variance = sum((v - mean) ** 2 for v in values) / len(values)
    ground = (variance - mean**2 / looks) / (1 + 1 / looks)
    share = max(0.0, ground) / variance if variance > 1e-12 * mean**2 else 0.0
    return mean + share * (centre - mean)


def around(
    power: np.ndarray, valid: np.ndarray, y: int, x: int, side: int, half: tuple[int, int] = (0, 0)
) -> list[float]:
    """Valid values of the window about (y, x), or of its half towards `half`."""
    reach = range(-(side // 2), side // 2 + 1)
    return [
        float(power[y + dy, x + dx])
        for dy in reach
        for dx in reach
        if 0 <= y + dy < power.shape[0]
        and 0 <= x + dx < power.shape[1]
        and valid[y + dy, x + dx]
        and dy * half[0] + dx * half[1] >= 0
    ]


def plain_lee(power: np.ndarray, valid: np.ndarray, y: int, x: int, side: int, n: float) -> float:
    return gain(around(power, valid, y, x, side), float(power[y, x]), n)


def plain_gamma(power: np.ndarray, valid: np.ndarray, y: int, x: int, side: int, n: float) -> float:
    values = around(power, valid, y, x, side)
    mean, centre = float(np.mean(values)), float(power[y, x])
    spread = float(np.var(values)) / mean**2
    if spread <= 1 / n:
        return mean
    if spread >= 2 / n:
        return centre
    alpha = (1 + 1 / n) / (spread - 1 / n)
    # The mode solves  alpha x² − (alpha − n − 1) mean x − n centre mean = 0.
    return float(max(np.roots([alpha, -(alpha - n - 1) * mean, -n * centre * mean]).real))


def plain_refined(
    power: np.ndarray, valid: np.ndarray, y: int, x: int, side: int, n: float
) -> float:
    step = side // 3
    everything = float(np.mean(around(power, valid, y, x, side)))
    means = {}
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            inner = []
            if 0 <= y + i * step < power.shape[0] and 0 <= x + j * step < power.shape[1]:
                inner = around(power, valid, y + i * step, x + j * step, side - 2 * step)
            means[i, j] = float(np.mean(inner)) if inner else everything
    west = means[-1, -1] + means[0, -1] + means[1, -1]
    east = means[-1, 1] + means[0, 1] + means[1, 1]
    north = means[-1, -1] + means[-1, 0] + means[-1, 1]
    south = means[1, -1] + means[1, 0] + means[1, 1]
    northwest = means[-1, 0] + means[-1, -1] + means[0, -1]
    southeast = means[1, 0] + means[1, 1] + means[0, 1]
    northeast = means[-1, 0] + means[-1, 1] + means[0, 1]
    southwest = means[1, 0] + means[1, -1] + means[0, -1]
    sides = {
        (0, 1): (east, west),
        (1, 0): (south, north),
        (1, 1): (southeast, northwest),
        (1, -1): (southwest, northeast),
    }
    slopes = [abs(ahead - behind) for ahead, behind in sides.values()]
    steepest = next(i for i in range(4) if slopes[i] > (1 - 1e-7) * max(slopes))
    (dy, dx), (ahead, behind) = list(sides.items())[steepest]
    if max(slopes) <= 1e-8 * everything:
        return plain_lee(power, valid, y, x, side, n)
    near, far = (abs(means[s * dy, s * dx] - means[0, 0]) for s in (1, -1))
    if near == far:
        near, far = (abs(s - 3 * means[0, 0]) for s in (ahead, behind))
    sign = 1 if near <= far else -1
    values = around(power, valid, y, x, side, (sign * dy, sign * dx))
    return gain(values, float(power[y, x]), n)


PLAIN = {"lee": plain_lee, "gamma_map": plain_gamma, "refined_lee": plain_refined}


@every
@pytest.mark.parametrize("side", [3, 5, 7])
@pytest.mark.parametrize("looks", [1.0, 3.5])
def test_a_plain_loop_agrees(name: str, side: int, looks: float) -> None:
    rng = np.random.default_rng(side)
    ground = np.where(np.add.outer(np.arange(19), 2 * np.arange(23)) < 30, 0.03, 0.5)
    power = (ground * rng.gamma(looks, 1 / looks, ground.shape)).astype(np.float32)
    valid = rng.random(ground.shape) > 0.15
    valid[:6, :6] = False
    found = FILTERS[name](power, valid, side, looks)
    expected = np.full(ground.shape, np.nan)
    for y, x in np.argwhere(valid):
        expected[y, x] = PLAIN[name](power, valid, y, x, side, looks)
    assert np.allclose(found, expected, rtol=1e-5, equal_nan=True)


@every
@given(scene=scenes(), side=windows, looks=looks_, level=st.floats(1e-6, 1e4))
def test_a_constant_field_stays(
    name: str, scene: tuple[np.ndarray, np.ndarray], side: int, looks: float, level: float
) -> None:
    valid = scene[1]
    found = FILTERS[name](np.full(valid.shape, level, np.float32), valid, side, looks)
    assert found.dtype == np.float32
    assert np.array_equal(np.isfinite(found), valid)
    assert np.allclose(found[valid], level, rtol=1e-6)


# The mean of the estimate over uniform ground, relative: a mode, and a choice by noisy means, are biased.
BIAS = {("refined_lee", 1): 0.02, ("gamma_map", 1): 0.05, ("gamma_map", 4): 0.02}


@every
@pytest.mark.parametrize("looks", [1, 4])
def test_speckle_falls_and_the_mean_stays(name: str, looks: int) -> None:
    speckle = np.random.default_rng(0).gamma(looks, 1 / looks, (400, 400))
    power = (0.02 * speckle).astype(np.float32)
    found = FILTERS[name](power, np.ones(power.shape, bool), 7, looks).astype(float)
    assert found.mean() == pytest.approx(power.mean(dtype=float), rel=BIAS.get((name, looks), 0.01))
    assert found.mean() ** 2 / found.var() > 10 * looks


@every
@given(scene=scenes(), side=windows, looks=looks_, lie=st.sampled_from([0.0, 1e9, np.nan, np.inf]))
def test_missing_pixels_do_not_leak(
    name: str, scene: tuple[np.ndarray, np.ndarray], side: int, looks: float, lie: float
) -> None:
    power, valid = scene
    found = FILTERS[name](power, valid, side, looks)
    other = FILTERS[name](np.where(valid, power, np.float32(lie)), valid, side, looks)
    assert np.array_equal(found, other, equal_nan=True)
    assert np.array_equal(np.isfinite(found), valid)


@every
@given(scene=scenes(), side=windows, looks=looks_, axes=st.sampled_from([(0,), (1,), (0, 1)]))
def test_a_mirrored_image_gives_the_mirrored_result(
    name: str,
    scene: tuple[np.ndarray, np.ndarray],
    side: int,
    looks: float,
    axes: tuple[int, ...],
) -> None:
    found = FILTERS[name](*scene, side, looks)
    mirrored = FILTERS[name](*(np.flip(a, axes) for a in scene), side, looks)
    assert np.allclose(np.flip(mirrored, axes), found, rtol=1e-5, equal_nan=True)


@every
@given(scene=scenes(), side=windows, factor=st.floats(1e-3, 1e3))
def test_the_scale_of_the_power_does_not_matter(
    name: str, scene: tuple[np.ndarray, np.ndarray], side: int, factor: float
) -> None:
    power, valid = scene
    found = FILTERS[name](power, valid, side, 2.0)
    scaled = FILTERS[name]((power * np.float32(factor)), valid, side, 2.0)
    assert np.allclose(scaled, found * np.float32(factor), rtol=1e-4, equal_nan=True)


def test_an_edge_stays_sharper_under_the_refined_filter() -> None:
    rng = np.random.default_rng(1)
    ground = np.where(np.arange(200) < 100, 0.02, 0.5) * np.ones((200, 1))
    power = (ground * rng.gamma(4, 0.25, ground.shape)).astype(np.float32)
    valid = np.ones(power.shape, bool)
    error = {
        name: np.abs(10 * np.log10(FILTERS[name](power, valid, 7, 4) / ground))[:, 97:103].mean()
        for name in ("lee", "refined_lee")
    }
    assert error["refined_lee"] < 0.8 * error["lee"]
