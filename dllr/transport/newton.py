"""The transport problem by Newton's method on its K potentials.

The dual of `dllr.transport.problem` in the potentials v of the classes, rows solved exactly, is concave:

    F(v) = B(v) − ε Σ a_i log Σ_c exp((v_c − C_ic) / ε),    p_i = softmax((v − C_i) / ε)

with B = ⟨b, v⟩ for equal columns, −Σ ρ b (exp(−v/ρ) − 1) for relaxed ones, and ⟨b, v⟩ under v ≤ 0 for
bounded ones (Cuturi and Peyré, SIAM Review 60, 2018, on semi-duals). Its gradient is B' − Σ a_i p_i, its
Hessian B'' − (diag(Σ a_i p_i) − Σ a_i p_i p_iᵀ) / ε: one pass over the pixels gives both, so pixels may
come block by block, from anywhere. Steps are damped after Levenberg and Marquardt.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dllr.errors import TransportError
from dllr.transport.data import Data, Dense, Moments
from dllr.transport.problem import Problem, Solution

SAMPLE = 32768  # pixels on which the way from a large ε down to the asked one is gone
COOLING = 4.0  # by what ε falls from one rung of that way to the next
LOOSE = 1e-3  # residual that is enough on a rung
NEAR = 1e-6  # relative distance of values that float32 hardly tells apart
FIRMEST = 1e12  # damping at which no step is left to be tried

Vector = NDArray[np.float64]


def solve(
    data: Data, problem: Problem, *, tolerance: float = 1e-6, max_passes: int = 60,
    start: Vector | None = None,
) -> Solution:  # fmt: skip
    """Potentials at which the plan's columns are as the problem asks for.

    Args:
        data: costs (N, K) of the pixels and their masses, of any sum: see `dllr.transport.data`.
        problem: what is asked.
        tolerance: L1 distance of the column sums from optimal ones at which it is solved.
        max_passes: over all pixels; after these the best so far is returned, `converged` false.
        start: (K,) potentials to begin with, say those of the last round; None = found on a sample.

    Raises:
        TransportError: there is nothing to transport, or costs that are none.

    Example:
        >>> import numpy as np, torch
        >>> from dllr.transport.data import Dense
        >>> cost = -torch.tensor([[0.8, 0.2], [0.7, 0.3], [0.6, 0.4]]).log()
        >>> found = solve(Dense(cost), Problem(np.array([0.5, 0.5]), epsilon=1.0))
        >>> found.converged, found.marginal.round(6).tolist()
        (True, [0.5, 0.5])
    """
    open_ = problem.shares > 0
    if start is None:
        start = _cooled(data.sample(SAMPLE), problem)
    return _ascend(data, problem, np.where(open_, start, -np.inf), tolerance, max_passes)


def _cooled(sample: Dense, problem: Problem) -> Vector:
    """Potentials of a sample, from a large ε, where Newton's method finds them from anywhere, down; 0 where
    no pixel of the sample has a mass."""
    classes = len(problem.shares)
    if sample.cost.shape[1] != classes:
        raise TransportError(
            f"costs of {sample.cost.shape[1]} classes and {classes} class shares; expected as many"
        )
    potentials = np.zeros(classes)
    if not len(sample.cost):
        return potentials
    hottest = max(1.0, problem.epsilon)
    rungs = math.ceil(math.log(hottest / problem.epsilon, COOLING))
    for rung in range(rungs, -1, -1):
        warm = Problem(
            problem.shares, problem.epsilon * COOLING**rung, problem.columns, problem.rho
        )
        begun = np.where(problem.shares > 0, potentials, -np.inf)
        potentials = _ascend(sample, warm, begun, LOOSE, 30).potentials
    return potentials


def _ascend(
    data: Data, problem: Problem, potentials: Vector, tolerance: float, max_passes: int
) -> Solution:
    open_ = problem.shares > 0
    if problem.columns == "bounded":
        potentials = np.minimum(potentials, 0)
    here = _Point(data, problem, potentials)
    passes, damping = 1, 1e-8
    while here.residual > tolerance and passes < max_passes and damping < FIRMEST:
        step = _step(here, open_, damping)
        moved = here.potentials.copy()
        moved[open_] += step
        if problem.columns == "bounded":
            moved[open_] = np.minimum(moved[open_], 0)
        elif problem.columns == "equal":
            moved[open_] -= moved[open_].mean()  # a constant changes nothing
        there = _Point(data, problem, moved)
        passes += 1
        gain = here.gradient[open_] @ (moved[open_] - here.potentials[open_])
        # Near the top the value no longer tells in its digits: what is left to do does. Elsewhere it does
        # not: far out, where no class receives anything, it may be small as well.
        near = there.value >= here.value - NEAR * (abs(here.value) + problem.epsilon)
        if there.value >= here.value + 1e-4 * gain or (
            near and there.residual < 0.5 * here.residual
        ):
            here, damping = there, max(damping / 16, 1e-10)
        else:
            damping = max(16 * damping, 1e-3)
    return Solution(
        problem, here.potentials, here.columns, here.residual, passes, here.residual <= tolerance
    )


class _Point:
    """Value, gradient and curvature at some potentials; masses divided by their sum."""

    def __init__(self, data: Data, problem: Problem, potentials: Vector) -> None:
        found: Moments = data.look(potentials, problem.epsilon)
        if not found.mass > 0:
            raise TransportError(
                "the masses of the pixels are all 0: there is nothing to transport"
            )
        if not math.isfinite(found.value):
            raise TransportError(
                "some pixels have costs that are not a number, or infinite in every class of share > 0; "
                "leave them out, or clip the probabilities that the cost is made of"
            )
        open_ = problem.shares > 0
        b, v = problem.shares[open_], potentials[open_]
        self.problem, self.potentials = problem, potentials
        self.columns = found.columns / found.mass
        rho = problem.prices[open_]
        wanted = b * np.exp((-v / rho).clip(max=700))
        priced = np.isfinite(rho)
        part = b[~priced] @ v[~priced] - rho[priced] @ (wanted - b)[priced]
        self.value = part + found.value / found.mass
        self.gradient = np.zeros_like(potentials)
        self.gradient[open_] = wanted - self.columns[open_]
        # The diagonal by what lies beside it: columns less squares cancel where one class has nearly all.
        apart = found.second[np.ix_(open_, open_)] / found.mass
        np.fill_diagonal(apart, 0)
        self.curvature = (np.diag(apart.sum(axis=1)) - apart) / problem.epsilon
        self.curvature += np.diag(wanted / rho)
        self.residual = float(problem.residual(potentials, self.columns).sum())


def _step(here: _Point, open_: NDArray[np.bool_], damping: float) -> Vector:
    """Damped Newton step of the open classes; bounds that hold back the gradient stay where they are."""
    gradient = here.gradient[open_]
    free = np.ones(len(gradient), bool)
    if here.problem.columns == "bounded":
        free = (here.potentials[open_] < 0) | (gradient < 0)
    step = np.zeros_like(gradient)
    curvature = here.curvature[np.ix_(free, free)]
    scale = curvature.diagonal().mean() + 1e-300
    # Without bounds a constant shift changes nothing: its direction is given the usual curvature.
    level = scale / len(curvature) if here.problem.columns == "equal" else 0.0
    damped = curvature + level + damping * scale * np.eye(len(curvature))
    step[free] = np.linalg.lstsq(damped, gradient[free], rcond=None)[0]
    return step
