"""Supervised: the labelled pixels alone."""

import torch
from torch import Tensor

from dllr.models.network import Network
from dllr.training.augment import jittered
from dllr.training.losses import DICE, WEIGHTS, seen_by, segmentation_loss
from dllr.training.samples import Labelled, PseudoLabelled


class Supervised:
    """Cross-entropy and Dice of the three heads on labelled windows."""

    needs_unlabelled = False

    def __init__(self, unlabelled_weight: float = 0.0) -> None:
        """`unlabelled_weight` is taken so that all methods are made alike; there is nothing to weigh."""

    def loss(
        self,
        network: Network,
        labelled: Labelled,
        unlabelled: PseudoLabelled | None,  # noqa: ARG002, the protocol's
        dice: torch.Generator,
    ) -> dict[str, Tensor]:
        logits = network(*jittered(labelled.views, dice))
        label, valid = labelled.label, labelled.views.valid
        parts = [
            weight * segmentation_loss(logits[head], seen_by(head, label, valid), dice=DICE)
            for head, weight in WEIGHTS.items()
        ]
        loss = torch.stack(parts).sum()
        return {"loss": loss, "supervised": loss.detach(), "unlabelled": torch.zeros(())}
