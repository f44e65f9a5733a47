"""What a pixel costs each class: the calibrated opinion of the heads that saw it."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp


def cost(
    logits: NDArray[np.float32],
    temperatures: NDArray[np.float64],
    weights: NDArray[np.float64],
    seen: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """−log Σ_m w_m softmax(z_m / T_m), (N, K).

    logits (M, N, K) and temperatures (M,) by head; weights (M,) ≥ 0; seen (M, N): a head that saw no
    data at a pixel has no say there, the others share its weight.
    """
    share = weights[:, None] * seen
    with np.errstate(divide="ignore"):
        share = np.log(share / share.sum(axis=0))
    opinion = log_softmax(logits / temperatures[:, None, None], axis=2)
    return np.asarray(-logsumexp(opinion + share[..., None], axis=0), np.float32)


def certainty(plan: NDArray[np.float32]) -> NDArray[np.float32]:
    """(1 − H(q) / ln K)^½ in [0, 1] of rows q (..., K): 0 = uniform, 1 = sure."""
    logs = np.log(plan, where=plan > 0, out=np.zeros_like(plan))
    entropy = -(plan * logs).sum(axis=-1) / np.log(plan.shape[-1])
    return np.asarray(np.sqrt((1 - entropy).clip(0, 1)), np.float32)
