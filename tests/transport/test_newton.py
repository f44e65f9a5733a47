"""The law of the transport problem, whatever its columns, and POT and scipy as oracles."""

import doctest
from itertools import product
from typing import get_args

import dask.array
import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, minimize
from scipy.special import logsumexp, softmax

from dllr.errors import TransportError
from dllr.params.pseudo_label import PseudoLabel
from dllr.transport import SOLVERS, newton, solve
from dllr.transport.data import BLOCK, Blocks, Chunks, Data, Dense
from dllr.transport.newton import _Point
from dllr.transport.problem import Problem, assign

from .problems import COLUMNS, costs, dense, problem, shares

EPSILONS = [10.0, 1.0, 0.5, 0.05, 0.005]


@given(
    st.integers(0, 2**31), st.integers(30, 400), st.integers(2, 20), st.sampled_from(EPSILONS),
    st.sampled_from(COLUMNS), st.booleans(),
)  # fmt: skip
@settings(deadline=None)
def test_it_converges_to_optimal_columns_or_says_that_it_did_not(
    seed: int, pixels: int, classes: int, epsilon: float, columns: str, weighed: bool
) -> None:
    c, b = costs(seed, pixels, classes), shares(seed, classes)
    mass = np.random.default_rng(seed).random(pixels).astype(np.float32) if weighed else None
    asked = problem(b, epsilon, columns)
    found = newton.solve(dense(c, mass), asked, tolerance=1e-6)
    rows = softmax((found.potentials - c.astype(float)) / epsilon, axis=1)
    a = np.full(pixels, 1 / pixels) if mass is None else mass / mass.sum(dtype=float)
    assert np.allclose(a @ rows, found.marginal, atol=2e-6)
    gap = np.abs(asked.residual(found.potentials, a @ rows)).sum()
    # With so few pixels ε = .005 is almost a choice of one class each: then it may take long.
    assert found.converged or epsilon < 0.05
    if found.converged:
        assert gap < 4e-6
    if columns == "equal":
        assert found.converged == (np.abs(found.marginal - b).sum() <= 1e-6)
    if columns == "bounded":
        assert (found.potentials <= 0).all()
        assert (found.marginal <= asked.shares + 2e-6).all() or not found.converged


@pytest.mark.parametrize("columns", COLUMNS)
def test_potentials_maximise_the_dual_that_scipy_is_given(columns: str) -> None:
    c, b = costs(3, 300, 4), shares(3, 4)
    asked = problem(b, 0.5, columns)

    def negative(v: np.ndarray) -> float:
        rows = -0.5 * logsumexp((v - c) / 0.5, axis=1).mean()
        rho = np.minimum(asked.prices, 1e9)  # of shares met exactly, as good as
        return float(-(rows - (rho * asked.shares * np.expm1(-v / rho)).sum()))

    bounds = [(None, 0)] * 4 if columns == "bounded" else None
    oracle = minimize(negative, np.zeros(4), bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9})
    found = newton.solve(dense(c), asked, tolerance=1e-7)
    assert negative(found.potentials) == pytest.approx(oracle.fun, abs=1e-7)
    assert assign(c, found) == pytest.approx(softmax((oracle.x - c) / 0.5, axis=1), abs=1e-3)


@pytest.mark.parametrize("epsilon", [1.0, 0.1])
def test_the_plan_is_that_of_sinkhorn(epsilon: float) -> None:
    c, b = costs(4, 500, 6), shares(4, 6)
    oracle = ot.sinkhorn(
        np.full(500, 1 / 500), b, c.astype(float), epsilon, method="sinkhorn_log", numItermax=20000,
        stopThr=1e-13,
    )  # fmt: skip
    found = newton.solve(dense(c), problem(b, epsilon), tolerance=1e-7)
    assert np.abs(assign(c, found) / 500 - oracle).sum() < 1e-5


def test_a_small_epsilon_comes_near_the_plan_without_entropy() -> None:
    c, b = costs(5, 400, 5), np.array([0.1, 0.15, 0.2, 0.25, 0.3])
    exact = ot.emd2(np.full(400, 1 / 400), b, c.astype(float))
    found = newton.solve(dense(c), problem(b, 0.005), tolerance=1e-5, max_passes=200)
    price = (assign(c, found).astype(float) * c).sum() / 400
    assert exact - 1e-5 <= price <= exact + 0.005 * np.log(5)


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("epsilon", [1.0, 0.2])
def test_gradient_and_hessian_are_those_of_the_value(columns: str, epsilon: float) -> None:
    c, b = costs(6, 200, 4), shares(6, 4)
    asked, data = problem(b, epsilon, columns), dense(c)
    data.cost = data.cost.double()  # so that differences tell
    v = np.array([-0.3, -0.1, -0.6, -0.2])
    here = _Point(Dense(data.cost), asked, v)
    slope = approx_fprime(v, lambda x: _Point(Dense(data.cost), asked, x).value, 1e-6)
    assert np.allclose(here.gradient, slope, atol=1e-6)
    bend = approx_fprime(v, lambda x: _Point(Dense(data.cost), asked, x).gradient, 1e-6)
    assert np.allclose(-here.curvature, bend, atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("columns", ["equal", "relaxed"])
def test_all_solvers_find_the_same(solver: str, columns: str) -> None:
    c, b = costs(7, 800, 5), shares(7, 5)
    one = newton.solve(dense(c), problem(b, 0.5, columns))
    found = solve(solver, dense(c), problem(b, 0.5, columns), tolerance=1e-6)
    assert found.converged
    assert assign(c, found) == pytest.approx(assign(c, one), abs=2e-4)


def test_a_high_price_gives_exact_shares_and_a_low_one_leaves_the_scores_alone() -> None:
    c, b = costs(1, 500, 5), shares(1, 5)
    exact = newton.solve(dense(c), Problem(b, 1.0, "relaxed", 1e5))
    assert exact.marginal == pytest.approx(b, abs=1e-4)
    free = newton.solve(dense(c), Problem(b, 1.0, "relaxed", 1e-4))
    assert assign(c, free) == pytest.approx(softmax(-c.astype(float), axis=1), abs=1e-3)


def test_a_share_without_a_price_is_met_whatever_the_others_cost() -> None:
    c, b = costs(1, 500, 5), shares(1, 5)
    found = newton.solve(dense(c), problem(b, 0.2, "last exact", rho=0.1))
    assert found.converged
    assert found.marginal[-1] == pytest.approx(b[-1], abs=1e-6)
    assert np.abs(found.marginal - b)[:-1].max() > 0.01


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("epsilon", [0.01, 0.005])
def test_pixels_that_are_all_alike_are_no_obstacle(epsilon: float, seed: int) -> None:
    """A teacher that has hardly trained: what rounds for one pixel rounds for thousands."""
    dice = np.random.default_rng(seed)
    kinds = costs(seed, 5, 7, sharp=0.3).astype(np.float16).astype(np.float32)
    blocks = [(torch.from_numpy(kinds[dice.integers(0, 5, 20_000)]), None) for _ in range(3)]
    found = newton.solve(Blocks(blocks), problem(shares(seed, 7), epsilon), tolerance=1e-6)
    assert found.converged


def test_the_example_holds() -> None:
    tried = doctest.testmod(newton)
    assert tried.attempted and not tried.failed


def test_pot_says_what_it_cannot_do() -> None:
    with pytest.raises(TransportError, match="use the solver newton"):
        solve("pot", dense(costs(0, 9, 2)), Problem(np.ones(2), 1.0, "bounded"))
    with pytest.raises(TransportError, match="relaxed ones of one price"):
        solve("pot", dense(costs(0, 9, 2)), problem(np.full(2, 0.5), 1.0, "last exact"))


def test_params_offer_just_the_solvers_there_are() -> None:
    assert set(get_args(PseudoLabel.model_fields["solver"].annotation)) == set(SOLVERS)


@given(st.integers(0, 2**31), st.sampled_from(COLUMNS), st.permutations(range(6)))
def test_permuted_classes_give_permuted_potentials(
    seed: int, columns: str, order: list[int]
) -> None:
    c, b = costs(seed, 200, 6), shares(seed, 6)
    asked = problem(b, 0.5, columns)
    one = newton.solve(dense(c), asked)
    prices = asked.prices[order] if asked.columns == "relaxed" else np.inf
    there = Problem(asked.shares[order], 0.5, asked.columns, prices)
    other = newton.solve(dense(c[:, order].copy()), there)
    assert assign(c[:, order], other) == pytest.approx(assign(c, one)[:, order], abs=1e-3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("solver", "columns"),
    [*product(SOLVERS, ["equal", "relaxed"]), ("newton", "bounded"), ("newton", "last exact")],
)
def test_a_class_without_share_receives_nothing(columns: str, solver: str) -> None:
    c, b = costs(8, 300, 4), np.array([0.4, 0.0, 0.35, 0.25])
    found = solve(solver, dense(c), problem(b, 0.5, columns))
    assert found.converged
    assert found.potentials[1] == -np.inf
    assert not assign(c, found)[:, 1].any()


def test_certain_pixels_stay_where_they_are() -> None:
    c = costs(9, 400, 3)
    c[:50] = [0, np.inf, np.inf]  # −log of probabilities 1, 0, 0
    found = newton.solve(dense(c), Problem(np.array([0.5, 0.3, 0.2]), 0.5))
    assert found.converged
    assert (assign(c, found)[:50] == [1, 0, 0]).all()


def test_what_no_plan_can_do_is_not_said_to_have_converged() -> None:
    c = np.zeros((100, 2), np.float32)
    c[:80, 1] = np.inf  # four fifths can only be of the first class
    found = newton.solve(dense(c), Problem(np.array([0.5, 0.5]), 1.0))
    assert not found.converged
    assert found.marginal == pytest.approx([0.8, 0.2], abs=1e-3)


def test_bounds_that_bind_nobody_leave_the_scores_alone() -> None:
    c = costs(10, 300, 4)
    found = newton.solve(dense(c), Problem(np.ones(4), 1.0, "bounded"))
    assert (found.potentials == 0).all()
    assert found.passes == 1


def test_a_class_of_its_own_takes_the_mass_that_is_not_labelled() -> None:
    c, b = costs(11, 2000, 4), shares(11, 4)
    wide = np.concatenate([c, np.zeros((2000, 1), np.float32)], axis=1)
    found = newton.solve(dense(wide), Problem(np.append(0.7 * b, 0.3), 0.1))
    taken = assign(wide, found)[:, -1]
    assert taken.mean() == pytest.approx(0.3, abs=1e-5)
    price = (c - found.potentials[:4]).min(axis=1)
    assert taken[price > np.median(price)].mean() > 10 * taken[price < np.median(price)].mean()


def test_fewer_pixels_than_classes_and_ties_are_solved() -> None:
    b = np.full(8, 1 / 8)
    tied = np.zeros((3, 8), np.float32)
    found = newton.solve(dense(tied), Problem(b, 0.3))
    assert found.converged
    assert found.marginal == pytest.approx(b, abs=1e-6)


def test_known_potentials_spare_passes() -> None:
    c, b = costs(12, 5000, 6), shares(12, 6)
    first = newton.solve(dense(c), problem(b, 0.05), tolerance=1e-5)
    again = newton.solve(dense(c), problem(b, 0.05), tolerance=1e-4, start=first.potentials)
    assert again.passes == 1


def test_only_so_many_passes_are_made() -> None:
    c, b = costs(13, 3 * BLOCK, 7), shares(13, 7)
    found = newton.solve(dense(c), problem(b, 0.05), tolerance=0.0, max_passes=3)
    assert not found.converged
    assert found.passes == 3


@pytest.mark.parametrize(
    ("cost", "word"),
    [
        (np.ones((3, 3), np.float32), "3 classes and 2 class shares"),
        (np.zeros((0, 2), np.float32), "masses"),
        (np.array([[0, np.nan]], np.float32), "not a number"),
        (np.array([[np.inf, np.inf]], np.float32), "infinite in every class"),
    ],
)
def test_costs_that_are_none_are_refused(cost: np.ndarray, word: str) -> None:
    asked = Problem(np.array([0.5, 0.5]), 1.0)
    for data in (dense(cost), Blocks([(torch.from_numpy(cost), None)])):
        with pytest.raises(TransportError, match=word):
            newton.solve(data, asked)


@pytest.mark.parametrize("epsilon", [0.05, 0.005])
def test_a_class_that_has_nearly_all_is_no_obstacle(epsilon: float) -> None:
    """There single precision knows the second moments' diagonal no better than by what lies beside it."""
    c = np.zeros((10_000, 2), np.float32)
    c[:5000, 1], c[5000:, 1] = 1 / 7, 1
    found = newton.solve(dense(c), Problem(np.array([0.98, 0.02]), epsilon))
    assert found.converged
    assert found.passes < 10


@pytest.mark.parametrize("kind", ["dense", "blocks", "dask"])
def test_masses_that_a_sample_would_miss_are_found(kind: str) -> None:
    c, b = costs(2, 4 * 32768, 3), shares(2, 3)
    mass = np.zeros(len(c), np.float32)
    mass[len(c) // 2 + 1 :: 2] = 1  # nothing in the first half, and then every second pixel
    parts = np.split(np.arange(len(c)), 128)
    data: dict[str, Data] = {
        "dense": dense(c, mass),
        "blocks": Blocks([(torch.from_numpy(c[p]), torch.from_numpy(mass[p])) for p in parts]),
        "dask": Chunks(
            dask.array.from_array(c, chunks=(1024, 3)), dask.array.from_array(mass, chunks=1024)
        ),
    }
    found = newton.solve(data[kind], Problem(b, 0.2))
    assert found.converged
    rows = softmax((found.potentials - c.astype(float)) / 0.2, axis=1)
    assert mass @ rows / mass.sum() == pytest.approx(b, abs=3e-6)


def test_a_sample_without_mass_says_nothing() -> None:
    c, b = costs(2, 256, 3), shares(2, 3)
    mass = np.zeros(256, np.float32)
    mass[1::2] = 1  # of the chunks, one pixel each, the sample takes every fourth
    data = Chunks(dask.array.from_array(c, chunks=(1, 3)), dask.array.from_array(mass, chunks=1))
    assert len(data.sample(100).cost) == 0
    assert newton.solve(data, Problem(b, 0.5)).converged


@pytest.mark.parametrize("kind", ["blocks", "dask"])
def test_empty_blocks_add_nothing(kind: str) -> None:
    c, b = costs(2, 500, 3), shares(2, 3)
    tensors = torch.from_numpy(c).split([200, 0, 300])
    arrays = [dask.array.from_array(part.numpy(), chunks=-1) for part in tensors]
    data = (
        Blocks([(t, None) for t in tensors])
        if kind == "blocks"
        else Chunks(dask.array.concatenate(arrays))
    )
    found = newton.solve(data, Problem(b, 0.5))
    assert found.potentials == pytest.approx(
        newton.solve(dense(c), Problem(b, 0.5)).potentials, abs=1e-5
    )


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ((np.array([0.7, 0.7]), 1.0), "sum to 1"),
        ((np.array([1.5, -0.5]), 1.0), "≥ 0"),
        ((np.array([0.5, np.nan]), 1.0), "finite"),
        ((np.array([0.5, 0.5]), 0.0), "epsilon"),
        ((np.array([0.5, 0.5]), 1.0, "relaxed"), "rho"),
        ((np.array([0.5, 0.5]), 1.0, "equal", 2.0), "rho"),
        ((np.array([0.5, 0.5]), 1.0, "relaxed", np.array([1.0, 0.0])), "rho"),
        ((np.array([0.5, 0.5]), 1.0, "relaxed", np.array([1.0, 1.0, 1.0])), "rho"),
        ((np.array([0.5, 0.4]), 1.0, "bounded"), "upper bounds"),
    ],
)
def test_numbers_that_are_no_problem_are_refused(given: tuple[object, ...], word: str) -> None:
    with pytest.raises(TransportError, match=word):
        Problem(*given)  # type: ignore[arg-type]


def test_pixels_without_mass_are_refused() -> None:
    with pytest.raises(TransportError, match="masses"):
        newton.solve(Dense(torch.zeros(4, 2), torch.zeros(4)), Problem(np.array([0.5, 0.5]), 1.0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_finds_the_same() -> None:
    c, b = costs(14, 50_000, 7), shares(14, 7)
    one = newton.solve(dense(c), problem(b, 0.2))
    other = newton.solve(Dense(torch.from_numpy(c).cuda()), problem(b, 0.2))
    assert assign(c, other) == pytest.approx(assign(c, one), abs=1e-4)
