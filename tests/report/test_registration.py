"""The section with the evidence of the registration shows what the records say, and no more."""

import base64
import io
import re
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from page_reading import Outline
from PIL import Image

from dllr.report.page import environment
from dllr.report.registration import (
    MOST,
    SQUARE,
    Scene,
    checkerboard,
    evidence,
    flicker,
    scene,
    weakest,
    worst_precision,
)
from dllr.report.ties import charts, displacements, enlargement, field, residuals

SIZE = 96


def record(**changes: Any) -> dict[str, Any]:
    matrix = [[1.0, 0.0, 2.0], [0.0, 1.0, -1.0], [0.0, 0.0, 1.0]]
    facts = {"matrix": matrix, "shift_px": 2.236, "rotation_degrees": 0.0, "scale": 0.0}
    ties = [[100.0, 50.0, 102.5, 49.0], [300.0, 250.0, 302.0, 248.0]]
    each = {**facts, "precision_px": 0.62, "coverage": 0.9, "evidence": 9.1, "ties": ties}
    return {
        **facts, "estimators": ["information", "gradients"], "verdict": "applied", "apart_px": 0.77,
        "reason": "information and gradients agree to 0.77 px", "size": [400, 500],
        "estimates": {"information": each, "gradients": {**each, "precision_px": None, "ties": []}},
    } | changes  # fmt: skip


def crops(n: int, after: bool = True) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    grey = rng.integers(1, 256, (n, SIZE, SIZE)).astype(np.uint8)
    found = {
        "places": np.arange(2 * n).reshape(n, 2),
        "optical": rng.integers(1, 256, (n, SIZE, SIZE, 3)).astype(np.uint8),
        "before": grey,
    }
    return found | ({"after": grey[:, ::-1]} if after else {})


@given(hnp.arrays(np.uint8, (SIZE, SIZE)), st.integers(0, SIZE - 1), st.integers(0, SIZE - 1))
def test_each_pixel_of_a_checkerboard_is_of_the_image_of_its_field(
    first: np.ndarray, y: int, x: int
) -> None:
    second = (first + 1).astype(np.uint8)
    chosen = first if (y // SQUARE + x // SQUARE) % 2 == 0 else second
    assert checkerboard(first, second)[y, x] == chosen[y, x]


@given(
    hnp.arrays(np.float64, (2, 3), elements=st.floats(-2, 2)),
    hnp.arrays(np.float64, (4, 2), elements=st.integers(0, 500)),
)
def test_ties_that_lie_where_the_matrix_says_point_there_and_leave_nothing(
    affine: np.ndarray, at: np.ndarray
) -> None:
    matrix = np.vstack([affine, [0, 0, 1]])
    there = (np.column_stack([at, np.ones(4)]) @ matrix.T)[:, :2]
    estimate = {"matrix": matrix.tolist(), "ties": np.hstack([at, there]).tolist()}
    assert displacements(estimate) == pytest.approx(np.hstack([at, there - at]), abs=1e-6)
    assert residuals(estimate) == pytest.approx(np.hstack([at, 0 * at]), abs=1e-6)


def test_arrows_are_enlarged_and_so_is_the_scale() -> None:
    estimate, size = record()["estimates"]["information"], (400, 500)
    rest = residuals(estimate)
    assert rest.tolist() == [[100, 50, 0.5, 0], [300, 250, 0, -1]]
    axes = field({"information": rest}, size).axes[0]
    (quiver,), (scale,) = axes.collections, axes.artists
    # The longest, of 1 px, is drawn at a tenth of 500 px.
    assert enlargement({"information": rest}, size) == 50
    assert quiver.XY.tolist() == [[100, 50], [300, 250]]
    assert pytest.approx([25, 0]) == quiver.U and pytest.approx([0, -50]) == quiver.V
    assert scale.U == 50 and scale.label == "1 px"
    assert axes.yaxis_inverted()  # row 0 is on top


@given(st.floats(1e-3, 1e3))
def test_the_scale_is_round_and_no_longer_than_the_longest_arrow(length: float) -> None:
    scale = field({"a": np.array([[5.0, 5.0, length, 0.0]])}, (10, 10)).axes[0].artists[0]
    known = float(scale.label.removesuffix(" px"))
    assert 0.39 * length < known <= length * (1 + 1e-6)
    assert f"{known:e}"[:8] in {"1.000000", "2.000000", "5.000000"}


def test_each_estimator_has_its_colour_and_its_mark() -> None:
    arrows = np.array([[5.0, 5.0, 1.0, 0.0]])
    first, second = field({"a": arrows, "b": arrows}, (10, 10)).axes[0].lines
    assert first.get_color() != second.get_color() and first.get_marker() != second.get_marker()


def test_there_is_no_tie_field_without_ties() -> None:
    assert charts("a", record(estimates={})) == []
    none = {"information": {**record()["estimates"]["information"], "ties": []}}
    assert charts("a", record(estimates=none)) == []


def test_ties_without_a_length_or_a_precision_are_shown() -> None:
    still = {**record()["estimates"]["information"], "precision_px": None}
    still |= {"matrix": np.eye(3).tolist(), "ties": [[1.0, 1.0, 1.0, 1.0]]}
    both = charts("a", record(estimates={"information": still}))
    assert len(both) == 2 and "1 blocks, median 0.00 px" in both[1].alt


def test_the_worst_precision_counts() -> None:
    assert worst_precision(record()) == 0.62
    assert worst_precision(record(estimates={})) is None


def text(*scenes: Scene) -> str:
    """The section, of scenes that are all shown."""
    said = evidence({s.name: s.record for s in scenes}, scenes)
    template = environment().get_template("registration.html.j2")
    return template.render(scenes=scenes, evidence=said)


def opened(uri: str) -> np.ndarray:
    data = base64.b64decode(uri.split(";base64,")[1])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


NOTHING = dict.fromkeys(("matrix", "shift_px", "rotation_degrees", "scale", "apart_px"))


def kept(verdict: str, **changes: Any) -> dict[str, Any]:
    return record(verdict=verdict, estimates={}, **NOTHING) | changes


def test_what_was_found_is_on_the_page() -> None:
    page = text(
        scene("a", record(), crops(2)),
        scene("b", kept("unverified"), {}),
        scene("c", kept("none", estimators=[]), {}),
    )
    assert "1 of 3 SAR images were moved: 1 where two kinds" in page
    assert page.count('class="picture flicker"') == 4 and page.count("checkerboard of both") == 4
    assert page.count("No part of the scene that both images know") == 1
    assert page.count("Nothing was estimated") == 1
    assert "information: 2 blocks, median 0.75 px" in page and "agree to 0.77 px" in page
    assert '<td class="number" rowspan="2">0.77</td>' in page
    outline = Outline(page)
    assert outline.open == []
    assert outline.of("details", "id") == ["scene-a", "scene-b", "scene-c"]
    assert "The others stay" in page


def test_what_was_given_counts_as_moved_and_not_as_agreed_upon() -> None:
    given = kept("given", matrix=np.eye(3).tolist(), shift_px=0.0, rotation_degrees=0.0, scale=0.0)
    page = text(scene("a", given, crops(1)), scene("b", kept("none", estimators=[]), {}))
    assert "1 of 2 SAR images were moved: 0 where" in page
    assert "1 as <code>coregister.given</code> says, unchecked" in page
    assert "The georeferencing was kept" not in page


def test_an_image_that_was_not_moved_has_no_after() -> None:
    page = text(scene("a", kept("unverified"), crops(1, after=False)))
    assert "as georeferenced: flicker" in page and "as moved" not in page
    assert "The georeferencing was kept" in page


def test_pixels_without_data_are_clear() -> None:
    found = crops(1)
    optical, sar = found["optical"][0], found["before"][0].copy()
    sar[:48] = 0
    pair = flicker(optical, sar, "before", "words")
    clear = [opened(uri)[..., 3] == 0 for uri in (pair.optical, pair.sar, pair.board)]
    assert [share.mean() for share in clear] == [0, 0.5, 0.5]
    assert clear[1][:48].all()


def test_pairs_and_checkerboards_are_reached_by_keyboard_and_motion_can_be_stopped() -> None:
    page = text(scene("a", record(), crops(1)))
    buttons = re.findall(r'<button type="button" class="picture[^"]*">(.*?)</button>', page)
    assert [button.count("<img") for button in buttons] == [2, 1, 2, 1]
    assert 'id="still"' in page
    style = environment().get_template("style.html.j2").render()
    (moving,) = re.findall(
        r"@media \(prefers-reduced-motion: no-preference\) \{(.*?)\n\}", style, re.S
    )
    assert style.count("animation: flicker") == moving.count("animation: flicker") == 1


def test_names_have_anchors_whatever_they_are() -> None:
    names = ["a b", "<b>&", "é/1", "50%"]
    scenes = [scene(name, kept("none", estimators=[]), {}) for name in names]
    outline = Outline(text(*scenes))
    assert outline.open == []
    identifiers = outline.of("details", "id")
    assert [unquote(i) for i in identifiers] == [f"scene-{name}" for name in names]
    assert not any(re.search(r"\s", i) for i in identifiers)
    anchors = evidence({s.name: s.record for s in scenes}, scenes)["anchors"]
    assert anchors == dict(zip(names, identifiers, strict=True))


def test_of_many_scenes_those_with_the_weakest_evidence_are_shown() -> None:
    records = {f"s{n:02}": record(apart_px=n / 10) for n in range(MOST + 5)}
    records["s01"], records["s02"] = kept("unverified"), kept("given")
    names = weakest(records)
    assert names == ["s01", "s02", *[f"s{n:02}" for n in range(7, MOST + 5)]]
    shown = [scene(name, records[name], {}) for name in names]
    said = evidence(records, shown)
    assert (said["moved"], said["applied"], said["left_out"]) == (MOST + 3, MOST + 3, 5)
    template = environment().get_template("registration.html.j2")
    page = template.render(scenes=list(records), evidence=said)
    assert f"Shown are the {MOST} scenes whose evidence is weakest" in page


def test_the_section_stands_alone_and_is_the_same_again() -> None:
    page = text(scene("<b>&", record(reason="<i>"), crops(1)))
    assert page == text(scene("<b>&", record(reason="<i>"), crops(1)))
    assert "<b>&" not in page and "<i>" not in page and "&lt;b&gt;&amp;" in page
    assert not re.search(r"(?:https?:)?//[a-z0-9-]+\.", page, flags=re.IGNORECASE)
    outline = Outline(page)
    assert outline.open == []
    asked = [*outline.of("img", "src"), *outline.of("link", "href"), *outline.of("a", "href")]
    assert all(address.startswith(("data:", "#")) for address in asked)
    assert "" not in outline.of("img", "alt")
    identifiers = [found["id"] for _, found in outline.tags if "id" in found]
    assert len(identifiers) == len(set(identifiers))
    drawn = [found for _, found in outline.tags if found.get("role") == "img"]
    assert len(drawn) == 2 and all(chart["aria-label"] for chart in drawn)


def test_where_all_were_moved_none_stays() -> None:
    assert "The others stay" not in text(scene("a", record(), {}))


def test_a_section_without_scenes_is_one() -> None:
    assert "0 of 0 SAR images were moved" in text()
    assert Outline(text()).open == []
