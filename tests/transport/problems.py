"""Random transport problems."""

import numpy as np
import torch
from numpy.typing import NDArray

from dllr.transport.data import Dense
from dllr.transport.problem import Problem

Costs = NDArray[np.float32]
# Columns as `Problem` has them, and relaxed but for the last one.
COLUMNS = ["equal", "relaxed", "bounded", "last exact"]


def costs(seed: int, pixels: int, classes: int, sharp: float = 2.0) -> Costs:
    """−log of probabilities, as a network gives them."""
    z = sharp * np.random.default_rng(seed).normal(size=(pixels, classes))
    return (np.logaddexp.reduce(z, axis=1, keepdims=True) - z).astype(np.float32)


def shares(seed: int, classes: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed + 1).dirichlet(np.ones(classes))


def dense(cost: Costs, mass: NDArray[np.float32] | None = None) -> Dense:
    return Dense(torch.from_numpy(cost), None if mass is None else torch.from_numpy(mass))


def problem(
    b: NDArray[np.float64], epsilon: float, columns: str = "equal", rho: float = 0.5
) -> Problem:
    if columns == "equal":
        return Problem(b, epsilon)
    if columns == "bounded":
        b = np.minimum(1.3 * b, 1.0)
        return Problem(b / min(b.sum(), 1.0), epsilon, "bounded")
    prices = np.full(len(b), rho)
    prices[-1] = rho if columns == "relaxed" else np.inf
    return Problem(b, epsilon, "relaxed", prices)
