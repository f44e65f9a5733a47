"""The page as a whole, built by the stage from a small tree of results."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from small_run import HEADS, NAMES, SmallRun, make

from dllr.costs import Cost

SPLITS = {
    "plain": "train",
    "hill": "train",
    "river": "validation",
    "coast": "test",
    "forest": "test+train",
}


class Outline(HTMLParser):
    """Tags with their attributes, and whether every element that was opened was closed."""

    VOID = frozenset({"meta", "link", "img", "br", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, name: str) -> Iterator[dict[str, str | None]]:
        return (attributes for tag, attributes in self.tags if tag == name)


def text(page: str) -> str:
    """What a reader sees, white space folded."""
    shown = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", shown))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    return make(tmp_path_factory.mktemp("results"), splits=SPLITS, unlabelled=["hill", "forest"])


@pytest.fixture(scope="module")
def page(small: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> str:
    return small.build(tmp_path_factory.mktemp("out") / "report")


def test_every_element_is_closed_and_identifiers_are_unique(page: str) -> None:
    outline = Outline(page)
    assert outline.open == []
    identifiers = [found["id"] for _, found in outline.tags if "id" in found]
    assert len(identifiers) == len(set(identifiers))


EVIDENCE = "registration.html"  # beside the page


def test_nothing_is_asked_of_the_network(page: str) -> None:
    assert not re.search(r"(?:https?:)?//[a-z0-9-]+\.", page, flags=re.IGNORECASE)
    assert "@import" not in page
    for tag, attributes in Outline(page).tags:
        for key in ("src", "href", "xlink:href", "srcset", "action"):
            value = attributes.get(key)
            assert value is None or value.startswith(("data:", "#", EVIDENCE)), (tag, key, value)
    assert all(inside.startswith("#") for inside in re.findall(r"url\(([^)]*)\)", page))


def test_links_lead_to_sections(page: str) -> None:
    outline = Outline(page)
    identifiers = {found.get("id") for _, found in outline.tags}
    links = [link["href"] for link in outline.all("a")]
    assert len(links) == 15
    assert {f"#{name}" for name in identifiers} >= set(links) - {EVIDENCE}


def test_every_scene_round_head_and_class_is_there(page: str) -> None:
    shown = text(page)
    for name in [*SPLITS, *NAMES, "fused", "optical", "sar", "Round 0", "Round 1", "Round 2"]:
        assert name in shown
    assert "5 simulated scenes of data/demo , 7 classes" in shown


def test_every_picture_has_words(page: str) -> None:
    outline = Outline(page)
    pictures = [picture for picture in outline.all("img") if picture["src"] != "data:,"]
    assert len(pictures) == 6 + 4 + 4  # a scene with a label, one without, and roles of four
    assert all(picture["alt"] for picture in pictures)
    charts = [found for _, found in outline.tags if found.get("role") == "img"]
    assert len(charts) == len(list(outline.all("svg"))) == 1 + 2 + 1 + 1 + 3 + 2 + 2 + 2 * 3
    assert all(chart["aria-label"] for chart in charts)


def test_a_scene_without_labels_says_so(page: str) -> None:
    assert text(section(page, "maps")).count("no label") == 2


def section(page: str, name: str) -> str:
    """A section of the page, markup and all."""
    start = page.index(f'<section id="{name}">')
    return page[start : page.index("</section>", start)]


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


def test_facts_of_the_index_are_columns_of_the_scenes(page: str) -> None:
    scenes = section(page, "scenes")
    heads = re.findall(r'<button type="button">(.*?)</button>', scenes)
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", scenes)
    cells = [re.findall(r"<t[hd].*?</t[hd]>", row) for row in rows]
    assert {len(row) for row in cells} == {len(heads)}
    place = heads.index("Covered by SAR, %")
    assert [text(row[place]).strip() for row in cells] == ["90.0", "91.0", "92.0", "93.0", "94.0"]
    assert "Optical masked, %" not in heads


def test_the_round_in_use_is_marked(page: str) -> None:
    rows = re.findall(r'<tr class="selected">.*?</tr>', page)
    assert len(rows) == 3 + 1  # of its scores, and of what the guard read
    assert sum("in use" in row for row in rows) == 1
    assert all(re.search(r'<th scope="row" class="number"[^>]*>2</th>', row) for row in rows)


def rows_of(page: str, name: str) -> list[str]:
    """The rows below the heads of a section's tables, as text."""
    return [
        text(row).strip()
        for row in re.findall(r"<tr[^>]*><th scope=\"row\".*?</tr>", section(page, name))
    ]


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
    (bars,) = re.findall(r'aria-label="(fused: farmland [^"]*)"', section(page, "scores"))
    assert re.match(r"fused: farmland [\d.]+ % \([\d.]+ to [\d.]+\), city", bars)
    assert bars.count("others none") == 3


def test_reliability_is_shown_before_and_after_the_temperature(page: str) -> None:
    shown = section(page, "reliability")
    assert "The temperature, 1.40, is fitted on validation" in text(shown)
    assert [row.rsplit(" ", 2)[0] for row in rows_of(page, "reliability")] == [
        "as they are", "with temperature",
    ]  # fmt: skip
    (words,) = re.findall(r'aria-label="(.*?)"', shown)
    assert words.startswith("as they are: expected calibration error ") and "% sure" in words


def test_the_certificate_is_a_chart_and_a_table(page: str) -> None:
    rows = rows_of(page, "certificate")
    assert [row.split(" ")[:2] for row in rows[:3]] == [
        ["Both", "images"], ["Optical", "alone"], ["SAR", "alone"],
    ]  # fmt: skip
    assert len(rows) == 10
    (words,) = re.findall(r'aria-label="(.*?)"', section(page, "certificate"))
    assert words.startswith("Both images: mIoU ") and "SAR moved by 4 px: mIoU" in words


def test_what_could_not_be_measured_is_said(tmp_path: Path) -> None:
    """A single block of test pixels, none of which both images see."""
    small = make(tmp_path / "results", splits={"one": "test"}, rounds=0, size=64)
    folder = tmp_path / "results/evaluation"
    metrics = json.loads((folder / "metrics.json").read_text())
    nothing = {"miou": None, "iou": dict.fromkeys(NAMES)}
    metrics["intervals"] = {"by": "block", "units": 1, **dict.fromkeys(HEADS, nothing)}
    (folder / "metrics.json").write_text(json.dumps(metrics))
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


def test_what_stages_cost_is_shown_where_it_is_known(
    page: str, small: SmallRun, tmp_path: Path
) -> None:
    assert 'id="costs"' not in page
    costs = {
        "warmup": Cost(12.34, 20.0, 3 << 20, ""),
        "pseudo_label@1": Cost(2.0, 3.0, 5000 << 20, ""),
    }
    shown = section(small.build(tmp_path / "out", pictures=0, costs=costs), "costs")
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', shown)
    assert [name for name, _ in rows] == list(costs)
    assert re.findall(r">([^<>]+)</td>", rows[0][1]) == ["12.3", "20.0", "3"]
    assert re.findall(r">([^<>]+)</td>", rows[1][1]) == ["2.0", "3.0", "5\u202f000"]


def test_readings_are_drawn_of_the_rounds_that_have_them_and_explained(page: str) -> None:
    training = section(page, "training")
    words = [w for w in re.findall(r'aria-label="(.*?)"', training) if w.startswith("Readings")]
    assert [word[:20] for word in words] == ["Readings of round 1:", "Readings of round 2:"]
    assert "flipped from 0.02 at step 10 to 0.40 at step 200" in words[0]
    assert re.findall(r"<b>(.*?)</b> is", training) == ["Gate", "Apart", "Flipped"]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a run whose round 2 was lost and whose rounds 3 and 4 were skipped."""
    folder = tmp_path_factory.mktemp("stopped")
    small = make(folder / "results", splits={"one": "test"}, rounds=4, lost=2, size=64)
    return small.build(folder / "out")


def test_a_lost_round_and_those_it_stopped_are_said(stopped: str) -> None:
    assert Outline(stopped).open == []
    assert "3 rounds were trained; round 1, best on validation" in text(stopped)
    scores = section(stopped, "scores")
    said = re.findall(r"<li>(.*?)</li>", scores)
    assert [sentence[:20] for sentence in said] == ["Round 2 was lost: it", "Rounds 3 and 4 were "]
    rows = rows_of(stopped, "scores")
    verdicts = ["kept"] * 6 + ["lost"] * 3 + ["skipped"] * 6
    assert [row.split()[-1] for row in rows[:15]] == verdicts
    assert rows[-2:] == ["3 skipped – – – 56.0 – –", "4 skipped – – – 56.0 – –"]


def test_a_skipped_round_has_neither_curves_nor_labels_nor_a_place_in_charts(stopped: str) -> None:
    charts = re.findall(r'aria-label="(.*?)"', stopped)
    assert [c[:8] for c in charts if c.startswith("Round ")] == ["Round 0:", "Round 1:", "Round 2:"]
    (by_round,) = (chart for chart in charts if "by round" in chart)
    fused = by_round.split(";")[0]
    assert re.findall(r"(\d) [\d.]+ %", fused) == ["0", "1", "2"]
    assert "rounds 3 and 4 were skipped" in text(section(stopped, "training"))
    assert "None were made for rounds 3 and 4: they were skipped." in text(
        section(stopped, "transport")
    )
    assert {row.split()[0] for row in rows_of(stopped, "transport")} == {"1", "2"}
    assert "Labels of round 2" in stopped and "Labels of round 3" not in stopped
    assert "by rule, round 2" in stopped and "by rule, round 3" not in stopped


def test_without_labels_on_validation_the_guard_has_read_nothing(tmp_path: Path) -> None:
    small = make(tmp_path / "results", splits={"one": "test"}, rounds=1, size=64, validated=False)
    page = small.build(tmp_path / "out")
    assert rows_of(page, "scores")[-2:] == ["0 kept – – – – – –", "1 kept – – – – – –"]


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


def test_same_results_give_the_same_bytes(small: SmallRun, page: str, tmp_path: Path) -> None:
    assert small.build(tmp_path / "elsewhere") == page
    small.build(tmp_path / "again")
    evidence = [tmp_path / folder / EVIDENCE for folder in ("elsewhere", "again")]
    assert evidence[0].read_bytes() == evidence[1].read_bytes()


def test_the_evidence_of_every_scene_is_beside_the_page(small: SmallRun, tmp_path: Path) -> None:
    small.build(tmp_path / "out")
    page = (tmp_path / "out" / EVIDENCE).read_text(encoding="utf-8")
    assert Outline(page).open == []
    assert [found["id"] for found in Outline(page).all("article")] == [f"scene-{n}" for n in SPLITS]
    assert page.count('class="picture flicker"') == 4  # two scenes have a crop, before and after
    assert str(small.folder) not in page and "/somewhere" not in page


def test_scenes_say_how_far_estimates_lie_apart_and_how_well_they_repeat(page: str) -> None:
    scenes = text(section(page, "scenes"))
    assert "applied 1.37 0.41 0.75 information and gradients" in scenes  # the worse of 0.5 and 0.75
    assert "unverified – – – information: 4 of 64" in scenes


def test_no_machine_is_named(small: SmallRun, page: str) -> None:
    assert str(small.folder) not in page
    assert "/somewhere" not in page


def test_a_folder_elsewhere_goes_by_its_name(tmp_path: Path) -> None:
    small = make(tmp_path / "results", splits={"one": "test"}, root="/mnt/disk/ombria", rounds=0)
    page = small.build(tmp_path / "out")
    assert "ombria" in text(page)
    assert "/mnt/disk" not in page


def test_without_rounds_there_is_no_transport(tmp_path: Path) -> None:
    small = make(tmp_path / "results", splits=SPLITS, rounds=0, simulated=False)
    page = small.build(tmp_path / "out")
    assert Outline(page).open == []
    assert 'id="transport"' not in page
    shown = text(page)
    assert "simulated" not in shown
    assert "since round 0" not in shown
    assert "Round 0" in shown and "Round 1" not in shown
    assert "Readings" not in shown


@pytest.mark.parametrize(
    "bands",
    [
        ["pan"],
        ["red", "green", "blue"],
        ["B02", "B03", "B04", "B08"],
        ["c", "d", "e", "red", "green", "blue"],
        [f"B{number:02}" for number in range(1, 13)],
    ],
    ids=len,
)
def test_any_number_of_optical_bands(bands: list[str], tmp_path: Path) -> None:
    small = make(tmp_path / "results", splits={"one": "test"}, rounds=0, bands=bands, size=64)
    page = small.build(tmp_path / "out")
    assert 'alt="one, optical"' in page


def test_no_picture_is_asked_for(small: SmallRun, tmp_path: Path) -> None:
    page = small.build(tmp_path / "out", pictures=0)
    assert [picture["src"] for picture in Outline(page).all("img")] == ["data:,"]


def test_pictures_stay_within_their_size(small: SmallRun, tmp_path: Path) -> None:
    sizes = [
        sum(len(picture["src"] or "") for picture in Outline(page).all("img"))
        for page in (
            small.build(tmp_path / "large", picture_size=192),
            small.build(tmp_path / "little", picture_size=64),
        )
    ]
    assert sizes[1] < sizes[0] / 3
    assert sizes[0] < 2 * 6 * 40_000


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    small = make(tmp_path / "results", splits={"<b>&one": "test"}, rounds=0, size=64)
    page = small.build(tmp_path / "out")
    assert "&lt;b&gt;&amp;one" in page
    assert "<b>&one" not in page
