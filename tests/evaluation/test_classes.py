"""Precision, recall and F1 by class, against scikit-learn."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from dllr.evaluation.classes import by_class
from dllr.evaluation.confusion import confusion, scores

CLASSES = 4
NAMES = ["field", "town", "lake", "wood"]


@st.composite
def label_pairs(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=2, max_side=12))
    index = st.sampled_from([*range(CLASSES), 255])
    actual = draw(hnp.arrays(np.uint8, shape, elements=index))
    return actual, draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, CLASSES - 1)))


@settings(deadline=None)
@given(label_pairs())
def test_scores_of_classes_are_those_of_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    actual, predicted = pair
    found = by_class(confusion(actual, predicted, CLASSES), NAMES)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    a, p = actual[actual != 255], predicted[actual != 255]
    if not len(a):
        assert found == dict.fromkeys(found, dict.fromkeys(NAMES))
        return
    oracle = metrics.precision_recall_fscore_support(
        a, p, labels=range(CLASSES), zero_division=np.nan
    )
    for key, values in zip(("precision", "recall", "class_f1"), oracle, strict=False):
        wanted = [None if np.isnan(v) else pytest.approx(v, abs=1e-12) for v in values]
        assert list(found[key].values()) == wanted, key


@given(label_pairs())
def test_mean_f1_is_the_mean_of_the_classes(pair: tuple[np.ndarray, np.ndarray]) -> None:
    matrix = confusion(*pair, CLASSES)
    known = [v for v in by_class(matrix, NAMES)["class_f1"].values() if v is not None]
    assert scores(matrix, NAMES)["f1"] == (pytest.approx(np.mean(known)) if known else None)


def test_a_class_that_is_missed_has_recall_and_no_precision() -> None:
    found = by_class(confusion(np.array([1]), np.array([0]), 3), ["a", "b", "c"])
    assert found == {
        "precision": {"a": 0.0, "b": None, "c": None},
        "recall": {"a": None, "b": 0.0, "c": None},
        "class_f1": {"a": 0.0, "b": 0.0, "c": None},
    }
