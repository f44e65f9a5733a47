"""The transport problem through POT (Flamary et al., JMLR 22, 2021), in float64."""

import warnings

import numpy as np
from scipy.special import softmax

from dllr.errors import TransportError
from dllr.transport.data import Data, Dense
from dllr.transport.problem import Problem, Solution

EXACT = 1e9  # ρ / ε that stands for equal columns


def solve(
    data: Data, problem: Problem, *, tolerance: float = 1e-6, max_passes: int = 5000
) -> Solution:
    """As `dllr.transport.newton.solve`; a pass is an iteration of Sinkhorn's.

    Raises:
        TransportError: pixels that do not lie in memory, bounded columns, or prices that differ from class
            to class, which POT does not have.
    """
    price = np.unique(problem.prices)
    if not isinstance(data, Dense) or problem.columns == "bounded" or len(price) > 1:
        raise TransportError(
            f"the solver pot takes pixels in memory and equal columns, or relaxed ones of one price, not "
            f"{type(data).__name__}, {problem.columns} and {problem.rho}; use the solver newton"
        )
    import ot  # seconds to import

    b = problem.shares
    open_ = b > 0
    cost = data.cost.cpu().numpy().astype(np.float64)
    mass = np.ones(len(cost)) if data.mass is None else data.mass.cpu().numpy().astype(np.float64)
    mass /= mass.sum()
    exact = cost[:, open_] - cost[:, open_].min(
        axis=1, keepdims=True
    )  # rows are exact: no plan changes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence is judged below, by the residual
        _, log = ot.unbalanced.sinkhorn_unbalanced(
            mass, b[open_], exact, problem.epsilon,
            reg_m=(float("inf"), min(price[0], EXACT * problem.epsilon)), method="sinkhorn",
            reg_type="entropy", numItermax=max_passes, stopThr=0.1 * tolerance, log=True,
        )  # fmt: skip
    potentials = np.full(len(b), -np.inf)
    potentials[open_] = problem.epsilon * log["logv"]
    marginal = mass @ softmax((potentials - cost) / problem.epsilon, axis=1)
    residual = float(problem.residual(potentials, marginal).sum())
    return Solution(
        problem, potentials, marginal, residual, len(log["err"]), bool(residual <= tolerance)
    )
