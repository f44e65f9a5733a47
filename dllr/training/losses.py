"""Losses of a map against labels that are partly unknown."""

import torch
from torch import Tensor
from torch.nn import functional

WEIGHTS = {"fused": 1.0, "optical": 0.5, "sar": 0.5}  # of the heads in every loss
DICE = 0.5  # weight of the Dice loss beside the cross-entropy
IGNORE = 255


def seen_by(head: str, label: Tensor, valid: Tensor) -> Tensor:
    """Labels (N, H, W) of the pixels where the head has data to see, the others 255.

    valid (N, 2, H, W): optical and SAR; the fused head sees what either sees.
    """
    masks = {"fused": valid.any(1), "optical": valid[:, 0], "sar": valid[:, 1]}
    return label.where(masks[head], IGNORE)


def segmentation_loss(
    logits: Tensor, label: Tensor, weight: Tensor | None = None, dice: float = 0.0
) -> Tensor:
    """Weighted cross-entropy plus `dice` × Dice loss over known pixels; exactly 0 where none is.

    logits (N, K, H, W), label (N, H, W) int64 with 255 = ignore, weight (N, H, W) in [0, 1].
    """
    known = (label != IGNORE).to(logits.dtype)
    trust = known if weight is None else known * weight
    entropy = functional.cross_entropy(logits, label, reduction="none", ignore_index=IGNORE)
    loss = (entropy * trust).sum() / known.sum().clamp_min(1)
    return loss + dice * dice_loss(logits, label) if dice else loss


def dice_loss(logits: Tensor, label: Tensor) -> Tensor:
    """1 − mean soft Dice (Milletari et al., 3DV 2016) over the classes present in the batch."""
    known = (label != IGNORE)[:, None].to(logits.dtype)
    index = label.where(label != IGNORE, 0)[:, None]
    probability = logits.softmax(1) * known
    classes = logits.shape[1]
    hit = (
        torch.zeros(classes)
        .to(logits)
        .index_add(0, index.flatten(), (probability.gather(1, index)).flatten())
    )
    true = torch.zeros(classes).to(logits).index_add(0, index.flatten(), known.flatten())
    score = (2 * hit + 1) / (probability.sum((0, 2, 3)) + true + 1)
    present = (true > 0).to(logits.dtype)
    return ((1 - score) * present).sum() / present.sum().clamp_min(1)
