"""Each section shows what the results hold and says what they lack; in the order of the page."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from page_reading import Outline, rows_of, section, text
from small_numbers import HEADS
from small_run import SmallRun, make
from small_scenes import NAMES

from dllr.costs import Cost
from dllr.evaluation.bootstrap import intervals


def test_facts_of_the_index_are_columns_of_the_scenes(page: str) -> None:
    scenes = section(page, "scenes")
    heads = re.findall(r'<button type="button">(.*?)</button>', scenes)
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", scenes)
    cells = [re.findall(r"<t[hd].*?</t[hd]>", row) for row in rows]
    assert {len(row) for row in cells} == {len(heads)}
    place = heads.index("Covered by SAR, %")
    assert [text(row[place]).strip() for row in cells] == ["90.0", "91.0", "92.0", "93.0", "94.0"]
    assert "Optical masked, %" not in heads


def test_scenes_say_how_far_estimates_lie_apart_and_how_well_they_repeat(page: str) -> None:
    scenes = text(section(page, "scenes"))
    assert "applied 1.37 0.41 0.75 information and gradients" in scenes  # the worse of 0.5 and 0.75
    assert "unverified – – – information: 4 of 64" in scenes


def test_an_audit_without_findings_says_so(page: str) -> None:
    audit = section(page, "audit")
    assert "Nothing to remark" in audit
    assert "<table" not in audit and "<details" not in audit


def test_findings_are_grouped_and_notes_folded(tmp_path: Path) -> None:
    clouds = [("warning", f"s{i:02}", "cloud", f"{i}% cloud; mask it") for i in range(50)]
    others = [("warning", "", "grid offset", "half a pixel <off>"), ("note", "one", "haze", "thin")]
    small = make(
        tmp_path / "results", splits={"one": "test"}, rounds=0, size=64, audit=[*clouds, *others]
    )
    page = small.build(tmp_path / "out")
    assert Outline(page).open == []
    warnings, notes = section(page, "audit").split("<details>")
    shown = text(warnings)
    assert "51 warnings" in shown
    assert "grid offset 1 all scenes half a pixel &lt;off&gt; cloud 50 s00 0% cloud" in shown
    assert "s38" in shown and "s39" not in shown
    assert "11 more in audit.csv" in shown
    assert "haze" not in warnings
    assert "haze 1 one thin" in text(notes)


def test_notes_alone_are_no_warnings(tmp_path: Path) -> None:
    note = [("note", "one", "haze", "thin")]
    small = make(tmp_path / "results", splits={"one": "test"}, rounds=0, size=64, audit=note)
    audit = text(section(small.build(tmp_path / "out"), "audit"))
    assert "No warnings. 1 note" in audit and "Nothing" not in audit


def test_without_an_audit_nothing_is_claimed(tmp_path: Path) -> None:
    small = make(tmp_path / "results", splits={"one": "test"}, rounds=0, size=64, audit=None)
    page = small.build(tmp_path / "out")
    assert "audit" not in page and "Nothing to remark" not in page


def test_the_split_is_shown_on_the_ground_and_by_pixels(page: str) -> None:
    split = section(page, "split")
    assert (
        "train: 2 (plain, hill); validation: 1 (river); test: 1 (coast); mixed: 1 (forest)" in split
    )
    assert 'alt="forest, split: training, unlabelled 46 %, test 46 %, none 9 %"' in split
    shown = text(split)
    assert "at least 16 px apart" in shown
    for said in (
        "Train windows 120",
        "Test windows 40",
        "Labelled windows 12",
        "Calibration windows 4",
    ):
        assert said in shown
    assert "warnings" not in split


def test_scenes_that_hold_one_split_each_have_no_distance(tmp_path: Path) -> None:
    small = make(tmp_path / "results", splits={"one": "train", "two": "test"}, rounds=0, size=64)
    split = text(section(small.build(tmp_path / "out"), "split"))
    assert "lie in different scenes" in split
    assert "Least distance" not in split


def test_warnings_of_the_split_are_said(tmp_path: Path) -> None:
    said = ["Scenes <a> and b share ground.", "The test split is small."]
    small = make(tmp_path / "results", splits={"one": "test"}, rounds=0, size=64, warnings=said)
    split = section(small.build(tmp_path / "out"), "split")
    assert re.findall(r"<li>(.*?)</li>", split) == ["Scenes &lt;a&gt; and b share ground.", said[1]]


def test_the_round_in_use_is_marked(page: str) -> None:
    rows = re.findall(r'<tr class="selected">.*?</tr>', page)
    assert len(rows) == 3 + 1  # of its scores, and of what the guard read
    assert sum("in use" in row for row in rows) == 1
    assert all(re.search(r'<th scope="row" class="number"[^>]*>2</th>', row) for row in rows)


def test_rows_have_as_many_cells_as_heads(page: str) -> None:
    for name, cells in (
        ("scores", [{9}, {8}]),
        ("classes", [{7}, {5}]),
        ("reliability", [{3}]),
        ("certificate", [{4 + len(NAMES)}]),
        ("transport", [{9}, {7}, {8}]),
    ):
        tables = re.findall(r"<table.*?</table>", section(page, name), flags=re.DOTALL)
        found = [
            {len(re.findall("<t[hd] ?", row)) for row in table.split("<tr")[1:]} for table in tables
        ]
        assert found == cells


def test_the_guard_shows_what_it_read(page: str) -> None:
    scores = rows_of(page, "scores")
    assert [row.split()[-1] for row in scores[:9]] == ["kept"] * 9
    assert scores[9:] == [
        "0 kept 53.0 47.0 39.0 53.0 0.71 35.0",
        "1 kept 56.0 50.0 42.0 56.0 0.79 31.0",
        "2 kept 59.0 53.0 45.0 59.0 0.87 27.0",
    ]
    assert "warnings" not in section(page, "scores")
    assert "skipped" not in text(page)


def test_without_labels_on_validation_the_guard_has_read_nothing(tmp_path: Path) -> None:
    small = make(tmp_path / "results", splits={"one": "test"}, rounds=1, size=64, validated=False)
    page = small.build(tmp_path / "out")
    assert rows_of(page, "scores")[-2:] == ["0 kept – – – – – –", "1 kept – – – – – –"]


def test_scores_of_classes_have_intervals_and_say_what_they_are_of(page: str) -> None:
    rows = rows_of(page, "classes")
    assert [row.split()[0] for row in rows[: len(NAMES)]] == NAMES
    assert re.fullmatch(r"farmland [\d ]+ [\d.]+ [\d.]+ to( [\d.]+){4}", rows[0])
    assert rows[len(NAMES) - 1] == "others 0 – – – – –"
    both, without_optical, without_sar = rows[len(NAMES) :]
    assert re.fullmatch(r"both images [\d ]+( [\d.]+){3}", both)
    assert re.fullmatch(r"no optical data [\d ]+( [\d.]+){3}", without_optical)
    assert without_sar == "no SAR data 0 – – –"
    shown = text(section(page, "classes"))
    assert "20 blocks of the test pixels, as there are too few scenes" in shown
    assert "other test pixels of these scenes, not other land, not another seed" in shown
    (bars,) = re.findall(r'aria-label="(fused: farmland [^"]*)"', section(page, "scores"))
    assert re.match(r"fused: farmland [\d.]+ % \([\d.]+ to [\d.]+\), city", bars)
    assert bars.count("others none") == 3


def test_reliability_is_shown_before_and_after_the_temperature(page: str) -> None:
    shown = section(page, "reliability")
    assert "The temperature, 1.40, is fitted on validation" in text(shown)
    assert [row.rsplit(" ", 2)[0] for row in rows_of(page, "reliability")] == [
        "as they are", "with temperature",
    ]  # fmt: skip
    (words,) = re.findall(r'role="img" aria-label="(.*?)"', shown)
    assert words.startswith("as they are: expected calibration error ") and "% sure" in words


def test_the_certificate_is_a_chart_and_a_table(page: str) -> None:
    rows = rows_of(page, "certificate")
    assert [row.split(" ")[:2] for row in rows[:3]] == [
        ["Both", "images"], ["Optical", "alone"], ["SAR", "alone"],
    ]  # fmt: skip
    assert len(rows) == 10
    (words,) = re.findall(r'role="img" aria-label="(.*?)"', section(page, "certificate"))
    assert words.startswith("Both images: mIoU ") and "SAR moved by 4 px: mIoU" in words


def test_what_could_not_be_measured_is_said(tmp_path: Path) -> None:
    """A single block of test pixels, none of which both images see."""
    small = make(tmp_path / "results", splits={"one": "test"}, rounds=0, size=64)
    folder = tmp_path / "results/evaluation"
    metrics = json.loads((folder / "scores.json").read_text())
    nothing = intervals(np.empty((0, 3, len(NAMES)), np.int64), NAMES)
    metrics["intervals"] = {"by": "block", "units": 1, **dict.fromkeys(HEADS, nothing)}
    (folder / "scores.json").write_text(json.dumps(metrics))
    table = pd.read_csv(folder / "certificate.csv").assign(pixels=0, miou=None, oa=None)
    table.to_csv(folder / "certificate.csv", index=False)
    page = small.build(tmp_path / "out", pictures=0)
    assert Outline(page).open == []
    assert "a single block of test pixels does not show" in text(section(page, "classes"))
    certificate = section(page, "certificate")
    assert "No test pixel is seen by both images" in certificate and "<table" not in certificate
    assert "mIoU, test</dt>" in page


def test_a_certificate_that_was_not_asked_for_is_not_shown(tmp_path: Path) -> None:
    small = make(tmp_path / "results", splits={"one": "test"}, rounds=0, size=64)
    path = tmp_path / "results/evaluation/certificate.csv"
    pd.read_csv(path).head(1).to_csv(path, index=False)
    certificate = section(small.build(tmp_path / "out", pictures=0), "certificate")
    assert "evaluate.certificate" in certificate and "<table" not in certificate


def test_a_scene_without_labels_says_so(tmp_path: Path) -> None:
    small = make(
        tmp_path / "results", splits={"one": "test"}, unlabelled=["one"], rounds=0, size=64
    )
    assert text(section(small.build(tmp_path / "out"), "maps")).count("no label") == 2


def test_the_best_and_the_worst_scene_are_named(tmp_path: Path) -> None:
    splits = {"one": "test", "two": "test", "six": "test"}
    page = make(tmp_path / "results", splits=splits, rounds=0, size=64).build(tmp_path / "out")
    found = re.findall(r"<small>(.*?), mIoU ([\d.]+) %</small>", section(page, "maps"))
    assert [word for word, _ in found] == ["the best", "the median", "the worst"]
    scores = [float(score) for _, score in found]
    assert scores == sorted(scores, reverse=True)


def test_readings_are_drawn_of_the_rounds_that_have_them_and_explained(page: str) -> None:
    training = section(page, "training")
    words = [w for w in re.findall(r'aria-label="(.*?)"', training) if w.startswith("Readings")]
    assert [word[:20] for word in words] == ["Readings of round 1:", "Readings of round 2:"]
    assert "flipped from 0.02 at step 10 to 0.40 at step 200" in words[0]
    assert re.findall(r"<b>(.*?)</b> is", training) == ["Gate", "Apart", "Flipped"]


def test_the_transport_shows_its_evidence(page: str) -> None:
    rows = text(page[page.index('<section id="transport">') :])
    assert "1.31 · 1.12 · 0.94" in rows
    assert "4.2e-07 yes" in rows


def captions(page: str) -> list[str]:
    """Of the charts on the labels of round 1."""
    found = re.findall(r"<figcaption>(.*?)</figcaption>", section(page, "transport"))
    return [caption for caption in found if "round 1" in caption]


BY_RULE = ["Labels of round 1", "Accuracy by rule, round 1"]
FOLD, UNLABELLED = (
    f"Labels of round 1, {place}" for place in ("calibration fold", "unlabelled pixels")
)


def test_the_ledger_is_drawn_by_rule_and_class_by_class(page: str) -> None:
    assert captions(page) == [*BY_RULE, FOLD, UNLABELLED]
    words = re.findall(r'aria-label="(.*?)"', section(page, "transport"))
    (rules,) = (w for w in words if w.startswith("calibration fold: argmax 47.1 %"))
    assert "; unlabelled pixels: argmax 45.1 %" in rules and "reassigned 60.3 %" in rules
    classes = [w for w in words if w.startswith("coverage of argmax: farmland 95.0 %")]
    assert len(classes) == 2 * 2 and all("road 70.0 %, others none" in w for w in classes)


@pytest.mark.parametrize(
    ("sets", "drawn"),
    [
        ({"calibration": True}, [*BY_RULE, FOLD]),
        ({"calibration": True, "oracle": False}, [*BY_RULE, FOLD]),
        ({"calibration": False, "oracle": True}, [*BY_RULE, UNLABELLED]),
        ({"calibration": False, "oracle": False}, BY_RULE[:1]),
    ],
)
def test_only_sets_with_pixels_are_drawn(
    sets: dict[str, bool], drawn: list[str], tmp_path: Path
) -> None:
    small = make(tmp_path / "results", splits={"one": "test"}, rounds=1, size=64, sets=sets)
    page = small.build(tmp_path / "out", pictures=0)
    assert Outline(page).open == []
    assert captions(page) == drawn
    assert ("Class by class" in page) == (drawn[-1] in (FOLD, UNLABELLED))


def test_the_prior_is_told_class_by_class(page: str) -> None:
    rows = rows_of(page, "transport")[2:]
    assert rows[0] == "1 farmland 30.0 -0.42 91.4 1.0 2.0"
    assert rows[6:8] == ["1 others 5.0 – – – –", "1 no label – -0.51 – – –"]


def test_what_stages_cost_is_shown_where_it_is_known(
    page: str, small: SmallRun, tmp_path: Path
) -> None:
    assert 'id="costs"' not in page
    costs = {
        "warmup": Cost(12.34, 20.0, 3 << 20, "", "Linux x86_64, 2 cores, Python 3.11.7"),
        "pseudo_label@1": Cost(2.0, 3.0, 5000 << 20, ""),
    }
    shown = section(small.build(tmp_path / "out", pictures=0, costs=costs), "costs")
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', shown)
    assert [name for name, _ in rows] == list(costs)
    assert re.findall(r">([^<>]+)</td>", rows[0][1]) == ["12.3", "20.0", "3"]
    assert re.findall(r">([^<>]+)</td>", rows[1][1]) == ["2.0", "3.0", "5\u202f000"]


def test_the_model_card_stands_there_as_it_was_written(page: str) -> None:
    assert "# A model\n\n| input | &lt;image&gt; |" in page[page.index('<section id="card">') :]


def test_limits_name_what_weakens_the_scores(page: str) -> None:
    limits = text(page[page.index('<section id="limits">') :])
    assert "1 test scene." in limits
    assert "The scenes are simulated." in limits
    assert "So few scenes" in limits
    assert "neither the test labels nor the map hold them: others." in limits
    assert "holds no pixel of: road." in limits
    assert "no estimate could be relied on: river." in limits


def test_a_machine_is_named_once_and_its_gpu_beside_it(small: SmallRun, tmp_path: Path) -> None:
    place = "Linux x86_64, 16 cores, Python 3.11.7"
    costs = {
        "scenes": Cost(1.0, 1.0, 1 << 20, "", place),
        "warmup": Cost(1.0, 1.0, 1 << 20, "", place, "a GPU"),
    }
    page = small.build(tmp_path / "out", costs=costs)
    assert f"last ran on {place}; a GPU: the time" in text(section(page, "costs"))
