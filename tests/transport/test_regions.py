"""Superpixels: means of probabilities, gathered in pieces, mixed in."""

import numpy as np
import pytest
from scipy.special import log_softmax

from dllr.transport.regions import Sums, blended


def world() -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(0)
    cost = -log_softmax(dice.normal(size=(500, 3)), axis=1).astype(np.float32)
    return cost, dice.integers(1, 20, size=500).astype(np.uint32)


def test_means_are_those_of_each_region_in_whatever_pieces() -> None:
    cost, ids = world()
    sums = Sums(3)
    for piece in np.array_split(np.argsort(ids % 7), 9):
        sums.add(cost[piece], ids[piece])
    means = sums.means()
    for i in np.unique(ids):
        assert means[i] == pytest.approx(np.exp(-cost[ids == i]).mean(axis=0), abs=1e-6)
    assert not means[0].any()


def test_blending_goes_from_the_pixel_to_its_region() -> None:
    cost, ids = world()
    sums = Sums(3)
    sums.add(cost, ids)
    means = sums.means()[ids]
    assert blended(cost, means, 0.0) == pytest.approx(cost, abs=1e-5)
    assert np.exp(-blended(cost, means, 1.0)) == pytest.approx(means, abs=1e-6)
    half = np.exp(-blended(cost, means, 0.5))
    assert half == pytest.approx((np.exp(-cost) + means) / 2, abs=1e-6)
    assert half.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_nothing_adds_nothing() -> None:
    sums = Sums(3)
    sums.add(np.zeros((0, 3), np.float32), np.zeros(0, np.uint32))
    assert not sums.means().any()
