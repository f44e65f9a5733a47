from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllr.raster.roles import Role
from dllr.report import splitmap
from dllr.report.splitmap import MIXED, SPLITS, Scene

PARTS = {"train": ("train",), "test": ("test",), MIXED: ("test", "train"), "none": ("none",)}


def scene(name: str, split: str, x: float = 10, y: float = 50, side: float = 0.1) -> Scene:
    box = [[x, y], [x + side, y], [x + side, y - side], [x, y - side]]
    return Scene(name, PARTS[split], split != "none", np.array(box))


def texts(svg: str) -> list[ElementTree.Element]:
    return [found for found in ElementTree.fromstring(svg).iter() if found.tag.endswith("text")]


def words(svg: str) -> list[str]:
    return ["".join(found.itertext()) for found in texts(svg)]


def test_few_scenes_are_named_whatever_their_names() -> None:
    names = ["plain", "a--b", "$x_1$", "<b>&one", "ж"]
    (chart,) = splitmap.overview([scene(n, "train", 10 + i) for i, n in enumerate(names)])
    assert set(names) <= set(words(chart.svg))
    assert all(name in chart.alt for name in names)


def test_many_scenes_are_counted_and_not_named() -> None:
    many = [scene(f"s{i}", "train", 10 + 0.1 * (i % 70), 40 + 0.1 * (i // 70)) for i in range(4200)]
    (chart,) = splitmap.overview([*many, scene("last", "test", 17.5, 41)])
    assert {"train, labelled (4\u202f200)", "test, labelled (1)"} <= set(words(chart.svg))
    assert "last" not in words(chart.svg)
    assert "last" in chart.alt and "s17" not in chart.alt
    assert len(chart.svg) < 100 * len(many)


def test_names_of_neighbours_lie_on_no_scene() -> None:
    """Scenes in a row, narrower than their names: above and below in turn."""
    row = [scene(f"a_scene_{i}", "train", 10 + 0.12 * i) for i in range(8)]
    (chart,) = splitmap.overview(row)
    names = [e for e in texts(chart.svg) if "".join(e.itertext()).startswith("a_scene")]
    heights = [float(e.attrib["y"]) for e in names]
    assert len(heights) == 8
    assert heights[::2] == [heights[0]] * 4 and heights[1::2] == [heights[1]] * 4
    assert heights[0] < heights[1] - 0.1 * 72 * 4.4 / 1.12 / 0.94 * 0.9  # scenes lie between


def test_a_name_that_would_cover_another_is_left_out() -> None:
    """Scenes of one place: a name in it and one at each side, no more."""
    here = [f"scene {i}" for i in range(9)]
    (chart,) = splitmap.overview([scene(name, "train") for name in here])
    named = [name for name in words(chart.svg) if name in here]
    assert named == here[: len(named)] and 1 <= len(named) <= 5


def test_scenes_a_world_apart_can_be_seen_and_are_said_to_be_larger() -> None:
    places = [(-70, -38), (-48, -25), (34, -3), (10, 57)]
    (chart,) = splitmap.overview([scene(f"s{x}", "train", x, y, 0.02) for x, y in places])
    assert "(4 are drawn larger than true to scale)" in chart.caption
    assert {"s-70", "s-48", "s34", "s10"} <= set(words(chart.svg))


def test_clusters_have_close_ups() -> None:
    clusters = [(116.03, 40.06), (-59.97, -4.94)]
    near = [scene(f"{x:.0f} {i}", "test", x + 0.2 * i, y) for x, y in clusters for i in range(3)]
    charts = splitmap.overview(near)
    assert [chart.caption for chart in charts[1:]] == [
        "Close-up 1: 3 scenes around 5°S 59.7°W",
        "Close-up 2: 3 scenes around 40°N 116.3°E",
    ]
    assert "drawn larger" in charts[0].caption
    assert {"116 0", "116 1", "116 2"} <= set(words(charts[2].svg))


def test_same_scenes_same_text() -> None:
    few = [scene("a", "train"), scene("b", MIXED, 10.2)]
    assert splitmap.overview(few) == splitmap.overview(few)


@pytest.mark.parametrize(
    ("longitude", "said"), [(0, "0°"), (-0.5, "0.5°W"), (180, "180°"), (181.25, "178.75°W")]
)
def test_longitudes_in_words(longitude: float, said: str) -> None:
    assert splitmap._degrees(longitude, 0) == said


@given(st.lists(st.sampled_from(list(PARTS)), max_size=12), st.integers(0, 15))
def test_scenes_of_several_splits_are_shown_first_then_each_split(
    splits: list[str], number: int
) -> None:
    scenes = [scene(str(i), split) for i, split in enumerate(splits)]
    found = splitmap.shown(scenes, number)
    assert len(found) == len(set(found)) == min(number, len(scenes))
    kinds = [splits[int(name)] for name in found]
    mixed = min(number, splits.count(MIXED))
    assert kinds[:mixed] == [MIXED] * mixed
    others = set(splits) - {MIXED}
    assert len(set(kinds[mixed:])) == min(len(others), number - mixed)


def test_every_role_but_none_has_a_colour_of_its_own() -> None:
    index = np.array([[*splitmap.ROLES, Role.NONE]], np.uint8)
    assert set(splitmap.ROLES) == set(Role) - {Role.NONE}
    picture = splitmap.roles(index)[0]
    for role, (_, colour) in splitmap.ROLES.items():
        assert tuple(picture[role]) == (*bytes.fromhex(colour[1:]), 255)
    assert picture[-1, 3] == 0
    assert len({tuple(pixel) for pixel in picture}) == len(Role)


def test_roles_in_words_are_their_shares() -> None:
    index = np.array([[Role.TEST, Role.TEST, Role.NONE, Role.LABELLED]], np.uint8)
    assert splitmap.roles_in_words("hill", index) == (
        "hill, split: training, labelled 25 %, test 50 %, none 25 %"
    )


def test_every_split_has_a_colour() -> None:
    assert len(set(SPLITS.values())) == len(SPLITS)
