"""The page as a whole, built by the stage from a small tree of results."""

import re
from pathlib import Path

import pytest
from page_reading import Outline, rows_of, section, text
from small_run import SPLITS, SmallRun, make
from small_scenes import NAMES


def test_every_element_is_closed_and_identifiers_are_unique(page: str) -> None:
    outline = Outline(page)
    assert outline.open == []
    identifiers = [found["id"] for _, found in outline.tags if "id" in found]
    assert len(identifiers) == len(set(identifiers))


def test_nothing_is_asked_of_the_network(page: str) -> None:
    assert not re.search(r"(?:https?:)?//[a-z0-9-]+\.", page, flags=re.IGNORECASE)
    assert "@import" not in page
    for tag, attributes in Outline(page).tags:
        for key in ("src", "href", "xlink:href", "srcset", "action"):
            value = attributes.get(key)
            assert value is None or value.startswith(("data:", "#")), (tag, key, value)
    assert all(inside.startswith("#") for inside in re.findall(r"url\(([^)]*)\)", page))


def test_links_lead_to_sections(page: str) -> None:
    outline = Outline(page)
    identifiers = {found.get("id") for _, found in outline.tags}
    links = [link["href"] for link in outline.all("a")]
    assert len(links) == 16 + len(SPLITS)
    assert {f"#{name}" for name in identifiers} >= set(links)


def test_every_scene_round_head_and_class_is_there(page: str) -> None:
    shown = text(page)
    for name in [*SPLITS, *NAMES, "fused", "optical", "sar", "Round 0", "Round 1", "Round 2"]:
        assert name in shown
    assert "5 simulated scenes of data/demo , 7 classes" in shown


def test_every_picture_has_words(page: str) -> None:
    outline = Outline(page)
    pictures = list(outline.all("img"))
    # Of the scene with a score, roles of four, and of two scenes a crop before and after, three pictures each.
    assert len(pictures) == 6 + 4 + 2 * 2 * 3
    assert all(picture["alt"] for picture in pictures)
    charts = [found for _, found in outline.tags if found.get("role") == "img"]
    assert len(charts) == len(list(outline.all("svg"))) == 1 + 2 + 1 + 1 + 3 + 2 + 2 + 2 * 3 + 4 * 2
    assert all(chart["aria-label"] for chart in charts)


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
    charts = re.findall(r'role="img" aria-label="(.*?)"', stopped)
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


def test_same_results_give_the_same_bytes(small: SmallRun, page: str, tmp_path: Path) -> None:
    assert small.build(tmp_path / "elsewhere") == page


def test_the_evidence_of_every_scene_is_on_the_page(page: str) -> None:
    identifiers = [found.get("id") or "" for found in Outline(page).all("details")]
    assert [i for i in identifiers if i.startswith("scene-")] == [f"scene-{n}" for n in SPLITS]
    assert page.count('class="picture flicker"') == 4  # two scenes have a crop, before and after


def test_the_page_is_all_there_is(small: SmallRun, tmp_path: Path) -> None:
    small.build(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["index.html"]


def test_no_folder_is_named(small: SmallRun, page: str) -> None:
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
    assert "mIoU of round 0, labels alone" not in shown
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
    assert "<img" not in section(page, "maps") and "<img" not in section(page, "split")


def test_pictures_stay_within_their_size(small: SmallRun, tmp_path: Path) -> None:
    sizes = [
        sum(len(picture["src"] or "") for picture in Outline(section(page, "maps")).all("img"))
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
