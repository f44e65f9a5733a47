"""Which levels of reassignment a round keeps, and the ledger that compares them with what others do."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from dllr.errors import TransportError
from dllr.params.pseudo_label import PseudoLabel
from dllr.raster.grid import IGNORE
from dllr.stages.population import Levels, Population
from dllr.transport import solve
from dllr.transport.data import Dense
from dllr.transport.ledger import CALIBRATION, EVERY, REASSIGNED, Gain, Labels, entries
from dllr.transport.partial import partial, reassign, surest, widened
from dllr.transport.problem import Solution
from dllr.transport.rivals import RULES, Ranked

log = logging.getLogger(__name__)

STEEP = 4.0  # labels that change for each that must, from which on the user is warned
FEWEST = 12  # labelled windows below which a fold tells nothing, and every level stands


class Judgement(NamedTuple):
    """levels: those kept. potentials: (K + 1,) of the sample, for these. evidence: by level, whether it
    was kept, its gain on the fold and how probable that is. ledger, sample: tables of the outputs."""

    levels: Levels
    potentials: NDArray[np.float64]
    evidence: dict[str, dict[str, Any]]
    ledger: pd.DataFrame
    sample: pd.DataFrame


class Lift(NamedTuple):
    """Potentials (K + 1,) on the sample; how far the shares are from optimal ones with them, and the passes
    that they took: None where sureness alone decides."""

    potentials: NDArray[np.float64]
    residual: float | None = None
    passes: int | None = None


def judged(
    population: Population,
    names: Sequence[str],
    shares: NDArray[np.float64],
    seen: NDArray[np.float64],
    coverage: float,
    labelled: int,
    settings: PseudoLabel,
) -> Judgement:
    """Try the levels on the fold, one after the other, and fill the ledger.

    shares: (K,) that our labels are made to; seen: those of the labelled pixels, for the rules of others.
    Of fewer than FEWEST labelled windows nothing is asked: all levels of the settings stand.
    """
    count = len(population.place)
    probability, wanted = torch.from_numpy(np.exp(-population.raw)), torch.from_numpy(seen)
    rules = {
        name: _covered(rule(probability, wanted.float()), count, coverage)
        for name, rule in RULES.items()
    }

    def tried(levels: Levels) -> tuple[Labels, Lift]:
        found = lift(population, shares, coverage, levels, settings)
        done = reassign(population.cost(levels), found.potentials, settings.epsilon)
        label, rank = (torch.from_numpy(values) for values in (done.label, done.rank))
        return _covered(Ranked(label, rank), count, coverage), found

    levels, kept = Levels(0.0, shares=False), list[str]()
    (here, used), evidence = tried(levels), dict[str, dict[str, Any]]()
    lifts = dict[str, Lift]()
    for name in ("shares", "regions"):
        if not getattr(settings, name):
            continue
        candidate = (
            levels._replace(shares=True)
            if name == "shares"
            else levels._replace(regions=settings.regions)
        )
        word = " + ".join([*kept, name])
        there, lifts[word] = tried(candidate)
        rules[word] = there
        gain = population.truth.gain(there[count:], here[count:])
        judge = gain if labelled >= FEWEST else None
        holds = judge is None or judge.probability >= settings.gate
        evidence[name] = {"kept": holds, "judged": judge is not None, **_digits(gain)}
        if holds:
            levels, here, used = candidate, there, lifts[word]
            kept.append(name)
    rules[REASSIGNED], lifts[REASSIGNED] = here, used
    ledger = entries(
        population.truth, {n: x[count:] for n, x in rules.items()}, names, set=CALIBRATION
    )
    likeliest = population.raw[:count].argmin(axis=1)
    moves = [
        row
        for n, x in rules.items()
        for row in _moves(n, x[:count], likeliest, names, lifts.get(n))
    ]
    table = pd.DataFrame(ledger).merge(pd.DataFrame(moves), "left", ["rule", "class"])
    sample = population.place.assign(**{n: x[:count] for n, x in rules.items()})
    return Judgement(levels, used.potentials, evidence, table, sample)


def _moves(
    rule: str,
    labels: Labels,
    likeliest: NDArray[np.int64],
    names: Sequence[str],
    lift: Lift | None,
) -> list[dict[str, Any]]:
    """What a rule does to the sample (S,), a row for all classes and one a class: `before`, the share of
    the teacher's likeliest classes, `after`, of the labels, `flipped`, the share of the labels that are not
    the likeliest; and of a level its potential, or how well and in how many passes these were found."""
    known = labels != IGNORE
    said, changed = labels[known], labels[known] != likeliest[known]
    classes = len(names)
    before = np.bincount(likeliest, minlength=classes) / max(1, len(likeliest))
    count = np.bincount(said, minlength=classes)
    flips = np.bincount(said[changed], minlength=classes) / np.maximum(1, count)
    after = count / max(1, len(said))
    whole = {"before": 1.0, "after": 1.0, "flipped": float(changed.mean()) if len(said) else 0.0}
    rows: list[dict[str, Any]] = [{"class": EVERY, **whole}]
    rows += [
        {"class": name, "before": float(b), "after": float(a), "flipped": float(f)}
        for name, b, a, f in zip(names, before, after, flips, strict=True)
    ]
    if lift:
        rows[0] |= {"residual": lift.residual, "passes": lift.passes}
        for row, potential in zip(rows[1:], lift.potentials.tolist(), strict=False):
            row["potential"] = potential
    return [{"rule": rule, **row} for row in rows]


def _digits(gain: Gain | None) -> dict[str, float | None]:
    if gain is None:
        return dict.fromkeys(Gain._fields)
    return {name: round(value, 6) for name, value in gain._asdict().items()}


def lift(
    population: Population,
    shares: NDArray[np.float64],
    coverage: float,
    levels: Levels,
    settings: PseudoLabel,
) -> Lift:
    """The potentials on the sample.

    Raises:
        TransportError: the solver did not find them.
    """
    cost = population.sample(levels)
    if not levels.shares:
        return Lift(surest(cost, coverage, shares > 0))
    problem = partial(shares, coverage, settings.epsilon, settings.price)
    data = Dense(torch.from_numpy(widened(cost)))
    solution = converged(
        solve(settings.solver, data, problem, tolerance=1e-4, max_passes=settings.max_passes)
    )
    return Lift(solution.potentials, float(f"{solution.residual:.3g}"), solution.passes)


def sensitivity(
    population: Population,
    names: Sequence[str],
    shares: NDArray[np.float64],
    coverage: float,
    found: Judgement,
    settings: PseudoLabel,
) -> dict[str, dict[str, float | None]]:
    """Share of the sample whose label changes when the share of one class is halved or doubled, by class,
    None where the solver does not find it; empty where shares do not decide."""
    answers: dict[str, dict[str, float | None]] = {}
    if not found.levels.shares:
        return answers
    cost = population.sample(found.levels)

    def labels(wanted: NDArray[np.float64]) -> Labels:
        there = lift(population, wanted, coverage, found.levels, settings)
        done = reassign(cost, there.potentials, settings.epsilon)
        return np.where(done.covered, done.label, IGNORE).astype(np.uint8)

    usual = labels(shares)
    for k in np.flatnonzero(shares).tolist():
        answers[names[k]] = {}
        for word, factor in (("halved", 0.5), ("doubled", 2.0)):
            other = shares * np.where(np.arange(len(shares)) == k, factor, 1)
            other /= other.sum()
            try:
                changed = float((labels(other) != usual).mean())
            except TransportError as error:
                log.warning(
                    "pseudo_label: the share of %s %s was not tried: %s", names[k], word, error
                )
                answers[names[k]][word] = None
                continue
            answers[names[k]][word] = round(changed, 6)
            # As many labels as mass that is to move may well change, and coverage moves with it.
            if changed > STEEP * (moved := coverage * np.abs(other - shares).sum() / 2):
                log.warning(
                    "pseudo_label: with the share of %s %s %.1f %% of the labels change, where %.1f %% of "
                    "the mass is to move: the labels hang on that share; label more tiles, or lower "
                    "pseudo_label.coverage",
                    names[k], word, 100 * changed, 100 * moved,
                )  # fmt: skip
    return answers


def converged(solution: Solution) -> Solution:
    """The solution itself, where it is one.

    Raises:
        TransportError: it is none.
    """
    if not solution.converged:
        raise TransportError(
            f"the solver's residual is {solution.residual:.2g} after {solution.passes} passes; raise "
            "pseudo_label.max_passes, pseudo_label.tolerance or pseudo_label.epsilon"
        )
    return solution


def _covered(ranked: Ranked, sample: int, coverage: float) -> Labels:
    """The labels of the highest ranks: their share of the first `sample` pixels is the coverage; chance
    decides among equals."""
    rank, chance = ranked.rank.numpy(), np.random.default_rng(0).random(len(ranked.rank))
    place = np.empty(len(rank))
    place[np.lexsort((chance, rank))] = np.arange(len(rank))
    least = np.sort(place[:sample])[min(sample - 1, round((1 - coverage) * sample))]
    label: Labels = np.where(place >= least, ranked.label.numpy(), IGNORE).astype(np.uint8)
    return label
