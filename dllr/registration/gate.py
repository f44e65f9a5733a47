"""When a transform is believed: two kinds of evidence, each on its own, must find the same."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dllr.registration.estimate import Estimate, Estimator, as_good
from dllr.registration.pair import Pair
from dllr.registration.search import NoEvidenceError, Reach
from dllr.registration.transform import Matrix, distance, rotation, shift, stretch

EVIDENCE = 3.0  # standard errors that an estimate's blocks must gain by it
ERRORS = 2.0  # standard errors within which two transforms are as good as each other


@dataclass(frozen=True)
class Verdict:
    """`applied`, `unverified` (the georeferencing is kept) or `none` (nothing was estimated), and why.

    Attributes:
        matrix: 3×3 to apply, from pixels of the fixed to those of the moving image; None = nothing.
        estimates: of each kind of evidence; where they agreed only once one was led to the other's
            place, those of that place.
        apart: px, the farthest that two estimates put a corner or the centre apart; NaN without two.
    """

    word: str
    reason: str
    matrix: Matrix | None = None
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    apart: float = math.nan


def register(
    pair: Pair, estimators: Mapping[str, Estimator], reach: Reach, agreement: float, coverage: float
) -> Verdict:
    """Estimate by each kind of evidence and believe them where all agree.

    If they do not, each is started from the others' transforms once more: streets and fields repeat, and
    one kind of evidence may not tell one row from the next. It agrees after all if it finds, where the
    other sends it, a transform that its own blocks take for as good.

    Args:
        reach: how far estimates may go; beyond they are not plausible.
        agreement: px, less than this any two estimates must lie apart at corners and centre.
        coverage: share of the scene's blocks that must be known in both images.
    """
    found: dict[str, Estimate] = {}
    for name, estimator in estimators.items():
        try:
            found[name] = estimator.find(pair, reach)
        except NoEvidenceError as error:
            return Verdict("unverified", f"{name}: {error}")
    seen = min(e.coverage for e in found.values())
    if seen < coverage:
        reason = f"{seen:.0%} of the scene's blocks are known in both images; {coverage:.0%} are asked for"
        return Verdict("unverified", reason, None, found)
    apart = spread = farthest(found, pair)
    if apart >= agreement:
        for leader in estimators:
            led = _led(pair, estimators, found, leader)
            if led and (apart := farthest(led, pair)) < agreement:
                found = led
                break
        else:
            return Verdict("unverified", _disagreement(spread, agreement), None, found, spread)
    matrix = np.mean([e.matrix for e in found.values()], axis=0)
    for name, e in found.items():
        if e.evidence < EVIDENCE:
            reason = f"{name}: what it finds does not stand out ({e.evidence:.1f} standard errors)"
            return Verdict("unverified", reason, None, found, apart)
    if cannot := implausible(matrix, pair, reach):
        return Verdict("unverified", cannot, None, found, apart)
    return Verdict(
        "applied", f"{' and '.join(found)} agree to {apart:.2f} px", matrix, found, apart
    )


def implausible(matrix: Matrix, pair: Pair, reach: Reach) -> str | None:
    """Why a transform cannot be, or None."""
    for name, value, limit, unit in (
        ("shift", shift(matrix, pair.size), reach.shift, " px"),
        ("rotation", abs(rotation(matrix)), reach.rotation, " degrees"),
        ("scale", stretch(matrix), reach.scale, ""),
    ):
        if not value <= limit:
            return f"{name} {value:.3g}{unit} exceeds {limit:g}"
    return None


def farthest(found: Mapping[str, Estimate], pair: Pair) -> float:
    """px, the farthest that any two estimates put a corner or the centre apart."""
    matrices = [e.matrix for e in found.values()]
    return max(
        (distance(a, b, pair.size) for n, a in enumerate(matrices) for b in matrices[:n]),
        default=math.nan,
    )


def _led(
    pair: Pair, estimators: Mapping[str, Estimator], found: Mapping[str, Estimate], leader: str
) -> dict[str, Estimate] | None:
    """All estimates at the leader's place, if their own evidence is as good there."""
    led = {leader: found[leader]}
    for name, estimator in estimators.items():
        if name == leader:
            continue
        try:
            there = estimator.near(pair, found[leader].matrix)
        except NoEvidenceError:
            return None
        if not as_good(there, found[name], ERRORS):
            return None
        led[name] = there
    return led


def _disagreement(apart: float, agreement: float) -> str:
    return f"estimates lie {apart:.1f} px apart; less than {agreement:g} px is asked for"
