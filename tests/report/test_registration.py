"""The page with the evidence of the registration shows what the records say, and no more."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dllr.report.registration import (
    SQUARE,
    Scene,
    checkerboard,
    render,
    scene,
    tie_field,
    worst_precision,
)

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


def test_arrows_are_what_blocks_leave_over_the_estimate() -> None:
    figure = tie_field(record())
    assert figure is not None
    arrows, scale = figure.axes[0].collections
    step = scale.U[0]  # of one pixel
    assert arrows.U / step == pytest.approx([0.5, 0.0])
    assert arrows.V / step == pytest.approx([0.0, -1.0])
    assert arrows.XY.tolist() == [[100, 50], [300, 250]]
    assert tie_field(record(estimates={})) is None


def test_the_worst_precision_counts() -> None:
    assert worst_precision(record()) == 0.62
    assert worst_precision(record(estimates={})) is None


def text(*scenes: Scene) -> str:
    return render(scenes)


def test_what_was_found_is_on_the_page() -> None:
    page = text(
        scene("a", record(), crops(2)), scene("b", record(verdict="none", estimates={}), {})
    )
    assert "1 of 2 SAR images were moved" in page
    assert page.count('class="picture flicker"') == 4 and page.count("checkerboard of both") == 4
    assert "No part of the scene that both images know" in page
    assert "half of them within 0.62 px" in page and "agree to 0.77 px" in page
    assert all(f'"#scene-{n}"' in page and f'id="scene-{n}"' in page for n in (1, 2))


def test_an_image_that_was_not_moved_has_no_after() -> None:
    page = text(scene("a", record(verdict="unverified", matrix=None), crops(1, after=False)))
    assert "as georeferenced: flicker" in page and "as moved" not in page


def test_the_page_stands_alone_and_is_the_same_again() -> None:
    page = text(scene("<b>&", record(reason="<i>"), crops(1)))
    assert page == text(scene("<b>&", record(reason="<i>"), crops(1)))
    assert "<b>&" not in page and "<i>" not in page and "&lt;b&gt;&amp;" in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert all(re.search(r'alt="[^"]*"', image) for image in re.findall(r"<img [^>]*>", page))
