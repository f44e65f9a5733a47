"""Self-training: labels, and the written pseudo-labels by their weights."""

import torch
from torch import Tensor

from dllr.models.network import Network
from dllr.training.augment import jittered
from dllr.training.losses import DICE, WEIGHTS, segmentation_loss
from dllr.training.samples import Labelled, PseudoLabelled, Views


class SelfTraining:
    """Supervised loss plus `unlabelled_weight` × weighted cross-entropy of the pseudo-labels.

    Labelled and unlabelled windows share one forward pass under the strong view.
    """

    needs_unlabelled = True

    def __init__(self, unlabelled_weight: float) -> None:
        self.unlabelled_weight = unlabelled_weight

    def loss(
        self,
        network: Network,
        labelled: Labelled,
        unlabelled: PseudoLabelled | None,
        dice: torch.Generator,
    ) -> dict[str, Tensor]:
        assert unlabelled is not None  # the loop brings them to a method that needs them
        pairs = zip(labelled.views, unlabelled.views, strict=True)
        both = Views(*(torch.cat(pair) for pair in pairs))
        logits = network(*jittered(both, dice))
        count = len(labelled.label)
        supervised = torch.stack(
            [
                w * segmentation_loss(logits[h][:count], labelled.label, dice=DICE)
                for h, w in WEIGHTS.items()
            ]
        ).sum()
        guessed = torch.stack(
            [
                w * segmentation_loss(logits[h][count:], unlabelled.label, unlabelled.weight)
                for h, w in WEIGHTS.items()
            ]
        ).sum()
        return {
            "loss": supervised + self.unlabelled_weight * guessed,
            "supervised": supervised.detach(),
            "unlabelled": guessed.detach(),
        }
