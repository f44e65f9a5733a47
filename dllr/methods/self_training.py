"""Self-training: labels, and the written pseudo-labels by their weights."""

import torch
from torch import Tensor

from dllr.models.network import Network
from dllr.training.augment import jittered
from dllr.training.losses import DICE, WEIGHTS, seen_by, segmentation_loss
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
        true = [seen_by(h, labelled.label, labelled.views.valid) for h in WEIGHTS]
        guess = [seen_by(h, unlabelled.label, unlabelled.views.valid) for h in WEIGHTS]
        supervised = torch.stack(
            [
                weight * segmentation_loss(logits[head][:count], label, dice=DICE)
                for (head, weight), label in zip(WEIGHTS.items(), true, strict=True)
            ]
        ).sum()
        guessed = torch.stack(
            [
                weight * segmentation_loss(logits[head][count:], label, unlabelled.weight)
                for (head, weight), label in zip(WEIGHTS.items(), guess, strict=True)
            ]
        ).sum()
        return {
            "loss": supervised + self.unlabelled_weight * guessed,
            "supervised": supervised.detach(),
            "unlabelled": guessed.detach(),
        }
