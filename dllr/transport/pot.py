"""The transport problem through POT (Flamary et al., JMLR 22, 2021)."""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from dllr.transport.problem import Solution, check


def solve(
    cost: NDArray[np.float32],
    shares: NDArray[np.float64],
    *,
    epsilon: float,
    rho: float,
    max_iterations: int,
    tolerance: float,
) -> Solution:
    """Solve the problem of `dllr.transport.problem` in float64.

    cost (N, K), shares (K,). A class with share 0 receives nothing.

    Raises:
        TransportError: the problem is ill-posed.
    """
    import ot  # seconds to import

    check(cost, shares)
    open_ = shares > 0
    exact = cost[:, open_].astype(np.float64)
    mass = np.full(len(cost), 1 / len(cost))
    exact -= exact.min(axis=1, keepdims=True)  # rows are exact, so this changes no plan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence is judged below, by the residual
        _, log = ot.unbalanced.sinkhorn_unbalanced(
            mass, shares[open_], exact, epsilon, reg_m=(float("inf"), rho), method="sinkhorn",
            reg_type="entropy", numItermax=max_iterations, stopThr=tolerance, log=True,
        )  # fmt: skip
    potentials = np.full(len(shares), -np.inf)
    potentials[open_] = epsilon * log["logv"]
    marginal = softmax((potentials - cost) / epsilon, axis=1).mean(axis=0)
    wanted = shares[open_] * np.exp(-potentials[open_] / rho)
    residual = float(np.abs(marginal[open_] - wanted).sum())
    return Solution(
        potentials, epsilon, marginal, residual, len(log["err"]), bool(residual <= 10 * tolerance)
    )
