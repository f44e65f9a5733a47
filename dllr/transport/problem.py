"""Pixels to classes as entropic optimal transport.

    min over Q ≥ 0 of ⟨Q, C⟩ + ε Σ q_ic (log(q_ic / a_i) − 1),   Q1 = a,   and of the columns Qᵀ1:

    equal      Qᵀ1 = b
    relaxed    … + Σ_c ρ_c KL((Qᵀ1)_c | b_c)    (Chizat et al., Math. Comp. 87, 2018)
    bounded    Qᵀ1 ≤ b

C (N, K) is the cost of giving pixel i to class c, a_i > 0 the mass of a pixel, in all 1, and b the class
shares. There are far more pixels than classes, and the dual has but K unknowns, the potentials v: with
those the plan of any pixel, also of one the problem never saw, is q_i ∝ exp((v − C_i) / ε). Partial
transport is one more class of its own cost, say 0, that takes what is not labelled.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from dllr.errors import TransportError

Columns = Literal["equal", "relaxed", "bounded"]


@dataclass(frozen=True)
class Problem:
    """What is asked of the plan, beside the cost.

    shares: b (K,) ≥ 0; of sum 1, for `bounded` of sum ≥ 1. A class of share 0 receives nothing.
    epsilon: ε > 0, in the unit of the cost. rho: ρ > 0 in the same unit, of all classes or (K,), for
    `relaxed` alone; inf = this class receives its share exactly.

    Raises:
        TransportError: these numbers are no problem.
    """

    shares: NDArray[np.float64]
    epsilon: float
    columns: Columns = "equal"
    rho: float | NDArray[np.float64] = math.inf

    def __post_init__(self) -> None:
        b = self.shares
        if b.ndim != 1 or not len(b) or not np.isfinite(b).all() or (b < 0).any() or not b.any():
            raise TransportError(f"class shares {b}: expected (K,) finite numbers ≥ 0, not all 0")
        total = b.sum()
        if self.columns == "bounded":
            if total < 1 - 1e-9:
                raise TransportError(
                    f"upper bounds of sum {total:.6g} cannot hold a mass of 1; raise them, or add a class "
                    "for what is not labelled"
                )
        elif not math.isclose(total, 1, abs_tol=1e-6):
            raise TransportError(f"class shares {b} must sum to 1, not {total:.6g}")
        if not self.epsilon > 0 or not math.isfinite(self.epsilon):
            raise TransportError(f"epsilon is {self.epsilon}; expected a finite number > 0")
        prices = np.asarray(self.rho)
        fits = prices.shape in ((), b.shape) and bool((prices > 0).all())
        if not fits or (self.columns == "relaxed") != bool(np.isfinite(prices).any()):
            raise TransportError(
                f"rho is {self.rho} with {self.columns} columns; relaxed ones need a finite "
                "number > 0, or one for each class, the others none"
            )

    @property
    def prices(self) -> NDArray[np.float64]:
        """ρ of each class (K,), inf = its share exactly, or bounded by it."""
        return np.broadcast_to(np.asarray(self.rho, np.float64), self.shares.shape)

    def residual(
        self, potentials: NDArray[np.float64], marginal: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """How far each class is from what optimality asks of its marginal, ≥ 0; 0 where it holds."""
        finite = np.where(self.shares > 0, potentials, 0)
        with np.errstate(over="ignore"):
            gap = marginal - self.shares * np.exp(-finite / self.prices)
        if self.columns == "bounded":
            gap = np.where(potentials < 0, gap, np.maximum(gap, 0))
        found: NDArray[np.float64] = np.abs(gap)
        return found


@dataclass(frozen=True)
class Solution:
    """Potentials of the classes, and the evidence that they solve the problem.

    potentials: (K,) in the unit of the cost; −inf for a class of share 0. marginal: (K,) column sums of
    the plan. residual: L1 distance of the marginal from what optimality asks for, as
    `Problem.residual` has it. passes: how often all pixels were gone over. converged: the residual is
    within the tolerance.
    """

    problem: Problem
    potentials: NDArray[np.float64]
    marginal: NDArray[np.float64]
    residual: float
    passes: int
    converged: bool


def assign(cost: NDArray[np.float32], solution: Solution) -> NDArray[np.float32]:
    """Rows of the plan, each summing to one: (..., K) cost → (..., K) class probabilities."""
    scores = (solution.potentials - cost) / solution.problem.epsilon
    return np.asarray(softmax(scores, axis=-1), np.float32)
