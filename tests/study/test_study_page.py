"""The page of a study, as Markdown and as HTML."""

import re
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from test_comparing import METHODS, compared, counts, study, table

from dllr.study import charts
from dllr.study.page import Chart, Section, Table, html, markdown, write
from dllr.study.sections import bounds, difference, mean, plain_mean, scores, sections


def drawn() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([0, 1], [0, 1])
    return figure


SECTIONS = [
    Section(
        "one", "A table", "What `x.y` does.", Table(["who", "how much"], [["a|b", "+1.0 (…)"]], 1)
    ),
    Section("two", "A chart", "See.", charts=[Chart(drawn, "line", "a line <up>", "It rises")]),
]


def test_both_pages_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "study.md"
    write(path, "study", "Set `demo`.", SECTIONS)
    text, page = path.read_text(), path.with_suffix(".html").read_text()
    assert "| who | how much |\n| --- | ---: |\n| a\\|b | +1.0 (…) |" in text
    assert "![a line <up>](study_line.svg)" in text
    assert '<td class="number" data-value="+1.0">+1.0 (…)</td>' in page
    assert "What <code>x.y</code> does." in page and "Set <code>demo</code>." in page
    assert 'aria-label="a line &lt;up&gt;"' in page
    assert page.count("<svg") == 1
    assert not re.search(r"(?:https?:)?//[a-z0-9-]+\.", page)
    svg = (tmp_path / "study_line.svg").read_text()
    assert "</svg>" in svg
    assert "currentColor" not in svg  # it stands alone, on white


def test_same_sections_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        write(tmp_path / name / "study.md", "study", "lead", SECTIONS)
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in "ab")
    assert first == second
    assert set(first) == {"study.md", "study.html", "study_line.svg"}


def test_numbers_are_told_with_their_spread() -> None:
    assert mean(pd.Series([0.1, 0.3])) == "20.0 ± 14.1"
    assert mean(pd.Series([None, 0.3])) == "30.0"
    assert mean(pd.Series([], dtype=float)) == "–"
    assert plain_mean(pd.Series([100.0, 300.0])) == "200 ± 141"
    assert difference([0.01]) == "+1.0"
    assert difference([0.01, 0.03]) == "+2.0 (-10.7 to +14.7)"
    assert bounds(None) == "–"


def test_scores_stand_by_budget_and_say_how_a_method_is_run() -> None:
    own = {"train_round.method": ["supervised"], "split.labelled_tiles": [8], "x.y": [False]}
    described = study(values=[METHODS, own])
    made = table(described).assign(**dict.fromkeys(("oa", "f1", "kappa"), 0.5))
    section = scores(described, made[made["head"] == "fused"])
    assert section.table is not None
    assert section.table.columns[:3] == ["split.labelled_tiles", "train_round.method", "cells"]
    assert [row[:2] for row in section.table.rows] == [
        ["8", "fixmatch"], ["8", "dllr"], ["8", "supervised"], ["32", "fixmatch"], ["32", "dllr"],
    ]  # fmt: skip
    place = list(section.table.columns).index("last round in use")
    assert {row[place] for row in section.table.rows} == {"3 of 3"}
    assert section.text.endswith(" supervised is run with x.y false.")


def test_labels_are_those_of_the_last_round_of_cells_that_have_any() -> None:
    """Of cells with two rounds, one of which was skipped, with one round, and with none."""
    described = study(values={"rounds": [2, 1, 0]}, seeds={"train.seed": [0, 1]}, compare=None)
    labels = {"labels/oracle/miou/argmax": 0.4, "labels/oracle/miou/reassigned": 0.5}
    rows = []
    for cell in described.combinations():
        facts = {"cell": str(cell), **{name: str(value) for name, value in cell.items()}}
        facts |= {"head": "fused", **dict.fromkeys(("miou", "oa", "f1", "kappa"), 0.3)}
        for number in range(cell["rounds"] + 1):
            skipped = (number, cell["train.seed"]) == (2, 1)
            own = labels if number and not skipped else {}
            rows.append({**facts, "round": number, "selected": number == 0, **own})
    found = sections(described, pd.DataFrame(rows), pd.DataFrame())
    (table,) = (section.table for section in found if section.name == "labels-oracle-miou")
    assert table is not None
    assert [(*row[:2], row[-1]) for row in table.rows] == [
        ("2", "1", "+10.0 over argmax"),
        ("1", "2", "+10.0 (+10.0 to +10.0) over argmax"),
    ]


@pytest.mark.parametrize("drawing", ["budget", "forest"])
def test_charts_show_every_contestant(drawing: str) -> None:
    found = compared(study())
    look = charts.looks(found.contestants, found.reference)
    if drawing == "budget":
        figure = charts.budget_curves(found.curves(), look, "labelled tiles")
        (axes,) = figure.axes
        assert [t.get_text() for t in axes.get_xticklabels()] == ["8", "32", "all"]
        means = [line.get_ydata()[0] for line in axes.lines if line.get_label() == "dllr"]
        assert means == pytest.approx([39.8])
        named = {text.get_text() for text in figure.legends[0].get_texts()}
        assert named == {"dllr", "fixmatch", "supervised"}
    else:
        figure = charts.forest(found.differences(counts(found)), look, "dllr")
        (axes,) = figure.axes
        names = [t.get_text() for t in axes.get_yticklabels()]
        assert names == ["8", "fixmatch", "supervised", "32", "fixmatch", "supervised"]
        middle = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "s"]
        assert middle == pytest.approx([4.0, 4.0])
    assert look["dllr"] != look["fixmatch"] != look["supervised"]


def test_pages_without_sections_are_pages() -> None:
    assert markdown(Path("a.md"), "a", "b", []).startswith("# a\n\nb")
    assert html("a", "b", []).rstrip().endswith("</html>")
