import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from dllr.evaluation.confusion import confusion, miou_of_present, scores

CLASSES = 5
NAMES = ["farmland", "city", "water", "forest", "road"]
INDEX = st.sampled_from([*range(CLASSES), 255])


@st.composite
def label_pairs(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction over any subset of the classes, ignored pixels among the truth."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=12))
    actual = draw(hnp.arrays(np.uint8, shape, elements=INDEX))
    return actual, draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, CLASSES - 1)))


def expected(actual: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """scikit-learn on the pixels that count, means over the classes that occur in either."""
    known = actual != 255
    a, p = actual[known], predicted[known]
    there = np.union1d(a, p)
    return {
        "miou": metrics.jaccard_score(a, p, labels=there, average="macro"),
        "oa": metrics.accuracy_score(a, p),
        "f1": metrics.f1_score(a, p, labels=there, average="macro"),
        "kappa": metrics.cohen_kappa_score(a, p) if len(there) > 1 else None,
    }


@given(label_pairs())
def test_matrix_is_that_of_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    actual, predicted = pair
    matrix = confusion(actual, predicted, CLASSES)
    known = actual != 255
    assert matrix.dtype == np.int64
    if known.any():
        oracle = metrics.confusion_matrix(actual[known], predicted[known], labels=range(CLASSES))
        np.testing.assert_array_equal(matrix, oracle)
    else:
        assert not matrix.any()


@settings(deadline=None)
@given(label_pairs().filter(lambda pair: bool((pair[0] != 255).any())))
def test_scores_are_those_of_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    actual, predicted = pair
    found = scores(confusion(actual, predicted, CLASSES), NAMES)
    for key, value in expected(actual, predicted).items():
        assert found[key] == pytest.approx(value, abs=1e-12), key  # type: ignore[literal-required]
    known = actual != 255
    each = metrics.jaccard_score(
        actual[known], predicted[known], labels=range(CLASSES), average=None, zero_division=0
    )
    there = set(np.union1d(actual[known], predicted[known]).tolist())
    for index, name in enumerate(NAMES):
        value = found["iou"][name]
        assert (value is not None) == (index in there)
        assert value is None or value == pytest.approx(each[index], abs=1e-12)


@given(label_pairs(), st.integers(0, 12))
def test_matrices_of_parts_add_up(pair: tuple[np.ndarray, np.ndarray], cut: int) -> None:
    actual, predicted = pair
    parts = [
        confusion(actual[part], predicted[part], CLASSES)
        for part in (slice(None, cut), slice(cut, None))
    ]
    np.testing.assert_array_equal(sum(parts), confusion(actual, predicted, CLASSES))


@given(label_pairs(), st.permutations(range(CLASSES)))
def test_scores_do_not_depend_on_the_order_of_classes(
    pair: tuple[np.ndarray, np.ndarray], order: list[int]
) -> None:
    matrix = confusion(*pair, CLASSES)
    here = scores(matrix, NAMES)
    there = scores(matrix[np.ix_(order, order)], [NAMES[i] for i in order])
    assert there["iou"] == here["iou"]
    for key in ("miou", "oa", "f1", "kappa"):
        assert there[key] == pytest.approx(here[key], abs=1e-12), key  # type: ignore[literal-required]


@given(label_pairs())
def test_scores_are_plain_json_within_their_ranges(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = scores(confusion(*pair, CLASSES), NAMES)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    shares = [found["miou"], found["oa"], found["f1"], *found["iou"].values()]
    assert all(0 <= value <= 1 for value in shares if value is not None)
    assert found["kappa"] is None or -1 <= found["kappa"] <= 1


def test_nothing_to_count_has_no_scores() -> None:
    nothing = np.full((4, 4), 255, np.uint8)
    found = scores(confusion(nothing, np.zeros((4, 4), np.uint8), CLASSES), NAMES)
    assert found == {
        "miou": None, "oa": None, "f1": None, "kappa": None, "iou": dict.fromkeys(NAMES),
    }  # fmt: skip


def test_one_right_pixel_has_all_scores_but_kappa() -> None:
    pixel = np.array([[2]], np.uint8)
    found = scores(confusion(pixel, pixel, CLASSES), NAMES)
    assert (found["miou"], found["oa"], found["f1"], found["kappa"]) == (1, 1, 1, None)
    assert found["iou"] == dict.fromkeys(NAMES) | {"water": 1.0}


def test_one_wrong_pixel_scores_zero() -> None:
    found = scores(confusion(np.array([2]), np.array([0]), CLASSES), NAMES)
    assert (found["miou"], found["oa"], found["f1"], found["kappa"]) == (0, 0, 0, 0)


def test_a_class_that_is_only_predicted_counts_as_zero() -> None:
    found = scores(confusion(np.array([0, 0, 0, 0]), np.array([0, 0, 0, 1]), 2), ["land", "water"])
    assert found["iou"] == {"land": 0.75, "water": 0.0}
    assert found["miou"] == 0.375


@given(label_pairs())
def test_of_the_classes_that_are_there_the_mean_is_that_of_scikit_learn(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    actual, predicted = pair
    found = miou_of_present(confusion(actual, predicted, CLASSES))
    a, p = actual[actual != 255], predicted[actual != 255]
    if not a.size:
        assert found is None
        return
    wanted = metrics.jaccard_score(a, p, labels=np.unique(a), average="macro")
    assert found == pytest.approx(wanted)
    if set(p) <= set(a):
        assert found == scores(confusion(actual, predicted, CLASSES), NAMES)["miou"]


def test_a_stray_pixel_of_a_class_that_is_not_there_is_one_pixel_that_is_wrong() -> None:
    actual = np.repeat([0, 1], 500)
    stray = actual.copy()
    stray[0] = 4
    matrix = confusion(actual, stray, CLASSES)
    assert miou_of_present(matrix) == pytest.approx((499 / 500 + 1) / 2)
    assert scores(matrix, NAMES)["miou"] == pytest.approx((499 / 500 + 1) / 3)


def test_pixels_without_prediction_do_not_count() -> None:
    matrix = confusion(np.array([0, 1, 255]), np.array([255, 1, 255]), 2)
    np.testing.assert_array_equal(matrix, [[0, 0], [0, 1]])


def test_a_whole_scene_of_bytes_does_not_overflow() -> None:
    """K² of 254 classes is far beyond the range of the arrays' own type."""
    matrix = confusion(np.full(3, 253, np.uint8), np.full(3, 252, np.uint8), 254)
    assert matrix[253, 252] == matrix.sum() == 3


@pytest.mark.parametrize(
    ("actual", "predicted", "message"),
    [
        ([0, 1], [0, 1, 1], r"actual is \(2,\), predicted \(3,\)"),
        ([0, 9], [0, 1], r"actual holds 0\.\.9; expected 0\.\.1, or 255"),
        ([0, 1], [-1, 1], r"predicted holds -1\.\.1; expected 0\.\.1"),
    ],
)
def test_bad_input_is_refused(actual: list[int], predicted: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion(np.array(actual), np.array(predicted), classes=2)


def test_a_matrix_needs_one_name_a_class() -> None:
    with pytest.raises(ValueError, match="does not fit 5 class names"):
        scores(np.zeros((2, 2), np.int64), NAMES)
