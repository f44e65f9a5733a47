from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from dllr.report import charts, page, tables
from dllr.transport.rivals import RULES


def heads(miou: float | None) -> dict[str, dict[str, float | None]]:
    return {
        h: {"miou": miou, "boundary_miou": 0.2, "oa": 0.9, "f1": 0.7, "kappa": None}
        for h in tables.HEADS
    }


def guards(*verdicts: str) -> dict[str, dict[str, Any]]:
    """What the guard says of rounds with these verdicts."""
    read = {
        "miou": {"fused": 0.41, "optical": 0.36, "sar": None},
        "correlation": 0.7,
        "entropy": 0.3,
    }
    nothing = dict.fromkeys(read)
    return {
        str(number): {"verdict": word, "best": 0.43, **(nothing if word == "skipped" else read)}
        for number, word in enumerate(verdicts)
    }


def test_the_headline_has_bounds_and_the_score_of_round_0() -> None:
    rounds = {"0": heads(0.5), "1": heads(0.625)}
    bounds = {
        "fused": {"miou": {"low": 0.4, "high": 0.7}, "oa": None, "kappa": {"low": 0.2, "high": 0.3}}
    }
    assert tables.headline(rounds, 1, bounds)["start"] == rounds["0"]["fused"]["miou"]
    assert tables.headline(rounds, 1, bounds)["kappa_bounds"] == {"low": 0.2, "high": 0.3}
    assert tables.headline(rounds, 1, bounds)["oa_bounds"] is None
    assert tables.headline(rounds, 1, bounds)["bounds"] == {"low": 0.4, "high": 0.7}


def test_intervals_say_what_was_drawn_and_what_they_are_of() -> None:
    by_scene = tables.drawn({"by": "scene", "units": 12})
    assert by_scene == {"units": "the 12 test scenes", "says": "other scenes like these"}
    by_block = tables.drawn({"by": "block", "units": 40})
    assert by_block["units"].startswith("40 blocks") and "not other land" in by_block["says"]


def test_only_the_fused_head_was_validated() -> None:
    rounds = {"0": heads(0.5), "1": heads(0.6)}
    rows = tables.score_rows(rounds, {"0": 0.4, "1": 0.45}, guards("kept", "kept"), 1)
    assert [(r["round"], r["head"], r["validation"]) for r in rows if r["selected"]] == [
        (1, "fused", 0.45),
        (1, "optical", None),
        (1, "sar", None),
    ]


def test_every_head_of_a_round_has_its_verdict() -> None:
    rounds = {"0": heads(0.5), "1": heads(0.4)}
    rows = tables.score_rows(rounds, dict.fromkeys(rounds), guards("kept", "lost"), 0)
    assert [(row["round"], row["verdict"]) for row in rows] == [(0, "kept")] * 3 + [(1, "lost")] * 3


def test_of_a_skipped_round_nothing_was_read() -> None:
    _, lost, left = tables.guard_rows(guards("kept", "lost", "skipped"))
    assert lost == {
        "round": 1, "verdict": "lost", "best": 0.43, "correlation": 0.7, "entropy": 0.3, "fused": 0.41,
        "optical": 0.36, "sar": None,
    }  # fmt: skip
    nothing = dict.fromkeys(("correlation", "entropy", *tables.HEADS))
    assert left == {"round": 2, "verdict": "skipped", "best": 0.43, **nothing}


def test_only_a_round_that_was_not_kept_is_spoken_of() -> None:
    assert tables.guard_said(guards("kept", "kept")) == []
    (said,) = tables.guard_said(guards("kept", "lost"))
    assert said.startswith(
        "Round 1 was lost: its mIoU on validation, 41.0\u00a0%, is further below"
    )
    one = tables.guard_said(guards("kept", "kept", "lost", "skipped"))[1]
    assert one.startswith("Round 3 was skipped") and "It passes on the network of round 1" in one
    more = tables.guard_said(guards("kept", "lost", *["skipped"] * 3))[1]
    assert more.startswith("Rounds 2, 3 and 4 were skipped") and "They pass on" in more


def found(level: str, **checks: int) -> pd.DataFrame:
    """So many rows of each check."""
    rows = [
        (level, f"s{i:04}", name, f"{name} {i}") for name, n in checks.items() for i in range(n)
    ]
    return pd.DataFrame(rows, columns=["level", "scene", "check", "message"])


def shown(level: dict[str, Any]) -> dict[str, int]:
    return {group["check"]: len(group["rows"]) for group in level["checks"]}


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 60), max_size=6))
def test_what_was_found_is_shown_or_counted(checks: dict[str, int]) -> None:
    level = tables.audit(found("warning", **checks).sample(frac=1, random_state=0))["warning"]
    assert level["total"] == sum(checks.values())
    assert (
        sum(shown(level).values()) == min(40, level["total"]) == level["total"] - level["left_out"]
    )
    assert {group["check"]: group["total"] for group in level["checks"]} == checks
    for group in level["checks"]:
        first = [f"s{i:04}" for i in range(len(group["rows"]))]
        assert [row["scene"] for row in group["rows"]] == first


def test_a_common_check_hides_no_rare_one() -> None:
    level = tables.audit(found("warning", cloud=6000, grid=3, zebra=1))["warning"]
    assert shown(level) == {"zebra": 1, "grid": 3, "cloud": 36}
    assert list(shown(level)) == ["zebra", "grid", "cloud"]
    assert level["left_out"] == 5964


def test_warnings_and_notes_are_told_apart() -> None:
    both = pd.concat([found("warning", cloud=2), found("note", haze=3)])
    levels = tables.audit(both)
    assert (shown(levels["warning"]), shown(levels["note"])) == ({"cloud": 2}, {"haze": 3})


def test_a_fact_the_index_lacks_is_no_column_and_an_empty_one_no_number() -> None:
    facts = {"optical_nodata": "0.25", "sar_overlap": ""}
    size = {"label": "", "width": "3", "height": "2", "crs": "EPSG:4326"}
    index = pd.DataFrame([{"scene": "one", **size, **facts}])
    nothing = {"shift_px": None, "apart_px": None}
    evidence = {"one": {"verdict": "kept", "reason": "asked for", **nothing}}
    (row,) = tables.scene_rows(index, {}, evidence)
    assert row["facts"] == [0.25, None]
    assert row["splits"] == ["none"]


def test_shares_are_of_the_row() -> None:
    rows = tables.confusion_rows(np.array([[3, 1], [0, 0]]), ["water", "road"])
    assert [cell["share"] for cell in rows[0]["cells"]] == [0.75, 0.25]
    assert rows[0]["total"] == 4
    assert [cell["share"] for cell in rows[1]["cells"]] == [None, None]


@given(st.lists(st.text(), unique=True, max_size=30), st.integers(0, 50))
def test_spread_keeps_order_and_ends(ranked: list[str], number: int) -> None:
    found = tables.spread(ranked, number)
    assert len(found) == min(number, len(ranked))
    assert list(found) == [name for name in ranked if name in found]
    if len(found) > 1:
        assert (next(iter(found)), next(reversed(found))) == (ranked[0], ranked[-1])
        assert (found[ranked[0]], found[ranked[-1]]) == ("the best", "the worst")
    if number >= 3 and len(ranked) % 2 and number % 2:
        assert found[ranked[len(ranked) // 2]] == "the median" or len(ranked) == 1


def test_real_and_well_tested_scenes_have_fewer_limits() -> None:
    few = tables.limits(1, 10, ["road"], ["city"], ["hill"], simulated=True)
    many = tables.limits(20, 1_000_000, [], [], [], simulated=False)
    assert len(few) == len(many) + 5
    assert "1\u202f000\u202f000 labelled pixels of 20 test scenes" in many[0]


def test_what_does_not_exist_is_a_dash() -> None:
    assert (page.percent(None), page.number(None)) == ("–", "–")
    assert (page.percent(0.6349), page.number(0.5)) == ("63.5", "0.500")


def test_a_threshold_is_the_probability_at_which_a_class_exceeds_no_label() -> None:
    summary = {
        "round": "1",
        "target": {"water": 0.9, "road": 0.1},
        "potentials": {"water": -0.2, "road": None},
        "unlabelled_potential": -0.5,
        "sensitivity": {"water": {"halved": 0.1, "doubled": 0.3}},
    }
    water, road, nothing = tables.prior_rows([summary])
    assert water["threshold"] == np.exp(-0.3)
    assert (water["share"], water["halved"], water["doubled"]) == (0.9, 0.1, 0.3)
    unknown = dict.fromkeys(("threshold", "halved", "doubled"))
    assert road == {"round": 1, "class": "road", "share": 0.1, "potential": None, **unknown}
    assert nothing == {"round": 1, "class": None, "share": None, "potential": -0.5, **unknown}


def test_where_all_is_labelled_or_shares_do_not_decide_there_is_nothing_to_tell() -> None:
    summary = {"round": "1", "target": {"water": 1.0}, "potentials": {"water": 0.0}}
    for more in ({"unlabelled_potential": None, "sensitivity": {}}, {}):
        water, _ = tables.prior_rows([summary | more])
        assert (water["threshold"], water["halved"]) == (None, None)


def test_the_teachers_own_opinion_is_a_rule_of_the_ledger() -> None:
    assert charts.LIKELIEST in RULES
