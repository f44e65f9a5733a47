"""How others make pseudo-labels of a teacher's probabilities, for comparison at one coverage.

Each rule gives every pixel a class and a rank: at coverage r the share r of the pixels with the highest
ranks is labelled. `RULES` names them; a rule takes probabilities (N, K), calibrated, and the class shares
(K,) of the labelled pixels, and may ignore those.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

BATCH = 4096  # pixels that a batch-wise rule sees at a time: about a feature map of one step
# Of Sinkhorn in a batch, as Caron et al. have them: scores are divided by .05 there, and by .1 for the
# probabilities that a network is taught, so a plan is of the probabilities' squares.
SHARPER, ITERATIONS = 2.0, 3


class Ranked(NamedTuple):
    """Class (N,) int64 of every pixel and its rank (N,) float32, the higher the surer."""

    label: Tensor
    rank: Tensor

    def covered(self, share: float) -> Tensor:
        """(N,) bool: the given share of the pixels, the highest ranks, rounded down but at least one."""
        count = max(1, int(share * len(self.rank)))
        chosen = torch.zeros_like(self.rank, dtype=torch.bool)
        chosen[self.rank.topk(count).indices] = True
        return chosen


def argmax(probability: Tensor, shares: Tensor) -> Ranked:
    """The likeliest class; which pixels are taken is left to chance."""
    del shares
    dice = torch.Generator(probability.device).manual_seed(0)
    rank = torch.rand(len(probability), generator=dice, device=probability.device)
    return Ranked(probability.max(1).indices, rank)


def threshold(probability: Tensor, shares: Tensor) -> Ranked:
    """The likeliest class, the surest pixels (FixMatch, Sohn et al., NeurIPS 2020)."""
    del shares
    return _surest(probability)


def alignment(probability: Tensor, shares: Tensor) -> Ranked:
    """Probabilities times what their mean lacks of the shares (ReMixMatch, Berthelot et al., ICLR 2020)."""
    lifted = probability * (shares / probability.mean(0).clamp_min(1e-12))
    return _surest(lifted / lifted.sum(1, keepdim=True).clamp_min(1e-30))


def thresholds_by_class(probability: Tensor, shares: Tensor) -> Ranked:
    """The likeliest class, the surest pixels in relation to how sure the teacher is of that class (after
    FreeMatch, Wang et al., ICLR 2023)."""
    del shares
    best, label = probability.max(1)
    mean = probability.mean(0)
    return Ranked(label, best / (mean / mean.max())[label].clamp_min(1e-12))


def sinkhorn_by_batch(probability: Tensor, shares: Tensor) -> Ranked:
    """Sinkhorn with the shares of all in every batch of pixels (after SwAV, Caron et al., NeurIPS 2020)."""
    plans = []
    for part in probability.split(BATCH):
        plan = (SHARPER * part.clamp_min(1e-30).log()).softmax(1)
        for _ in range(ITERATIONS):
            plan = plan * (shares / plan.mean(0).clamp_min(1e-30))
            plan = plan / plan.sum(1, keepdim=True).clamp_min(1e-30)
        plans.append(plan)
    return _surest(torch.cat(plans))


def _surest(probability: Tensor) -> Ranked:
    best, label = probability.max(1)
    return Ranked(label, best)


RULES: dict[str, Callable[[Tensor, Tensor], Ranked]] = {
    "argmax": argmax,
    "threshold": threshold,
    "alignment": alignment,
    "thresholds by class": thresholds_by_class,
    "Sinkhorn by batch": sinkhorn_by_batch,
}
