"""What a method is: a loss of a step, and nothing else. The loop lives in training/."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from dllr.models.network import Network
from dllr.training.samples import Labelled, PseudoLabelled

WEIGHTS = {"fused": 1.0, "optical": 0.5, "sar": 0.5}  # of the heads in every loss
DICE = 0.5  # weight of the Dice loss beside the cross-entropy
IGNORE = 255


class Method(Protocol):
    """One class a method. `needs_unlabelled` says whether a step brings pseudo-labelled windows."""

    needs_unlabelled: bool

    def loss(
        self,
        network: Network,
        labelled: Labelled,
        unlabelled: PseudoLabelled | None,
        dice: torch.Generator,
    ) -> dict[str, Tensor]:
        """Scalars `loss` (to be minimised) and its parts `supervised` and `unlabelled`."""
        ...


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
    target = functional.one_hot(label.where(label != IGNORE, 0), logits.shape[1])
    target = target.movedim(-1, 1).to(logits.dtype) * known
    probability = logits.softmax(1) * known
    overlap = (probability * target).sum((0, 2, 3))
    total = (probability + target).sum((0, 2, 3))
    present = (target.sum((0, 2, 3)) > 0).to(logits.dtype)
    score = (2 * overlap + 1) / (total + 1)
    return ((1 - score) * present).sum() / present.sum().clamp_min(1)
