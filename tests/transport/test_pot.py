"""The law of the transport problem: optimality of rows and relaxed columns, symmetries, guards."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from dllr.errors import TransportError
from dllr.transport.pot import solve
from dllr.transport.problem import Solution, assign
from dllr.transport.scores import certainty, cost


def problem(
    seed: int, pixels: int, classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return rng.exponential(2, (pixels, classes)).astype(np.float32), rng.dirichlet(np.ones(classes))


def solved(
    c: NDArray[np.float32], b: NDArray[np.float64], epsilon: float = 1.0, rho: float = 1.0
) -> Solution:
    return solve(c, b, epsilon=epsilon, rho=rho, max_iterations=20_000, tolerance=1e-9)


@given(
    st.integers(0, 2**31), st.integers(1, 200), st.integers(2, 12), st.sampled_from([0.1, 0.5, 1.0, 5.0]),
    st.sampled_from([0.1, 1.0, 10.0]),
)  # fmt: skip
def test_columns_are_optimal(
    seed: int, pixels: int, classes: int, epsilon: float, rho: float
) -> None:
    c, b = problem(seed, pixels, classes)
    found = solved(c, b, epsilon, rho)
    plan = assign(c, found)
    assert found.converged
    assert np.allclose(plan.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(plan.mean(axis=0), found.marginal, atol=1e-5)
    assert np.allclose(found.marginal, b * np.exp(-found.potentials / rho), atol=1e-6)


def test_potentials_maximise_the_semi_dual() -> None:
    c, b = problem(3, 300, 4)
    epsilon, rho = 0.5, 2.0

    def negative(v: NDArray[np.float64]) -> float:
        rows = -epsilon * logsumexp((v - c) / epsilon, axis=1).mean()
        return float(-(rows - rho * (b * np.expm1(-v / rho)).sum()))

    oracle = minimize(negative, np.zeros(4), tol=1e-12)
    assert np.allclose(solved(c, b, epsilon, rho).potentials, oracle.x, atol=1e-4)


def test_a_high_price_gives_exact_shares_and_a_low_one_leaves_the_scores_alone() -> None:
    c, b = problem(1, 500, 5)
    exact = solve(c, b, epsilon=1.0, rho=1e4, max_iterations=20_000, tolerance=1e-9)
    assert np.allclose(exact.marginal, b, atol=1e-3)
    free = solved(c, b, rho=1e-4)
    alone = np.exp(-c.astype(float))
    assert np.allclose(assign(c, free), alone / alone.sum(axis=1, keepdims=True), atol=1e-3)


def test_permuted_classes_give_permuted_potentials() -> None:
    c, b = problem(2, 100, 6)
    order = np.array([3, 1, 5, 0, 2, 4])
    assert np.allclose(
        solved(c[:, order], b[order]).potentials, solved(c, b).potentials[order], atol=1e-6
    )


def test_a_class_without_share_receives_nothing() -> None:
    c, _ = problem(4, 50, 3)
    found = solved(c, np.array([0.5, 0.0, 0.5]))
    assert found.potentials[1] == -np.inf
    assert (assign(c, found)[:, 1] == 0).all()
    assert found.converged


@pytest.mark.parametrize(
    ("c", "b", "word"),
    [
        (np.ones((3, 2), np.float32), np.ones(3) / 3, "expected"),
        (np.zeros((0, 2), np.float32), np.ones(2) / 2, "expected"),
        (np.array([[0, np.nan]], np.float32), np.ones(2) / 2, "not finite"),
        (np.ones((3, 2), np.float32), np.array([0.7, 0.7]), "sum to 1"),
    ],
)
def test_ill_posed_problems_are_refused(
    c: NDArray[np.float32], b: NDArray[np.float64], word: str
) -> None:
    with pytest.raises(TransportError, match=word):
        solved(c, b)


def test_cost_of_one_sure_head_is_its_own_cross_entropy() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 10, 4)).astype(np.float32)
    seen = np.array([[True] * 10, [False] * 10, [False] * 10])
    found = cost(logits, np.array([2.0, 1.0, 1.0]), np.array([0.5, 0.25, 0.25]), seen)
    expected = logsumexp(logits[0] / 2, axis=1, keepdims=True) - logits[0] / 2
    assert np.allclose(found, expected, atol=1e-5)


def test_certainty_is_one_for_sure_and_zero_for_uniform() -> None:
    rows = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]], np.float32)
    found = certainty(rows)
    assert np.allclose(found[:2], [1, 0], atol=1e-3)
    assert 0 < found[2] < 1
