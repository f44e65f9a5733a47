"""A transform says what it does in words: shift of the centre, rotation, scale, distance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllr.registration.pair import warped
from dllr.registration.transform import (
    distance,
    moved,
    rotation,
    scaled,
    shift,
    similarity,
    stretch,
)

SIZE = (90, 130)
small = st.floats(-5, 5)


@given(small, small, st.floats(-3, 3), st.floats(0.97, 1.03))
def test_what_is_put_in_is_read_out(x: float, y: float, degrees: float, scale: float) -> None:
    matrix = similarity(SIZE, (x, y), degrees, scale)
    assert shift(matrix, SIZE) == pytest.approx(np.hypot(x, y), abs=1e-9)
    assert rotation(matrix) == pytest.approx(degrees, abs=1e-9)
    assert stretch(matrix) == pytest.approx(abs(scale - 1), abs=1e-9)


@given(small, small, st.floats(-3, 3), st.floats(0.97, 1.03), st.sampled_from([2, 3, 8]))
def test_a_thinned_image_moves_alike(
    x: float, y: float, degrees: float, scale: float, factor: int
) -> None:
    matrix = similarity(SIZE, (x, y), degrees, scale)
    points = np.array([[0.0, 0.0], [40.0, 16.0], [130.0, 90.0]])
    assert moved(scaled(matrix, factor), points / factor) * factor == pytest.approx(
        moved(matrix, points)
    )
    assert scaled(scaled(matrix, factor), 1 / factor) == pytest.approx(matrix)


def test_distance_is_that_of_the_worst_mark() -> None:
    assert distance(np.eye(3), similarity(SIZE, (3, 4)), SIZE) == pytest.approx(5)
    turned = similarity(SIZE, rotation=1)
    assert distance(np.eye(3), turned, SIZE) == pytest.approx(
        np.hypot(45, 65) * np.radians(1), rel=1e-3
    )
    assert shift(turned, SIZE) == pytest.approx(0, abs=1e-9)


def test_an_image_is_brought_back_by_its_transform() -> None:
    y, x = np.mgrid[:60, :80] + 0.5
    matrix = similarity((60, 80), (4.25, -2.5), 2, 1.01)
    ground = (0.3 * x + 0.7 * y).astype(np.float32)
    inverse = np.linalg.inv(matrix)
    at = [inverse[i, 0] * x + inverse[i, 1] * y + inverse[i, 2] for i in (0, 1)]
    shown = (0.3 * at[0] + 0.7 * at[1]).astype(np.float32)  # what the moved image holds
    back = warped(shown, matrix, (60, 80))
    assert back[10:-10, 10:-10] == pytest.approx(ground[10:-10, 10:-10], abs=1e-3)
