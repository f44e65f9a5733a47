"""Confusion by part, and the band along borders."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dllr.evaluation.confusion import confusion
from dllr.evaluation.parts import boundary, confusion_by_part

CLASSES, PARTS = 4, 3
INDEX = st.sampled_from([*range(CLASSES), 255])
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=14)


@st.composite
def parted(draw: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, prediction and part of each pixel."""
    shape = draw(SHAPES)
    actual, predicted = (draw(hnp.arrays(np.uint8, shape, elements=INDEX)) for _ in range(2))
    return actual, predicted, draw(hnp.arrays(np.int64, shape, elements=st.integers(0, PARTS - 1)))


@given(parted())
def test_each_part_has_the_matrix_of_its_pixels_and_all_add_up(
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    actual, predicted, part = drawn
    found = confusion_by_part(actual, predicted, part, PARTS, CLASSES)
    for number in range(PARTS):
        alone = np.where(part == number, actual, 255)
        np.testing.assert_array_equal(found[number], confusion(alone, predicted, CLASSES))
    np.testing.assert_array_equal(found.sum(axis=0), confusion(actual, predicted, CLASSES))


@pytest.mark.parametrize(("actual", "part"), [(CLASSES, 0), (0, PARTS), (0, -1)])
def test_what_is_no_class_or_part_is_refused(actual: int, part: int) -> None:
    with pytest.raises(ValueError, match="invalid entry"):
        confusion_by_part(np.array([actual]), np.array([0]), np.array([part]), PARTS, CLASSES)


def by_hand(actual: np.ndarray, width: int) -> np.ndarray:
    """The band pixel by pixel: another known class within `width` rows and columns."""
    found = np.zeros(actual.shape, bool)
    for y, x in np.argwhere(actual != 255):
        around = actual[
            max(y - width, 0) : y + width + 1,
            max(x - width, 0) : x + width + 1,
        ]
        found[y, x] = bool(((around != 255) & (around != actual[y, x])).any())
    return found


@given(hnp.arrays(np.uint8, SHAPES, elements=INDEX), st.integers(1, 4))
def test_the_band_is_that_of_a_search_around_each_pixel(actual: np.ndarray, width: int) -> None:
    np.testing.assert_array_equal(boundary(actual, width), by_hand(actual, width))


def test_the_band_is_three_pixels_wide_on_either_side() -> None:
    actual = np.repeat(np.array([[0] * 8 + [1] * 8], np.uint8), 5, axis=0)
    assert np.flatnonzero(boundary(actual)[2]).tolist() == [5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("value", [2, 255])
def test_one_class_and_none_have_no_border(value: int) -> None:
    assert not boundary(np.full((9, 9), value, np.uint8)).any()
    assert not boundary(np.full((1, 1), value, np.uint8)).any()
