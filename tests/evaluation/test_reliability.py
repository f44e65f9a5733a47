"""Calibration error and Brier score, against loops over bins and classes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import softmax
from sklearn.metrics import log_loss

from dllr.evaluation.reliability import BINS, Reliability, reliability
from dllr.evaluation.temperature import temperature

CLASSES = 4


@st.composite
def opinions(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, some of them certain or on an edge of a bin, and labels."""
    count = draw(st.integers(0, 40))
    logits = draw(
        hnp.arrays(np.float32, (count, CLASSES), elements=st.sampled_from([-90.0, 0.0, 0.5, 2.0]))
    )
    label = draw(hnp.arrays(np.int64, count, elements=st.integers(0, CLASSES - 1)))
    return softmax(logits.astype(np.float64), axis=1), label


def expected(probability: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """ECE and Brier score by their definitions."""
    sure, hit = probability.max(axis=1), probability.argmax(axis=1) == label
    error = 0.0
    for low, high in zip(
        np.linspace(0, 1, BINS + 1)[:-1], np.linspace(0, 1, BINS + 1)[1:], strict=True
    ):
        inside = (sure > low) & (sure <= high) if high < 1 else sure > low
        if inside.any():
            error += inside.mean() * abs(hit[inside].mean() - sure[inside].mean())
    brier = np.square(probability - np.eye(CLASSES)[label]).sum(axis=1).mean()
    return error, float(brier)


@given(opinions())
def test_scores_are_those_of_their_definitions(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    found = reliability(*drawn)
    if not len(drawn[1]):
        assert (found.ece, found.brier) == (None, None)
        return
    ece, brier = expected(*drawn)
    assert found.ece == pytest.approx(ece, abs=1e-9)
    assert found.brier == pytest.approx(brier, abs=1e-9)
    assert 0 <= found.ece <= 1 and 0 <= found.brier <= 2


@given(opinions(), st.integers(0, 40))
def test_sums_of_parts_add_up(drawn: tuple[np.ndarray, np.ndarray], cut: int) -> None:
    probability, label = drawn
    whole = reliability(probability, label)
    parts = reliability(probability[:cut], label[:cut]) + reliability(
        probability[cut:], label[cut:]
    )
    np.testing.assert_array_equal(parts.pixels, whole.pixels)
    np.testing.assert_array_equal(parts.hits, whole.hits)
    np.testing.assert_allclose(parts.confidence, whole.confidence)
    assert parts.squares == pytest.approx(whole.squares)


def test_a_certain_network_that_is_half_right() -> None:
    certain = np.eye(2)[[0, 0]]
    found: Reliability = reliability(certain, np.array([0, 1]))
    assert (found.ece, found.brier) == (0.5, 1.0)
    assert found.pixels[-1] == 2 and found.pixels.sum() == 2


def test_probabilities_that_hold_have_no_error() -> None:
    """Labels drawn from the probabilities themselves."""
    rng = np.random.default_rng(3)
    probability = softmax(rng.normal(size=(200_000, 3)), axis=1)
    label = (probability.cumsum(axis=1) < rng.random((len(probability), 1))).sum(axis=1)
    found = reliability(probability, label)
    assert found.ece is not None and found.ece < 0.006
    assert found.brier == pytest.approx(1 - np.square(probability).sum(axis=1).mean(), abs=0.005)


def test_the_temperature_takes_back_what_was_multiplied_and_lowers_the_loss() -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(50_000, 3)).astype(np.float32)
    label = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((len(logits), 1))).sum(axis=1)
    found = temperature(3 * logits, label)
    assert found == pytest.approx(3, rel=0.03)
    loss = [log_loss(label, softmax(3 * logits / t, axis=1)) for t in (1.0, found)]
    assert loss[1] < loss[0]
    before, after = (reliability(softmax(3 * logits / t, axis=1), label) for t in (1.0, found))
    assert after.ece < before.ece / 5 and after.brier < before.brier  # type: ignore[operator]


def test_without_labels_the_temperature_is_one() -> None:
    assert temperature(np.empty((0, 3), np.float32), np.empty(0, np.int64)) == 1
