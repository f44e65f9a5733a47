"""Transport of the surest part of the pixels: each class up to its share of what is labelled.

One more class, of cost 0, takes the mass 1 − r that stays without a label; class c receives r · b_c. The
potentials are then a threshold for each class: a pixel has label argmax(v_c − C_c), where that exceeds the
potential of the virtual class. With a small ε the shares are those of the labels; with ε = 1 they would be
those of the probabilities, which a calibrated teacher has already, and nothing would change.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from dllr.transport.problem import Problem
from dllr.transport.scores import certainty


class Reassigned(NamedTuple):
    """Of pixels: class (N,) uint8, whether it is labelled (N,), weight in [0, 1], and rank: by how much
    it exceeds the threshold of its class, in the unit of the cost."""

    label: NDArray[np.uint8]
    covered: NDArray[np.bool_]
    weight: NDArray[np.float32]
    rank: NDArray[np.float32]


class Aim(NamedTuple):
    """What labels are made to: class shares (K,) of sum 1, or None where sureness alone
    decides; coverage in (0, 1]; ε; ρ, inf = the shares exactly; and the round's potentials (K + 1,), the
    virtual class last."""

    shares: NDArray[np.float64] | None
    coverage: float
    epsilon: float
    rho: float
    potentials: NDArray[np.float64]


def partial(shares: NDArray[np.float64], coverage: float, epsilon: float, rho: float) -> Problem:
    """The problem with K + 1 classes, the virtual one last.

    shares: (K,) of sum 1. coverage: r in (0, 1], the share of the mass that is labelled, exactly. rho:
    price of leaving the shares; inf = they are met exactly.
    """
    wanted = np.append(coverage * shares, 1 - coverage)
    if not np.isfinite(rho):
        return Problem(wanted, epsilon)
    return Problem(wanted, epsilon, "relaxed", np.append(np.full(len(shares), rho), np.inf))


def widened(cost: NDArray[np.float32]) -> NDArray[np.float32]:
    """Costs (N, K) with the virtual class, (N, K + 1)."""
    return np.concatenate([cost, np.zeros((len(cost), 1), np.float32)], axis=1)


def surest(
    cost: NDArray[np.float32], coverage: float, allowed: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Potentials (K + 1,) that label the share `coverage` of pixels like these (N, K), whatever their
    class: one threshold for all. allowed: (K,), the classes that labels may have."""
    floor = np.quantile(cost[:, allowed].min(axis=1), coverage) if coverage < 1 else np.inf
    return np.append(np.where(allowed, 0.0, -np.inf), -floor)


def reassign(
    cost: NDArray[np.float32], potentials: NDArray[np.float64], epsilon: float
) -> Reassigned:
    """Labels of pixels with costs (N, K), by potentials (K + 1,), the virtual class last.

    The weight is the plan's mass outside the virtual class times how sure the plan is among the others.
    """
    scores = (potentials - widened(cost)).astype(np.float32)
    label = scores[:, :-1].argmax(axis=1)
    rank = np.take_along_axis(scores, label[:, None], axis=1)[:, 0] - scores[:, -1]
    plan = softmax(scores / np.float32(epsilon), axis=1)
    held = 1 - plan[:, -1]
    inner = plan[:, :-1] / np.maximum(held, np.float32(1e-12))[:, None]
    return Reassigned(label.astype(np.uint8), rank > 0, held * certainty(inner), rank)
