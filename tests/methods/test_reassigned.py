"""Labels that are reassigned as pixels come, against the plan of all of them at once."""

import copy
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from dllr.methods import reassigned
from dllr.methods.reassigned import Reassigned, step
from dllr.transport.data import Dense
from dllr.transport.newton import solve
from dllr.transport.partial import Aim, partial, reassign, widened

N, K, SIDE = 4, 3, 32
EPSILON, COVERAGE = 0.05, 0.7
SHARES = np.array([0.2, 0.7, 0.1])
SEEN = torch.ones(N, SIDE, SIDE, dtype=torch.bool)


def aim(
    shares: NDArray[np.float64] | None = SHARES, coverage: float = COVERAGE, rho: float = math.inf
) -> Aim:
    return Aim(shares, coverage, EPSILON, rho, np.zeros(K + 1))


def batches(count: int, seed: int = 0) -> list[Tensor]:
    """A teacher that likes the first class."""
    dice = torch.Generator().manual_seed(seed)
    bias = torch.tensor([2.0, 0.0, 0.0])[:, None, None]
    return [
        (2 * torch.randn(N, K, SIDE, SIDE, generator=dice) + bias).softmax(1) for _ in range(count)
    ]


def rows(probability: Tensor) -> Tensor:
    return probability.movedim(1, -1).reshape(-1, K)


def thin(probability: Tensor) -> Tensor:
    by = step(SIDE)
    return rows(probability[..., by // 2 :: by, by // 2 :: by])


@pytest.mark.parametrize("rho", [math.inf, 2.0])
def test_labels_are_those_of_the_plan_of_all_pixels_seen(rho: float) -> None:
    found, seen = Reassigned(aim(rho=rho)), batches(6)
    for batch in seen:
        label, weight = found(batch, SEEN)
    cost = -torch.cat([thin(b) for b in seen]).log().numpy()
    plan = solve(Dense(torch.from_numpy(widened(cost))), partial(SHARES, COVERAGE, EPSILON, rho))
    moved = found.potentials.numpy() - plan.potentials
    np.testing.assert_allclose(moved, moved.mean(), atol=2e-3)
    wanted = reassign(-rows(seen[-1]).log().numpy(), found.potentials.numpy(), EPSILON)
    np.testing.assert_array_equal(label.flatten(), wanted.label)
    np.testing.assert_array_equal(weight.flatten() > 0.5, wanted.covered)


def test_classes_have_their_shares_and_pixels_their_coverage() -> None:
    found = Reassigned(aim())
    for batch in batches(20):
        found(batch, SEEN)
    labels, weights = zip(*(found(batch, SEEN) for batch in batches(20, seed=1)), strict=True)
    label, weight = torch.cat(labels), torch.cat(weights)
    assert weight.mean().item() == pytest.approx(COVERAGE, abs=0.03)
    shares = torch.bincount(label.flatten(), weight.flatten(), K) / weight.sum()
    np.testing.assert_allclose(shares, SHARES, atol=0.03)


@pytest.mark.parametrize("rho", [math.inf, 2.0])
def test_where_shares_do_not_decide_the_likeliest_classes_stay_and_the_surest_pixels(
    rho: float,
) -> None:
    found = Reassigned(aim(shares=None, rho=rho))
    for batch in batches(20):
        label, weight = found(batch, SEEN)
    best, likeliest = batch.max(1)
    assert torch.equal(label, likeliest)
    kept = weight > 0.5
    assert kept.float().mean().item() == pytest.approx(COVERAGE, abs=0.05)
    assert best[kept].min() > best[~kept].max()


def test_a_class_without_share_gets_no_pixel_and_all_are_labelled_where_all_shall_be() -> None:
    found = Reassigned(aim(np.array([0.0, 0.5, 0.5]), coverage=1.0))
    label, weight = found(batches(1)[0], SEEN)
    assert set(label.unique().tolist()) == {1, 2}
    assert (weight == 1).all()


@pytest.mark.parametrize("shares", [None, np.array([0.0, 0.7, 0.3])])
def test_a_class_that_the_round_barred_stays_barred(shares: NDArray[np.float64] | None) -> None:
    barred = np.array([-np.inf, 0.0, 0.0, -0.5])
    found = Reassigned(aim(shares)._replace(potentials=barred))
    for batch in batches(4):
        label, weight = found(batch, SEEN)
    assert (batch.argmax(1) == 0).float().mean() > 0.5
    assert (label != 0).all()
    assert torch.isfinite(weight).all()
    assert (weight > 0.5).float().mean() == pytest.approx(COVERAGE, abs=0.1)


def test_potentials_far_from_where_they_should_be_come_near() -> None:
    """A teacher that is sure of nothing: at these potentials all pixels are without a label."""
    found = Reassigned(aim())
    unsure = [(batch.log() / 20).softmax(1) for batch in batches(4)]
    for batch in unsure:
        _, weight = found(batch, SEEN)
    assert weight.mean() > COVERAGE / 2  # at those it is 0
    cost = -torch.cat([thin(b) for b in unsure]).log().numpy()
    plan = solve(Dense(torch.from_numpy(widened(cost))), partial(SHARES, COVERAGE, EPSILON, np.inf))
    moved = found.potentials.numpy() - plan.potentials
    np.testing.assert_allclose(moved, moved.mean(), atol=2e-3)


def test_pixels_without_data_have_no_say() -> None:
    one, other = Reassigned(aim()), Reassigned(aim())
    (batch,) = batches(1)
    blind = SEEN.clone()
    blind[2:] = False
    spoilt = batch.clone()
    spoilt[2:] = torch.tensor([0.0, 0.0, 1.0])[:, None, None]
    one(batch, blind), other(spoilt, blind)
    assert torch.equal(one.potentials, other.potentials)
    empty = Reassigned(aim())
    empty(batch, torch.zeros_like(SEEN))  # nothing to solve on: the round's potentials stay
    assert not empty.potentials.any()


def test_the_oldest_pixels_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reassigned, "PIXELS", 3 * N * (SIDE // step(SIDE)) ** 2)
    old, new = Reassigned(aim()), Reassigned(aim())
    for batch in batches(5, seed=7):
        old(batch, SEEN)
    for batch in batches(3):
        old(batch, SEEN), new(batch, SEEN)
    difference = (old.potentials - new.potentials).numpy()
    np.testing.assert_allclose(difference, difference.mean(), atol=2e-3)


@pytest.mark.parametrize("side", [32, 128, 256, 512, 1024])
def test_windows_of_any_side_leave_as_many_in_memory(side: int) -> None:
    found, windows = Reassigned(aim()), 2
    found(
        torch.full((windows, K, side, side), 1 / K),
        torch.ones(windows, side, side, dtype=torch.bool),
    )
    assert int(found.seen) == windows * reassigned.PIXELS // 256


def test_it_goes_on_from_a_checkpoint_as_if_nothing_had_been() -> None:
    first, second = batches(2)
    found = Reassigned(aim())
    found(first, SEEN)
    kept = copy.deepcopy(found.state_dict())
    wanted = found(second, SEEN)
    again = Reassigned(aim())
    again.load_state_dict(kept)
    for value, expected in zip(again(second, SEEN), wanted, strict=True):
        assert torch.equal(value, expected)
