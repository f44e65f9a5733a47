"""Class, confidence and entropy are those of the calibrated probabilities."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy

from dllr.maps.certainty import certainty, probabilities

NOTHING = np.zeros((8, 9), bool)


def logits(classes: int = 5) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3, (classes, 8, 9)).astype(np.float32)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_it_is_what_softmax_says(temperature: float) -> None:
    z = logits()
    found = certainty(z, temperature, NOTHING)
    expected = softmax(z.astype(float) / temperature, axis=0)
    assert np.abs(probabilities(z, temperature, NOTHING) - 100 * expected).max() <= 0.501
    assert np.array_equal(found.label, z.argmax(axis=0))
    assert np.abs(found.confidence - 100 * expected.max(axis=0)).max() <= 0.501
    share = entropy(expected, axis=0) / np.log(5)
    assert np.abs(found.entropy - 100 * share).max() <= 0.501


def test_the_ends_of_the_scale() -> None:
    even, sure = np.zeros((4, 8, 9), np.float32), np.zeros((4, 8, 9), np.float32)
    sure[2] = 500
    assert (certainty(even, 1.0, NOTHING).entropy == 100).all()
    assert (certainty(even, 1.0, NOTHING).confidence == 25).all()
    assert (certainty(sure, 1.0, NOTHING).entropy == 0).all()
    assert (certainty(sure, 1.0, NOTHING).confidence == 100).all()


def test_no_data_stays_and_the_logits_are_left_alone() -> None:
    z, missing = logits(), np.random.default_rng(1).random((8, 9)) < 0.3
    before = z.copy()
    found = certainty(z, 2.0, missing)
    for values in (*found, *probabilities(z, 2.0, missing)):
        assert np.array_equal(values == 255, missing)
    assert np.array_equal(z, before)


def test_a_higher_temperature_is_never_surer() -> None:
    cold, warm = (certainty(logits(), t, NOTHING) for t in (1.0, 2.0))
    assert (warm.confidence <= cold.confidence).all()
    assert (warm.entropy >= cold.entropy).all()
    assert np.array_equal(warm.label, cold.label)
