"""Losses of a map against labels that are partly unknown; sums run over all processes."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from dllr.training.together import once, total

WEIGHTS = {"fused": 1.0, "optical": 0.5, "sar": 0.5}  # of the heads in every loss
DICE = 0.5  # weight of the Dice loss beside the cross-entropy
IGNORE = 255


def seen_by(head: str, label: Tensor, valid: Tensor) -> Tensor:
    """Labels (N, H, W) of the pixels where the head has data to see, the others 255."""
    return label.where(sight(head, valid), IGNORE)


def sight(head: str, valid: Tensor) -> Tensor:
    """Where a head has data to see, (N, H, W) bool; valid (N, 2, H, W): optical and SAR.

    The fused head sees what either sees.
    """
    return {"fused": valid.any(1), "optical": valid[:, 0], "sar": valid[:, 1]}[head]


def mean(values: Tensor, known: Tensor) -> Tensor:
    """Sum of `values` over the number of known pixels, both over all processes; 0 where none is known.

    A process gives its own share: the shares of all add up to the mean.
    """
    return values.sum() / total(known.sum().to(values.dtype)).clamp_min(1)


def segmentation_loss(
    logits: Tensor, label: Tensor, weight: Tensor | None = None, dice: float = 0.0
) -> Tensor:
    """Weighted cross-entropy plus `dice` × Dice loss over known pixels; exactly 0 where none is.

    logits (N, K, H, W), label (N, H, W) int64 with 255 = ignore, weight (N, H, W) in [0, 1].
    """
    entropy = functional.cross_entropy(logits, label, reduction="none", ignore_index=IGNORE)
    entropy = entropy if weight is None else entropy * weight
    loss = mean(entropy, label != IGNORE)
    return loss + dice * dice_loss(logits, label) if dice else loss


def soft_loss(logits: Tensor, target: Tensor, weight: Tensor, known: Tensor) -> Tensor:
    """Weighted cross-entropy against probabilities; target (N, K, H, W), weight and known (N, H, W)."""
    entropy = -(target * functional.log_softmax(logits, 1)).sum(1)
    return mean(entropy * weight * known, known)


def dice_loss(logits: Tensor, label: Tensor) -> Tensor:
    """1 − mean soft Dice (Milletari et al., 3DV 2016) over the classes present in the batch."""
    known = (label != IGNORE)[:, None].to(logits.dtype)
    index = label.where(label != IGNORE, 0)[:, None]
    probability = logits.softmax(1) * known
    classes = logits.shape[1]
    hit, true = (
        torch.zeros(classes, dtype=logits.dtype, device=logits.device).index_add(
            0, index.flatten(), values.flatten()
        )
        for values in (probability.gather(1, index), known)
    )
    hit, true = total(hit), total(true)
    score = (2 * hit + 1) / (total(probability.sum((0, 2, 3))) + true + 1)
    present = (true > 0).to(logits.dtype)
    return once(((1 - score) * present).sum() / present.sum().clamp_min(1))


def sureness(probability: Tensor) -> Tensor:
    """1 − entropy / ln K of (N, K, H, W), by pixel: 0 = knows nothing, 1 = certain."""
    entropy = -_informed(probability).sum(1)
    found: Tensor = (1 - entropy / math.log(probability.shape[1])).clamp(0, 1)
    return found


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """Jensen-Shannon divergence of (N, K, H, W) / ln 2, by pixel: 0 = alike, 1 = disjoint."""
    middle = (first + second) / 2
    terms = _informed(first) + _informed(second) - 2 * _informed(middle)
    found: Tensor = (terms.sum(1) / (2 * math.log(2))).clamp(0, 1)
    return found


def _informed(probability: Tensor) -> Tensor:
    """p ln p, 0 at p = 0; several times as fast as xlogy."""
    return probability * probability.clamp_min(1e-30).log()
