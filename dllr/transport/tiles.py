"""Many small problems at once: a tile's pixels and its own class shares.

The problem of each tile is that of `dllr.transport.problem` with relaxed columns. Its shares come from
the tile itself: from calibrated scores, by the EM steps with which Saerens, Latinne and Decaestecker
(Neural Computation 14, 2002) fit a classifier to a new prior.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dllr.errors import TransportError


class Tiles(NamedTuple):
    """Potentials (T, K) of the tiles, −inf for classes of share 0; the L1 residual of each (T,), as
    `Problem.residual` has it; and whether it is within the tolerance (T,)."""

    potentials: Tensor
    residual: Tensor
    converged: Tensor


def expected_shares(
    cost: Tensor, mass: Tensor, reference: Tensor, *, steps: int, trust: float, floor: float
) -> Tensor:
    """Class shares (T, K) of each tile, each of sum 1.

    Args:
        cost: (T, n, K), −log of calibrated probabilities under the reference.
        mass: (T, n) ≥ 0; 0 = no data there. A tile without mass keeps the reference.
        reference: (K,) the class shares those probabilities were calibrated to, of sum 1. A class of
            share 0 keeps it.
        steps: of EM. trust: in [0, 1], how far a tile goes by its own pixels in a step; the rest is the
            reference. floor: least share of a class whose reference is not 0.
    """
    known = reference > 0
    weight = mass / mass.sum(1, keepdim=True).clamp_min(1e-12)
    empty = mass.sum(1) <= 0
    start = reference.to(cost).expand(len(cost), -1)
    log_reference = start.clamp_min(1e-30).log()
    shares = start
    for _ in range(steps):
        lift = (shares.clamp_min(1e-30).log() - log_reference).masked_fill(~known, -torch.inf)
        seen = (lift[:, None] - cost).softmax(2)
        mean = torch.einsum("tn,tnk->tk", weight, seen)
        shares = trust * mean + (1 - trust) * start
        shares = shares.clamp_min(floor) * known
        shares = shares / shares.sum(1, keepdim=True)
    return torch.where(empty[:, None], start, shares)


def solve_tiles(
    cost: Tensor, mass: Tensor, shares: Tensor, *, epsilon: float, rho: float,
    tolerance: float = 1e-5, max_passes: int = 50,
) -> Tiles:  # fmt: skip
    """Relaxed transport of every tile by Newton's method, all tiles together.

    Args:
        cost: (T, n, K). mass: (T, n) ≥ 0, of any sum; a tile of mass 0 converges at once, to 0.
        shares: (T, K) ≥ 0, each of sum 1.
        epsilon, rho: as in `Problem`, both > 0.

    Raises:
        TransportError: shapes or numbers that are no problem.
    """
    if cost.ndim != 3 or mass.shape != cost.shape[:2] or shares.shape != cost.shape[::2]:
        raise TransportError(
            f"costs {tuple(cost.shape)}, masses {tuple(mass.shape)}, shares {tuple(shares.shape)}; "
            "expected (T, n, K), (T, n) and (T, K)"
        )
    if not (epsilon > 0 and rho > 0):
        raise TransportError(f"epsilon is {epsilon} and rho {rho}; both must be > 0")
    total = mass.sum(1, keepdim=True)
    weight = mass / total.clamp_min(1e-12)
    open_ = shares > 0
    found = torch.zeros_like(shares)
    damping = torch.full((len(cost), 1, 1), 1e-6).to(cost)
    here = _look(cost, weight, shares, found, epsilon, rho)
    for _ in range(max_passes):
        todo = here.residual > tolerance
        if not todo.any():
            break
        scale = here.curvature.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
        eye = torch.eye(shares.shape[1], dtype=cost.dtype, device=cost.device)
        step = torch.linalg.solve(here.curvature + damping * scale * eye, here.gradient)
        moved = torch.where(todo[:, None] & open_, found + step, found)
        there = _look(cost, weight, shares, moved, epsilon, rho)
        gain = (here.gradient * (moved - found)).sum(1)
        better = (there.value >= here.value + 1e-4 * gain) | (there.residual < 0.5 * here.residual)
        better &= todo
        found = torch.where(better[:, None], moved, found)
        here = _Looked(*(_chosen(better, a, b) for a, b in zip(there, here, strict=True)))
        damping = torch.where(
            better[:, None, None], (damping / 16).clamp_min(1e-8), (damping * 16).clamp_min(1e-3)
        )
    empty = total[:, 0] <= 0
    residual = here.residual.masked_fill(empty, 0.0)
    potentials = found.masked_fill(~open_, -torch.inf)
    return Tiles(potentials, residual, residual <= tolerance)


class _Looked(NamedTuple):
    """Of each tile: value (T,), gradient (T, K), curvature (T, K, K), residual (T,)."""

    value: Tensor
    gradient: Tensor
    curvature: Tensor
    residual: Tensor


def _look(
    cost: Tensor, weight: Tensor, shares: Tensor, potentials: Tensor, epsilon: float, rho: float
) -> _Looked:
    open_ = shares > 0
    scores = (potentials.masked_fill(~open_, -torch.inf)[:, None] - cost) / epsilon
    value = -epsilon * (weight * scores.logsumexp(2)).sum(1)
    plan = scores.softmax(2)
    heavy = plan * weight[..., None]
    columns = heavy.sum(1)
    wanted = shares * (-potentials / rho).clamp_max(60).exp()
    gradient = (wanted - columns) * open_
    curvature = (torch.diag_embed(columns) - heavy.mT @ plan) / epsilon
    # A closed class moves nowhere and is in nobody's way.
    curvature = curvature + torch.diag_embed(torch.where(open_, wanted / rho, 1.0))
    return _Looked(
        value - rho * (wanted - shares).sum(1), gradient, curvature, gradient.abs().sum(1)
    )


def _chosen(better: Tensor, there: Tensor, here: Tensor) -> Tensor:
    return torch.where(better.view(-1, *[1] * (there.dim() - 1)), there, here)
