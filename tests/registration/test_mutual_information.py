"""A known misregistration is found again, and nonsense is not believed."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from dllr.execution import one_thread_each
from dllr.registration.estimate import Estimate, judge
from dllr.registration.mutual_information import estimate

SIDE = 160


def pair(
    matrix: NDArray[np.float64], seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two modalities of one patchwork: other grey values, speckle, the second moved by `matrix`."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(SIDE + 40, SIDE + 40)), 5)
    classes = np.digitize(field, np.quantile(field, [0.25, 0.5, 0.75]))
    fixed = np.array([0.1, 0.5, 0.2, 0.4])[classes] + 0.02 * rng.normal(size=field.shape)
    moving = np.array([-8.0, -14.0, -20.0, -6.0])[classes]
    inverse = np.linalg.inv(
        matrix
    )  # moving pixel (x, y) shows the ground of the fixed pixel inverse @ (x, y)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    gx, gy = (inverse[i, 0] * x + inverse[i, 1] * y + inverse[i, 2] - 0.5 + 20 for i in (0, 1))
    moved = ndimage.map_coordinates(moving, [gy, gx], order=1)
    speckle = 10 * np.log10(rng.gamma(4, 0.25, moved.shape))
    return fixed[20:-20, 20:-20].astype(np.float32), (moved + speckle).astype(np.float32)


def affine(dx: float, dy: float, degrees: float = 0.0, scale: float = 1.0) -> NDArray[np.float64]:
    angle, middle = np.radians(degrees), SIDE / 2
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = np.array([dx, dy]) + middle - turn @ [middle, middle]
    return matrix


@pytest.mark.parametrize("truth", [affine(0, 0), affine(4.5, -3.25), affine(-5, 2, 0.4, 1.004)])
def test_known_transforms_are_found_to_half_a_pixel(truth: NDArray[np.float64]) -> None:
    fixed, moving = pair(truth)
    all_valid = np.ones(fixed.shape, bool)
    with one_thread_each():
        found = estimate(fixed, all_valid, moving, all_valid, 10.0)
        again = estimate(fixed, all_valid, moving, all_valid, 10.0)
    corners = np.array([[0, SIDE, 0, SIDE], [0, 0, SIDE, SIDE], [1, 1, 1, 1]])
    assert np.hypot(*(found.matrix @ corners - truth @ corners)[:2]).max() < 0.5
    assert np.array_equal(found.matrix, again.matrix)
    assert found.similarity[1] >= found.similarity[0]


def test_facts_of_a_transform() -> None:
    given = Estimate(affine(3, 4, 0.5, 1.01), (0.1, 0.2), (0.1, 0.2))
    assert given.rotation == pytest.approx(0.5)
    assert given.scale == pytest.approx(0.01, abs=1e-6)
    assert Estimate(affine(3, 4), (0, 1), (0, 1)).shift(SIDE, SIDE) == pytest.approx(5)


@pytest.mark.parametrize(
    ("matrix", "similarity", "edges", "word", "reason"),
    [
        (affine(3, 0), (0.1, 0.2), (0.1, 0.2), "applied", "both rose"),
        (affine(30, 0), (0.1, 0.2), (0.1, 0.2), "unverified", "shift 30 px exceeds 12"),
        (affine(0, 0, 3), (0.1, 0.2), (0.1, 0.2), "unverified", "rotation 3 degrees"),
        (affine(0, 0, 0, 1.05), (0.1, 0.2), (0.1, 0.2), "unverified", "scale 0.05 exceeds"),
        (affine(3, 0), (0.2, 0.1), (0.1, 0.2), "unverified", "mutual information fell"),
        (affine(3, 0), (0.1, 0.2), (0.2, 0.1), "unverified", "edges fell"),
        (affine(3, 0), (0.1, 0.2), (0.2, float("nan")), "unverified", "edges cannot be measured"),
    ],
)
def test_only_what_is_plausible_and_helps_is_applied(
    matrix: NDArray[np.float64],
    similarity: tuple[float, float],
    edges: tuple[float, float],
    word: str,
    reason: str,
) -> None:
    verdict = judge(Estimate(matrix, similarity, edges), (SIDE, SIDE), 12, 2, 0.02)
    assert verdict.word == word
    assert reason in verdict.reason
