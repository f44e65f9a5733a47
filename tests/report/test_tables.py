import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dllr.report import page, tables


def heads(miou: float | None) -> dict[str, dict[str, float | None]]:
    return {h: {"miou": miou, "oa": 0.9, "f1": 0.7, "kappa": None} for h in tables.HEADS}


def test_gain_is_over_round_0() -> None:
    rounds = {"0": heads(0.5), "1": heads(0.625)}
    assert tables.headline(rounds, 1)["gain"] == 0.125
    assert tables.headline(rounds, 0)["gain"] is None
    assert tables.headline({"0": heads(None), "1": heads(0.6)}, 1)["gain"] is None


def test_only_the_fused_head_was_validated() -> None:
    rows = tables.score_rows({"0": heads(0.5), "1": heads(0.6)}, {"0": 0.4, "1": 0.45}, 1)
    assert [(r["round"], r["head"], r["validation"]) for r in rows if r["selected"]] == [
        (1, "fused", 0.45),
        (1, "optical", None),
        (1, "sar", None),
    ]


def test_shares_are_of_the_row() -> None:
    rows = tables.confusion_rows(np.array([[3, 1], [0, 0]]), ["water", "road"])
    assert [cell["share"] for cell in rows[0]["cells"]] == [0.75, 0.25]
    assert rows[0]["total"] == 4
    assert [cell["share"] for cell in rows[1]["cells"]] == [None, None]


@given(st.lists(st.text(), unique=True, max_size=30), st.integers(0, 50))
def test_spread_keeps_order_and_ends(ranked: list[str], number: int) -> None:
    found = tables.spread(ranked, number)
    assert len(found) == min(number, len(ranked))
    assert found == [name for name in ranked if name in set(found)]
    if len(found) > 1:
        assert (found[0], found[-1]) == (ranked[0], ranked[-1])


def test_real_and_well_tested_scenes_have_fewer_limits() -> None:
    few = tables.limits(1, 10, ["road"], ["city"], ["hill"], simulated=True)
    many = tables.limits(20, 1_000_000, [], [], [], simulated=False)
    assert len(few) == len(many) + 5
    assert "1\u202f000\u202f000 labelled pixels of 20 test scenes" in many[0]


def test_what_does_not_exist_is_a_dash() -> None:
    assert (page.percent(None), page.number(None)) == ("–", "–")
    assert (page.percent(0.6349), page.number(0.5)) == ("63.5", "0.500")
