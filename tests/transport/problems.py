"""Random transport problems."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from dllr.transport.data import Dense
from dllr.transport.problem import Columns, Problem

Costs = NDArray[np.float32]


def costs(seed: int, pixels: int, classes: int, sharp: float = 2.0) -> Costs:
    """−log of probabilities, as a network gives them."""
    z = sharp * np.random.default_rng(seed).normal(size=(pixels, classes))
    return (np.logaddexp.reduce(z, axis=1, keepdims=True) - z).astype(np.float32)


def shares(seed: int, classes: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed + 1).dirichlet(np.ones(classes))


def dense(cost: Costs, mass: NDArray[np.float32] | None = None) -> Dense:
    return Dense(torch.from_numpy(cost), None if mass is None else torch.from_numpy(mass))


def problem(
    b: NDArray[np.float64], epsilon: float, columns: Columns = "equal", rho: float = 0.5
) -> Problem:
    if columns == "bounded":
        b = np.minimum(1.3 * b, 1.0)
        b = b / min(b.sum(), 1.0)
    return Problem(b, epsilon, columns, rho if columns == "relaxed" else math.inf)
