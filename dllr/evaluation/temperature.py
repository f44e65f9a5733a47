"""Temperature scaling (Guo et al., ICML 2017)."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

LIMITS = 0.1, 10.0


def temperature(logits: NDArray[np.float32], label: NDArray[np.int64]) -> float:
    """T > 0 that minimises the cross-entropy of softmax(logits / T).

    logits (N, K), label (N,) class indices. Without labelled pixels nothing is known: T = 1.
    """
    if len(label) == 0:
        return 1.0

    def cost(log_t: float) -> float:
        scores = log_softmax(logits.astype(np.float64) / np.exp(log_t), axis=1)
        return float(-scores[np.arange(len(label)), label].mean())

    found = minimize_scalar(cost, bounds=tuple(np.log(LIMITS)), method="bounded")
    return float(np.exp(found.x))
