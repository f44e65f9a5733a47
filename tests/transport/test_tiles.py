"""Many small problems at once are what each is alone; EM finds the shares that a tile was drawn with."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dllr.errors import TransportError
from dllr.transport import newton
from dllr.transport.data import Dense
from dllr.transport.problem import Problem
from dllr.transport.tiles import expected_shares, solve_tiles

from .problems import costs


def drawn(seed: int, tiles: int, pixels: int, classes: int) -> tuple[torch.Tensor, ...]:
    rng = np.random.default_rng(seed)
    cost = torch.from_numpy(costs(seed, tiles * pixels, classes)).view(tiles, pixels, classes)
    mass = torch.from_numpy(rng.random((tiles, pixels), np.float32))
    shares = torch.from_numpy(rng.dirichlet(np.ones(classes), tiles).astype(np.float32))
    return cost, mass, shares


@given(
    st.integers(0, 2**31), st.integers(1, 6), st.integers(5, 60), st.integers(2, 8),
    st.sampled_from([0.1, 1.0]), st.sampled_from([0.3, 3.0]),
)  # fmt: skip
def test_each_tile_has_the_potentials_it_has_alone(
    seed: int, tiles: int, pixels: int, classes: int, epsilon: float, rho: float
) -> None:
    cost, mass, shares = drawn(seed, tiles, pixels, classes)
    found = solve_tiles(cost, mass, shares, epsilon=epsilon, rho=rho)
    assert found.converged.all()
    for t in range(tiles):
        b = shares[t].double().numpy()
        alone = newton.solve(
            Dense(cost[t], mass[t]), Problem(b / b.sum(), epsilon, "relaxed", rho), tolerance=1e-5
        )
        plans = [
            ((torch.as_tensor(v, dtype=torch.float32) - cost[t]) / epsilon).softmax(1)
            for v in (found.potentials[t], alone.potentials)
        ]
        assert torch.allclose(*plans, atol=2e-3)


def test_a_class_that_a_tile_does_not_have_receives_nothing_there() -> None:
    cost, mass, shares = drawn(1, 3, 50, 4)
    shares[1, 2] = 0
    shares[1] /= shares[1].sum()
    found = solve_tiles(cost, mass, shares, epsilon=1.0, rho=1.0)
    assert found.converged.all()
    assert torch.isinf(found.potentials).nonzero().tolist() == [[1, 2]]
    without = [0, 1, 3]
    alone = solve_tiles(
        cost[1:2, :, without], mass[1:2], shares[1:2, without], epsilon=1.0, rho=1.0
    )
    assert torch.allclose(found.potentials[1, without], alone.potentials[0], atol=1e-3)


def test_tiles_without_data_are_left_alone() -> None:
    cost, mass, shares = drawn(2, 2, 20, 3)
    mass[0] = 0
    found = solve_tiles(cost, mass, shares, epsilon=0.5, rho=1.0)
    assert found.converged.all()
    assert found.residual[0] == 0
    reference = torch.tensor([0.5, 0.3, 0.2])
    learnt = expected_shares(cost, mass, reference, steps=5, trust=0.95, floor=1e-4)
    assert torch.equal(learnt[0], reference)


def test_em_finds_the_prior_that_the_pixels_were_drawn_with() -> None:
    rng = np.random.default_rng(0)
    means = 3 * np.eye(3)
    reference = np.array([0.6, 0.3, 0.1])
    truths = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.0, 1.0, 0.0]])
    tiles = []
    for truth in truths:
        x = means[rng.choice(3, 6000, p=truth)] + rng.normal(size=(6000, 3))
        scores = -0.5 * ((x[:, None] - means) ** 2).sum(-1) + np.log(reference)
        tiles.append(np.logaddexp.reduce(scores, axis=1, keepdims=True) - scores)
    cost = torch.from_numpy(np.array(tiles, np.float32))
    found = expected_shares(
        cost, torch.ones(3, 6000), torch.from_numpy(reference.astype(np.float32)), steps=60,
        trust=1.0, floor=0.0,
    )  # fmt: skip
    assert found.numpy() == pytest.approx(truths, abs=0.03)
    still = expected_shares(
        cost, torch.ones(3, 6000), torch.tensor(reference), steps=5, trust=0.0, floor=0.0
    )
    assert still.numpy() == pytest.approx(np.tile(reference, (3, 1)), abs=1e-6)


def test_shares_keep_their_floor_and_closed_classes_stay_closed() -> None:
    cost, mass, _ = drawn(3, 4, 40, 4)
    found = expected_shares(
        cost, mass, torch.tensor([0.5, 0.5, 0.0, 0.0]), steps=9, trust=0.95, floor=0.01
    )
    assert torch.allclose(found.sum(1), torch.ones(4))
    assert (found[:, 2:] == 0).all()
    assert (found[:, :2] > 0.009).all()


@pytest.mark.parametrize(
    ("change", "word"),
    [({"mass": torch.ones(2, 3)}, "expected"), ({"epsilon": 0.0}, "must be > 0")],
)
def test_what_is_no_problem_is_refused(change: dict[str, object], word: str) -> None:
    cost, mass, shares = drawn(4, 2, 5, 3)
    given = {"cost": cost, "mass": mass, "shares": shares, "epsilon": 1.0, "rho": 1.0} | change
    with pytest.raises(TransportError, match=word):
        solve_tiles(**given)  # type: ignore[arg-type]
