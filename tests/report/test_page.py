"""The page as a whole, built by the stage from a small tree of results."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from small_run import NAMES, SmallRun, make

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
    assert len(links) == 8
    assert {f"#{name}" for name in identifiers} >= set(links)


def test_every_scene_round_head_and_class_is_there(page: str) -> None:
    shown = text(page)
    for name in [*SPLITS, *NAMES, "fused", "optical", "sar", "Round 0", "Round 1", "Round 2"]:
        assert name in shown
    assert "5 simulated scenes of data/demo , 7 classes" in shown


def test_every_picture_has_words(page: str) -> None:
    outline = Outline(page)
    pictures = [picture for picture in outline.all("img") if picture["src"] != "data:,"]
    assert len(pictures) == 6 + 4  # a scene with a label and one without
    assert all(picture["alt"] for picture in pictures)
    charts = [found for _, found in outline.tags if found.get("role") == "img"]
    assert len(charts) == len(list(outline.all("svg"))) == 2 + 3 + 2
    assert all(chart["aria-label"] for chart in charts)


def test_a_scene_without_labels_says_so(page: str) -> None:
    assert text(page).count("no label") == 2


def test_the_round_in_use_is_marked(page: str) -> None:
    rows = re.findall(r'<tr class="selected">.*?</tr>', page)
    assert len(rows) == 3
    assert sum("in use" in row for row in rows) == 1
    assert all('data-value="2"' in row for row in rows)


def test_the_transport_shows_its_evidence(page: str) -> None:
    rows = text(page[page.index('<section id="transport">') :])
    assert "1.31 · 1.12 · 0.94" in rows
    assert "4.2e-07 yes" in rows


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
