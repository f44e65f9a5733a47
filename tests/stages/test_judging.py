"""A level stays where the calibration fold does not speak against it, and what is not solved is no answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dllr.errors import TransportError
from dllr.params.load import read_yaml
from dllr.params.pseudo_label import PseudoLabel
from dllr.stages import judging
from dllr.stages.judging import FEWEST, Judgement, converged, judged, sensitivity
from dllr.stages.population import Population
from dllr.transport.ledger import Truth
from dllr.transport.problem import Problem, Solution

DEFAULTS = Path(__file__).parents[2] / "params/defaults.yaml"
NAMES, TRUE = ["field", "wood", "road"], np.array([0.6, 0.3, 0.1])
SAMPLE, TILES, TILE = 3000, 6, 400


def population(bias: float = 2.0, sight: float = 2.5) -> Population:
    """A teacher that sees classes as they are, but for a bias towards the first one."""
    dice = np.random.default_rng(0)
    truth = dice.choice(3, SAMPLE + TILES * TILE, p=TRUE)
    scores = dice.normal((bias, 0.0, 0.0), size=(len(truth), 3))
    scores[np.arange(len(truth)), truth] += sight
    cost = (np.logaddexp.reduce(scores, axis=1, keepdims=True) - scores).astype(np.float32)
    place = pd.DataFrame({"scene": "a", "row": 0, "column": np.arange(SAMPLE)})
    fold = Truth(truth[SAMPLE:].astype(np.uint8), np.repeat(np.arange(TILES), TILE), 3)
    return Population(cost, cost, place, fold)


def settings(**changed: object) -> PseudoLabel:
    return PseudoLabel(**{**read_yaml(DEFAULTS)["pseudo_label"], "regions": 0.0, **changed})


def judge(shares: list[float], labelled: int, **changed: object) -> Judgement:
    asked = np.array(shares)
    return judged(population(), NAMES, asked, TRUE, 0.5, labelled, settings(**changed))


def test_shares_that_help_are_kept_and_shares_that_do_harm_are_left_out() -> None:
    good = judge(TRUE.tolist(), FEWEST)
    assert good.levels.shares
    assert good.evidence["shares"]["kept"] and good.evidence["shares"]["judged"]
    assert good.evidence["shares"]["gain"] > 0.1
    bad = judge([0.98, 0.01, 0.01], FEWEST, rho=None)
    assert not bad.levels.shares
    assert not bad.evidence["shares"]["kept"]
    assert bad.evidence["shares"]["probability"] < 0.1
    ours, surest = (
        bad.ledger[bad.ledger["rule"] == rule].reset_index(drop=True)["accuracy"]
        for rule in ("reassigned", "threshold")
    )
    assert ours.equals(surest)


@pytest.mark.parametrize(("labelled", "gate"), [(FEWEST - 1, 0.1), (FEWEST, 0.0)])
def test_nothing_is_left_out_where_there_are_few_tiles_or_no_gate(
    labelled: int, gate: float
) -> None:
    found = judge([0.98, 0.01, 0.01], labelled, rho=None, gate=gate)
    assert found.levels.shares
    assert found.evidence["shares"]["judged"] == (labelled >= FEWEST)


@pytest.mark.parametrize(("bias", "sight", "warns"), [(0.0, 4.0, False), (2.0, 2.5, True)])
def test_labels_that_hang_on_a_share_are_warned_of(
    bias: float, sight: float, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    people, asked = population(bias, sight), settings(rho=None)
    found = judged(people, NAMES, TRUE, TRUE, 0.5, FEWEST - 1, asked)
    answers = sensitivity(people, NAMES, TRUE, 0.5, found, asked)
    assert set(answers) == set(NAMES)
    changed = [answers[name][word] for name in NAMES for word in ("halved", "doubled")]
    assert all(share is not None and 0 < share < 0.5 for share in changed)
    assert warns == any("the labels hang on that share" in r.getMessage() for r in caplog.records)


def test_a_share_that_cannot_be_tried_costs_no_labels(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    people, asked = population(), settings(rho=None)
    found = judged(people, NAMES, TRUE, TRUE, 0.5, FEWEST - 1, asked)
    solve = judging.lift

    def fails(people: Population, shares: np.ndarray, *rest: Any) -> judging.Lift:
        if shares[2] > 0.15:
            raise TransportError("it did not converge")
        return solve(people, shares, *rest)

    monkeypatch.setattr(judging, "lift", fails)
    answers = sensitivity(people, NAMES, TRUE, 0.5, found, asked)
    assert answers["road"]["doubled"] is None
    assert "road doubled was not tried: it did not converge" in caplog.text
    others = [
        answers[n][w] for n in NAMES for w in ("halved", "doubled") if (n, w) != ("road", "doubled")
    ]
    assert None not in others and len(others) == 5


def test_what_is_not_solved_is_no_answer() -> None:
    problem = Problem(np.array([0.5, 0.5]), 1.0)
    found = Solution(problem, np.zeros(2), np.array([0.6, 0.4]), 0.2, 7, converged=False)
    with pytest.raises(TransportError, match=r"residual is 0\.2 after 7 passes; raise"):
        converged(found)


def test_a_round_that_is_not_solved_ends() -> None:
    with pytest.raises(TransportError, match="raise pseudo_label.max_passes"):
        judge([0.2, 0.4, 0.4], FEWEST, solver="pot", max_passes=10, epsilon=0.005, rho=None)
