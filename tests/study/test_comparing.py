"""Who is compared with whom, and at what."""

import json

import numpy as np
import pandas as pd
import pytest

from dllr.study.comparing import Contest, contest, titled
from dllr.study.description import Study
from dllr.study.results import Tallies, plain

SEEDS = {"train.seed": [0, 1, 2]}
METHODS = {"train_round.method": ["fixmatch", "dllr"], "split.labelled_tiles": [32, 8]}
LABELS_ALONE = {"train_round.method": ["supervised"], "split.labelled_tiles": [32, 8]}
CEILING = {"train_round.method": ["supervised"], "split.labelled_tiles": [None]}
GAIN = {"supervised": -0.01, "fixmatch": 0.0, "dllr": 0.04}


def study(**more: object) -> Study:
    described = {
        "set": "demo",
        "values": [METHODS, LABELS_ALONE, CEILING],
        "seeds": SEEDS,
        "compare": {"parameter": "train_round.method", "reference": "dllr"},
    }
    return Study.model_validate(described | more)


def table(described: Study) -> pd.DataFrame:
    rows = []
    for place, cell in enumerate(described.combinations()):
        texts = {k: "null" if v is None else json.dumps(v).strip('"') for k, v in cell.items()}
        budget = cell["split.labelled_tiles"] or 100
        score = 0.3 + 0.001 * budget + 0.05 * cell["train.seed"] + GAIN[cell["train_round.method"]]
        facts = {"cell": f"c{place}", "round": 1, "miou": score}
        rows.append({**facts, **texts, "head": "fused", "selected": True})
        rows.append({**facts, **texts, "head": "sar", "selected": True, "miou": 0.0})
        rows.append({**facts, **texts, "head": "fused", "selected": False, "miou": 0.0, "round": 0})
    return pd.DataFrame(rows)


def compared(described: Study) -> Contest:
    found = contest(described, table(described))
    assert found is not None
    return found


def counts(found: Contest) -> dict[str, Tallies]:
    """Of every cell two scenes, which say no more than that they are there."""
    counts = np.array([[[4, 1], [6, 4], [7, 3]]] * 2)
    return {cell: Tallies(("a", "b"), counts) for cell in found.frame["cell"]}


def test_differences_are_taken_at_equal_budget_and_seed() -> None:
    found = compared(study())
    apart = found.differences(counts(found))
    assert [(d.setting, d.contestant) for d in apart] == [
        (("8",), "fixmatch"), (("8",), "supervised"), (("32",), "fixmatch"), (("32",), "supervised"),
    ]  # fmt: skip
    for d in apart:
        gain = 0.04 - GAIN[d.contestant]
        assert d.each == pytest.approx([gain] * 3)
        assert d.over_seeds == pytest.approx((gain, gain))
        assert d.over_scenes == (0, 0)
        assert d.won == 3


def test_scenes_are_drawn_only_where_both_were_tested_on_the_same() -> None:
    found = compared(study())
    seen = counts(found)
    assert all(d.over_scenes for d in found.differences(seen))
    chosen = found.frame[found.frame["contestant"] == "fixmatch"]["cell"].iloc[0]
    seen[chosen] = Tallies(("a", "c"), seen[chosen].counts)
    apart = [d for d in found.differences(seen) if d.over_scenes is None]
    assert [d.contestant for d in apart] == ["fixmatch"]
    assert apart[0].over_seeds is not None


def test_a_cell_that_is_missing_leaves_out_its_pair() -> None:
    described = study()
    rows = table(described)
    gone = (rows["train_round.method"] == "dllr") & (rows["split.labelled_tiles"] == "8")
    rows = rows[~(gone & (rows["train.seed"] != "1"))]
    found = contest(described, rows)
    assert found is not None
    assert [len(d.each) for d in found.differences(counts(found))] == [1, 1, 3, 3]


def test_there_is_no_contest_without_the_reference() -> None:
    described = study()
    rows = table(described)
    assert contest(described, rows[rows["train_round.method"] != "dllr"]) is None
    assert contest(study(compare=None), rows) is None


def test_curves_go_by_budget_and_all_labels_stand_apart() -> None:
    curves = compared(study()).curves()
    assert list(curves) == ["fixmatch", "dllr", "supervised"]
    assert list(curves["dllr"]) == [8.0, 32.0]
    assert list(curves["supervised"]) == [8.0, 32.0, None]
    assert curves["dllr"][8.0].tolist() == pytest.approx([0.348, 0.398, 0.448])


def test_curves_compare_at_the_same_seeds() -> None:
    """In a study that is not finished one has more cells than another."""
    described = study()
    rows = table(described)
    gone = (rows["train_round.method"] == "dllr") & (rows["split.labelled_tiles"] == "8")
    rows = rows[~(gone & (rows["train.seed"] == rows["train.seed"].iloc[0]))]
    found = contest(described, rows)
    assert found is not None
    curves = found.curves()
    seeds = len(SEEDS["train.seed"])
    assert {name: len(by[8.0]) for name, by in curves.items()} == dict.fromkeys(curves, seeds - 1)
    assert {name: len(by[32.0]) for name, by in curves.items()} == dict.fromkeys(curves, seeds)


def test_who_lacks_a_seed_is_left_out_of_the_curve_and_shortens_no_other() -> None:
    described = study()
    rows = table(described)
    few = (rows["train_round.method"] == "fixmatch") & (rows["split.labelled_tiles"] == "8")
    found = contest(described, rows[~(few & (rows["train.seed"] == "1"))])
    assert found is not None
    curves = found.curves()
    assert list(curves["fixmatch"]) == [32.0]
    assert {len(curves[name][8.0]) for name in ("dllr", "supervised")} == {3}


def test_places_are_of_those_who_were_run_everywhere() -> None:
    """The ceiling has no rivals."""
    places = compared(study()).places()
    assert places == {"dllr": (1.0, 6, 6), "fixmatch": (2.0, 0, 6), "supervised": (3.0, 0, 6)}
    assert list(places) == ["dllr", "fixmatch", "supervised"]
    alone = compared(study(values=[METHODS, CEILING]))
    assert alone.places() == {"dllr": (1.0, 6, 6), "fixmatch": (2.0, 0, 6)}


def test_numbers_and_sections_are_found_however_they_are_written() -> None:
    whole = {"masking": "asymmetric", "cross": True}
    turned = dict(reversed(whole.items()))
    described = study(
        values={"train_round.dllr": [whole, whole | {"cross": False}], "x.y": [0, 0.5]},
        compare={"parameter": "train_round.dllr", "reference": turned},
    )
    rows = pd.DataFrame(
        [
            {"cell": str(n), **{k: plain(v) for k, v in cell.items()}, "head": "fused", "selected": True,
             "miou": 0.1 * n, "round": 1}
            for n, cell in enumerate(described.combinations())
        ]
    )  # fmt: skip
    found = contest(described, rows)
    assert found is not None
    assert found.reference == "as it is"
    assert found.settings == [("0",), ("0.5",)]


def test_sections_are_called_by_what_they_change() -> None:
    whole = {"masking": "asymmetric", "cross": True}
    without = [whole | {"masking": "none"}, whole | {"cross": False, "masking": "none"}]
    texts = [json.dumps(value) for value in (whole, *without)]
    assert titled(texts, texts[0]) == ["as it is", "masking: none", "masking: none, cross: false"]
    assert titled(["a", "b"], "a") == ["a", "b"]
    rounds = [json.dumps(value) for value in ({"1": 0, "2": 1}, {"1": 0}, {}, {"1": 0, "2": 0})]
    assert titled(rounds, rounds[0]) == ["as it is", "without 2", "without 1, without 2", "2: 0"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"compare": {"parameter": "train.seed", "reference": 0}}, "train.seed is not in values"),
        (
            {"compare": {"parameter": "train_round.method", "reference": "dlr"}},
            "dlr is no value of train_round.method",
        ),
        (
            {"values": {"x.y": [1.0, 2.0]}, "compare": {"parameter": "x.y", "reference": 1}},
            "1 is no value of x.y",
        ),
        ({"values": [METHODS, METHODS]}, "comes twice"),
        ({"values": [METHODS, {"split.labelled_tiles": [1]}]}, "not in all its grids"),
    ],
)
def test_what_cannot_be_compared_is_refused(more: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        study(**more)
