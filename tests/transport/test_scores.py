"""What a pixel costs each class, and how sure a plan is."""

import numpy as np
from scipy.special import logsumexp, softmax

from dllr.transport.scores import certainty, cost


def test_cost_of_one_sure_head_is_its_own_cross_entropy() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 10, 4)).astype(np.float32)
    seen = np.array([[True] * 10, [False] * 10, [False] * 10])
    found = cost(logits, np.array([2.0, 1.0, 1.0]), np.array([0.5, 0.25, 0.25]), seen)
    expected = logsumexp(logits[0] / 2, axis=1, keepdims=True) - logits[0] / 2
    assert np.allclose(found, expected, atol=1e-5)


def test_cost_is_of_the_weighed_mean_of_what_the_heads_that_see_say() -> None:
    dice = np.random.default_rng(1)
    logits = dice.normal(size=(3, 20, 4)).astype(np.float32)
    heat, weights = np.array([2.0, 1.0, 0.5]), np.array([0.5, 0.3, 0.2])
    seen = dice.random((3, 20)) < 0.6
    seen[0] |= ~seen.any(axis=0)
    opinion = softmax(logits / heat[:, None, None], axis=2)
    share = (weights[:, None] * seen)[..., None]
    expected = -np.log((share * opinion).sum(axis=0) / share.sum(axis=0))
    assert np.allclose(cost(logits, heat, weights, seen), expected, atol=1e-5)


def test_certainty_is_one_for_sure_and_zero_for_uniform() -> None:
    rows = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]], np.float32)
    found = certainty(rows)
    assert np.allclose(found[:2], [1, 0], atol=1e-3)
    assert np.isclose(found[2], np.sqrt(1 - np.log(2) / np.log(3)))
