"""Labels of the surest part of the pixels: each class up to its share."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from dllr.transport import solve
from dllr.transport.data import Dense
from dllr.transport.partial import partial, reassign, surest, widened

N, K = 4000, 5


def costs(seed: int, bias: float = 0.0) -> np.ndarray:
    scores = 2 * np.random.default_rng(seed).normal(size=(N, K))
    scores[:, 0] += bias
    return (-log_softmax(scores, axis=1)).astype(np.float32)


def labelled(cost: np.ndarray, shares: np.ndarray, coverage: float, epsilon: float = 0.01):
    problem = partial(shares, coverage, epsilon, np.inf)
    found = solve("newton", Dense(torch.from_numpy(widened(cost))), problem)
    assert found.converged
    return reassign(cost, found.potentials, epsilon)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), coverage=st.sampled_from([0.5, 0.9, 1.0]), bias=st.floats(0, 2))
def test_each_class_gets_its_share_of_what_is_labelled(
    seed: int, coverage: float, bias: float
) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.full(K, 2.0))
    done = labelled(costs(seed, bias), shares, coverage)
    got = np.bincount(done.label[done.covered], minlength=K) / N
    assert got == pytest.approx(coverage * shares, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 99), coverage=st.sampled_from([0.02, 0.1, 0.5, 1.0]),
    rho=st.sampled_from([0.3, 2.0, 100.0]),
)  # fmt: skip
def test_with_a_price_as_many_are_labelled_and_the_shares_give_way(
    seed: int, coverage: float, rho: float
) -> None:
    shares, cost = np.random.default_rng(seed).dirichlet(np.full(K, 2.0)), costs(seed, 1.0)
    data = Dense(torch.from_numpy(widened(cost)))
    found = solve("newton", data, partial(shares, coverage, 0.05, rho))
    assert found.converged
    assert found.marginal[-1] == pytest.approx(1 - coverage, abs=2e-6)
    exact = solve("newton", data, partial(shares, coverage, 0.05, np.inf))
    free = solve("newton", data, partial(shares, coverage, 0.05, 1e-3))
    # Between what sureness gives and what is asked, in the measure that the price is of.
    apart = [_divergence(s.marginal, coverage * shares) for s in (exact, found, free)]
    assert apart == sorted(apart)


def _divergence(marginal: np.ndarray, asked: np.ndarray) -> float:
    got = marginal[:-1]
    return float((got * np.log(got / asked) - got + asked).sum())


def test_of_each_class_the_surest_pixels_are_taken() -> None:
    cost = costs(0, bias=2.0)
    done = labelled(cost, np.full(K, 1 / K), 0.4)
    for k in range(K):
        own = done.label == k
        assert cost[own & done.covered, k].max() <= cost[own & ~done.covered, k].min() + 1e-4


def test_a_class_without_a_share_gets_nothing() -> None:
    shares = np.array([0.5, 0.5, 0, 0, 0])
    done = labelled(costs(1), shares, 0.7)
    assert set(np.unique(done.label[done.covered])) == {0, 1}


def test_with_all_labelled_nothing_is_left_out_and_small_epsilon_moves_labels() -> None:
    cost = costs(2, bias=3.0)
    done = labelled(cost, np.full(K, 1 / K), 1.0)
    assert done.covered.all()
    assert (cost.argmin(axis=1) == 0).mean() > 0.6
    assert (done.label == 0).mean() == pytest.approx(1 / K, abs=0.01)


def test_with_epsilon_one_calibrated_scores_stay_as_they_are() -> None:
    cost = costs(3)
    shares = np.exp(-cost).mean(axis=0)
    done = labelled(cost, shares / shares.sum(), 1.0, epsilon=1.0)
    assert (done.label == cost.argmin(axis=1)).mean() > 0.99


def test_weights_fall_towards_the_threshold() -> None:
    done = labelled(costs(4), np.full(K, 1 / K), 0.5, epsilon=0.1)
    order = np.argsort(done.rank[done.covered])
    weight = done.weight[done.covered][order]
    assert ((weight >= 0) & (weight <= 1)).all()
    assert weight[:200].mean() < 0.75 < 0.95 < weight[-200:].mean()


@given(seed=st.integers(0, 99), coverage=st.sampled_from([0.3, 0.8, 1.0]))
def test_the_surest_are_one_threshold_for_all(seed: int, coverage: float) -> None:
    cost = costs(seed)
    done = reassign(cost, surest(cost, coverage, np.ones(K, bool)), 0.1)
    assert (done.label == cost.argmin(axis=1)).all()
    assert done.covered.mean() == pytest.approx(coverage, abs=1e-3)
    if coverage < 1:
        least = cost.min(axis=1)
        assert least[done.covered].max() <= least[~done.covered].min()


@pytest.mark.parametrize("coverage", [0.6, 1.0])
def test_the_surest_are_none_of_a_class_that_the_labels_do_not_have(coverage: float) -> None:
    cost, allowed = costs(6), np.arange(K) != 2
    assert (cost.argmin(axis=1) == 2).mean() > 0.1
    done = reassign(cost, surest(cost, coverage, allowed), 0.1)
    assert (done.label != 2).all()
    assert done.covered.mean() == pytest.approx(coverage, abs=1e-3)
    assert np.isfinite(done.weight).all()


def test_classes_in_another_order_give_the_same_labels() -> None:
    cost, order = costs(5, bias=1.0), np.array([3, 1, 4, 0, 2])
    shares = np.array([0.1, 0.2, 0.3, 0.15, 0.25])
    one = labelled(cost, shares, 0.6)
    other = labelled(cost[:, order], shares[order], 0.6)
    assert (order[other.label] == one.label).mean() > 0.999


def test_a_weight_is_how_far_a_pixel_is_labelled_times_how_sure_of_its_class() -> None:
    cost, epsilon = costs(3)[:500], 0.4
    potentials = np.array([0.3, -0.2, 0.1, 0.0, 0.2, -1.5])
    done = reassign(cost, potentials, epsilon)
    plan = softmax((potentials - widened(cost).astype(float)) / epsilon, axis=1)
    inner = plan[:, :-1] / plan[:, :-1].sum(axis=1, keepdims=True)
    sure = np.sqrt(1 - entropy(inner, axis=1) / np.log(K))
    assert done.weight == pytest.approx((1 - plan[:, -1]) * sure, abs=1e-4)
    assert (done.covered == (plan[:, :-1].max(axis=1) > plan[:, -1])).all()
