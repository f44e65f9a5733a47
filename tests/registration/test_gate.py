"""Known transforms are found, two kinds of evidence are needed, and where there is nothing it says so."""

import numpy as np
import pytest

from dllr.registration import ESTIMATORS, make
from dllr.registration.equivariance import MovedPair, equivariance
from dllr.registration.estimate import as_good, factors
from dllr.registration.gate import Verdict, implausible, register
from dllr.registration.given import Given
from dllr.registration.pair import ArrayPair, Pair
from dllr.registration.search import NoEvidenceError, Reach
from dllr.registration.transform import Matrix, distance, similarity

from .patchwork import SIDE, pair

SIZE = (SIDE, SIDE)
REACH = Reach(10, 1, 0.01)


def decide(images: Pair, reach: Reach = REACH, agreement: float = 2.0) -> Verdict:
    both = {name: make(name) for name in ("information", "gradients")}
    return register(images, both, reach, agreement, 0.1)


TRUTHS = [
    similarity(SIZE),
    similarity(SIZE, (4.5, -3.25)),
    similarity(SIZE, (-7.5, 2.0), 0.6, 1.006),
]


@pytest.mark.parametrize("truth", TRUTHS)
def test_known_transforms_are_found_to_half_a_pixel(truth: Matrix) -> None:
    verdict = decide(pair(truth))
    assert verdict.word == "applied", verdict.reason
    assert verdict.matrix is not None
    assert distance(verdict.matrix, truth, SIZE) < 0.5
    assert verdict.apart < 1
    for e in verdict.estimates.values():
        assert e.precision < 1 and e.evidence > 5 and e.coverage == 1
        assert np.median(np.abs(e.ties.found - (e.ties.at @ truth[:2, :2].T + truth[:2, 2]))) < 1


def test_the_same_images_give_the_same_numbers() -> None:
    first, again = (decide(pair(TRUTHS[1])) for _ in range(2))
    assert first.matrix is not None and again.matrix is not None
    assert np.array_equal(first.matrix, again.matrix)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_contract_of_an_estimator(name: str) -> None:
    truth = similarity(SIZE, (3.0, -2.0))
    images = pair(truth)
    before = images.fixed.copy(), images.moving.copy()
    found = make(name).find(images, REACH)
    assert distance(found.matrix, truth, SIZE) < 1.5
    led = make(name).near(images, similarity(SIZE, (2.0, -1.0)))
    assert distance(led.matrix, truth, SIZE) < 1.5
    assert 0 <= found.coverage <= 1 and found.ties.at.shape == found.ties.found.shape
    assert all(
        np.array_equal(a, b) for a, b in zip(before, (images.fixed, images.moving), strict=True)
    )
    flat = ArrayPair(np.zeros_like(images.fixed), np.zeros_like(images.moving), True)
    with pytest.raises(NoEvidenceError):
        make(name).find(flat, REACH)


def spoiled(what: str) -> ArrayPair:
    images = pair(similarity(SIZE, (3.0, 0.0)))
    fixed, moving = images.fixed.copy(), images.moving.copy()
    if what == "no data":
        fixed[:] = np.nan
    if what == "no SAR":
        moving[:] = np.nan
    if what == "constant":
        moving[:] = -12
    if what == "a corner":
        moving[:, :, 40:] = np.nan
    if what == "noise":
        moving = np.random.default_rng(1).normal(-12, 3, moving.shape).astype(np.float32)
    if what == "water":
        fixed[:] = 0.03 + 0.001 * np.random.default_rng(2).normal(size=fixed.shape)
        moving = np.random.default_rng(1).normal(-22, 3, moving.shape).astype(np.float32)
    if what == "apart":
        fixed[:, :, : SIDE // 2], moving[:, :, SIDE // 2 :] = np.nan, np.nan
    if what == "small":
        fixed, moving = fixed[:, :64, :64], moving[:, :64, :64]
    return ArrayPair(fixed, moving, True)


@pytest.mark.parametrize(
    "what", ["no data", "no SAR", "constant", "a corner", "noise", "water", "apart", "small"]
)
def test_where_there_is_nothing_to_go_by_the_georeferencing_stays(what: str) -> None:
    with np.errstate(all="raise", under="ignore"):
        verdict = decide(spoiled(what))
    assert verdict.word == "unverified"
    assert verdict.matrix is None and verdict.reason


@pytest.mark.parametrize("shape", [(300, 200), (130, 500)])
def test_sides_may_differ_and_the_sar_image_may_be_smaller(shape: tuple[int, int]) -> None:
    images = pair(np.eye(3), side=512)
    part = ArrayPair(
        images.fixed[:, : shape[0], : shape[1]],
        np.array(images.moving[:, : shape[0] - 9, : shape[1] - 14]),
        True,
    )
    verdict = decide(part)
    assert verdict.word == "applied", verdict.reason
    assert verdict.matrix is not None and distance(verdict.matrix, np.eye(3), shape) < 0.6


def test_two_that_find_different_things_are_not_believed() -> None:
    images = pair(similarity(SIZE, (4.0, 0.0)))
    estimators = {"given": Given(similarity(SIZE, (-4.0, 0.0))), "gradients": make("gradients")}
    verdict = register(images, estimators, REACH, 2.0, 0.1)
    assert verdict.word == "unverified" and "apart; less than 2 px" in verdict.reason
    assert verdict.matrix is None and set(verdict.estimates) == {"given", "gradients"}
    right = estimators | {"given": Given(similarity(SIZE, (4.3, 0.0)))}
    assert register(images, right, REACH, 2.0, 0.1).word == "applied"


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        (similarity(SIZE, (30, 0)), "shift 30 px exceeds 10"),
        (similarity(SIZE, rotation=3), "rotation 3 degrees exceeds 1"),
        (similarity(SIZE, scale=1.05), "scale 0.05 exceeds 0.01"),
        (np.full((3, 3), 1e9), "exceeds"),
        (similarity(SIZE, (3, 4), 0.5, 1.005), None),
    ],
)
def test_what_is_not_plausible_is_said(matrix: Matrix, reason: str | None) -> None:
    found = implausible(matrix, pair(np.eye(3)), REACH)
    assert found is None if reason is None else found is not None and reason in found


def test_as_good_is_judged_block_by_block() -> None:
    found = make("gradients").find(pair(similarity(SIZE, (2.0, 1.0))), REACH)
    assert as_good(found, found, 0)
    worse = make("gradients").near(pair(similarity(SIZE, (2.0, 1.0)), seed=5), np.eye(3))
    off = type(found)(
        worse.matrix, worse.ties, 0, 1, 0, {at: score - 0.1 for at, score in found.scores.items()}
    )
    assert not as_good(off, found, 2)
    assert not as_good(type(found)(worse.matrix, worse.ties, 0, 1, 0, {}), found, 2)


def test_an_estimate_follows_a_known_transform() -> None:
    images = pair(similarity(SIZE, (2.0, 1.0), 0.2))
    first, trials = equivariance(images, decide, Reach(3, 0.2, 0.002), 2, np.random.default_rng(0))
    assert first.word == "applied" and len(trials) == 2
    assert all(trial.error is not None and trial.error < 0.3 for trial in trials)
    known = similarity(SIZE, (1.5, -2.0), 0.3)
    views = MovedPair(images, known).views(1, known, [(0, 0, SIDE, SIDE)])  # type: ignore[list-item]
    plain = images.views(1, np.eye(3), [(0, 0, SIDE, SIDE)])  # type: ignore[list-item]
    assert views.moving[0, 9:-9, 9:-9] == pytest.approx(plain.moving[0, 9:-9, 9:-9], abs=1e-3)
    assert equivariance(spoiled("constant"), decide, REACH, 3, np.random.default_rng(0))[1] == []


def test_thinning_ends_at_full_size() -> None:
    assert factors((1024, 1024)) == [4, 2, 1]
    assert factors((3704, 5556)) == [16, 8, 4, 1]
    assert factors((10_000, 10_000)) == [32, 16, 8, 2, 1]
    assert factors((100, 200)) == [1]
