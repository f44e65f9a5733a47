"""Pixels to classes as entropic optimal transport with relaxed class shares.

    min over Q ≥ 0 of ⟨Q, C⟩ + ε Σ q_ic (log(q_ic / a_i) − 1) + ρ KL(Qᵀ1 | b),   Q1 = a

C (N, K) is the cost of giving pixel i to class c, a = 1/N the mass of a pixel, b the wanted class
shares, ρ the price of leaving them (Chizat et al., Math. Comp. 87, 2018). With the optimal potentials
v the plan of any pixel, also of one the problem never saw, is q_i ∝ exp((v − C_i) / ε), and its
column sums are b exp(−v / ρ).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from dllr.errors import TransportError


@dataclass(frozen=True)
class Solution:
    """Potentials of the classes, and the evidence that they solve the problem.

    potentials: (K,) float64 in the unit of the cost; −inf for a class of share 0.
    marginal: (K,) class shares of the plan. residual: L1 distance between the marginal and the
    b exp(−v / ρ) that optimality asks for. converged: the residual is within ten tolerances.
    """

    potentials: NDArray[np.float64]
    epsilon: float
    marginal: NDArray[np.float64]
    residual: float
    iterations: int
    converged: bool


def assign(cost: NDArray[np.float32], solution: Solution) -> NDArray[np.float32]:
    """Rows of the plan, each summing to one: (..., K) cost → (..., K) class probabilities."""
    scores = (solution.potentials - cost) / solution.epsilon
    return np.asarray(softmax(scores, axis=-1), np.float32)


def check(cost: NDArray[np.float32], shares: NDArray[np.float64]) -> None:
    """Raises TransportError where cost (N, K) or shares (K,) cannot be a problem."""
    if cost.ndim != 2 or cost.shape[1] != len(shares) or len(cost) == 0:
        raise TransportError(
            f"cost of shape {cost.shape} and {len(shares)} class shares; expected (N ≥ 1, K) and K"
        )
    if not np.isfinite(cost).all():
        raise TransportError("the cost is not finite everywhere; leave pixels without data out")
    if (shares < 0).any() or not np.isclose(shares.sum(), 1):
        raise TransportError(f"class shares {shares} must be ≥ 0 and sum to 1")
