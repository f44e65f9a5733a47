"""Pixels all at once, block by block or as a Dask array give the same sums."""

import dask.array
import numpy as np
import pytest
import torch
from dask.distributed import Client, LocalCluster
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax

from dllr.transport import newton
from dllr.transport.data import BLOCK, Blocks, Chunks, Data, Dense, moments

from .problems import costs, dense, problem, shares

N, K = 2 * BLOCK + 77, 5
COST = costs(0, N, K)
MASS = np.random.default_rng(1).random(N).astype(np.float32)


def kinds(weighed: bool) -> dict[str, Data]:
    mass = MASS if weighed else None
    parts = [slice(0, 1), slice(1, BLOCK + 5), slice(BLOCK + 5, N)]
    tensors = [
        (torch.from_numpy(COST[p]), torch.from_numpy(MASS[p]) if weighed else None) for p in parts
    ]
    chunks = (1000, 9000, N - 10_000)
    return {
        "dense": dense(COST, mass),
        "blocks": Blocks(tensors),
        "dask": Chunks(
            dask.array.from_array(COST, chunks=(chunks, K)),
            dask.array.from_array(MASS, chunks=(chunks,)) if weighed else None,
        ),
    }


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("epsilon", [2.0, 0.1, 0.005])
def test_sums_are_those_of_the_formulas(weighed: bool, epsilon: float) -> None:
    a = (MASS if weighed else np.ones(N)).astype(float)
    v = np.array([0.4, -0.3, 0.0, 1.0, -np.inf])
    scores = (v - COST.astype(float)) / epsilon
    p = softmax(scores, axis=1)
    for data in kinds(weighed).values():
        found = data.look(v, epsilon)
        assert found.mass == pytest.approx(a.sum(), rel=1e-6)
        assert found.value == pytest.approx(-epsilon * a @ logsumexp(scores, axis=1), rel=1e-5)
        assert found.columns == pytest.approx(a @ p, rel=1e-4, abs=1e-6 * N)
        assert found.second == pytest.approx((p.T * a) @ p, rel=1e-4, abs=1e-6 * N)


def test_the_plan_is_the_softmax_of_what_is_left_of_the_costs() -> None:
    v = np.array([0.4, -0.3, 0.0, 1.0, -np.inf])
    found = dense(COST).plan(v, 0.1)
    assert found.numpy() == pytest.approx(softmax((v - COST.astype(float)) / 0.1, axis=1), abs=1e-5)


@given(st.lists(st.floats(-60, 60), min_size=K, max_size=K), st.sampled_from([5.0, 0.5, 0.05]))
def test_what_is_formed_once_serves_all_potentials(v: list[float], epsilon: float) -> None:
    few = torch.from_numpy(COST[:300])
    data, to = Dense(few), np.array(v)
    data.look(np.zeros(K), epsilon)
    near, anew = data.look(0.1 * to, epsilon), data.look(to, epsilon)
    for found, potentials in ((near, 0.1 * to), (anew, to)):
        wanted = moments(few.double(), None, potentials, epsilon)
        assert found.columns == pytest.approx(wanted.columns, rel=1e-4, abs=1e-4)
        assert found.value == pytest.approx(wanted.value, rel=1e-5, abs=1e-3)


@pytest.mark.parametrize("kind", ["dense", "blocks", "dask"])
@pytest.mark.parametrize("count", [1, 100, 10**6])
def test_a_sample_is_spread_over_all_pixels(kind: str, count: int) -> None:
    data = kinds(True)[kind]
    found = data.sample(count)
    assert 1 <= len(found.cost) <= max(4 * count, 4)
    assert found.mass is not None and len(found.mass) == len(found.cost)
    if count == 100:
        near = problem(shares(0, K), 1.0)
        one, other = newton.solve(found, near).marginal, newton.solve(data, near).marginal
        assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("epsilon", [1.0, 0.05])
def test_potentials_are_the_same_however_pixels_come(epsilon: float) -> None:
    asked = problem(shares(2, K), epsilon)
    found = {
        name: newton.solve(d, asked, tolerance=1e-6).potentials for name, d in kinds(True).items()
    }
    assert found["blocks"] == pytest.approx(found["dense"], abs=1e-4)
    assert found["dask"] == pytest.approx(found["dense"], abs=1e-4)


def test_a_cluster_finds_what_threads_find() -> None:
    cost = dask.array.from_array(COST, chunks=(5000, K))
    asked = problem(shares(3, K), 0.2)
    here = newton.solve(Chunks(cost), asked)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        there = newton.solve(Chunks(cost), asked)
    assert there.passes == here.passes
    assert there.potentials == pytest.approx(here.potentials, abs=1e-9)
