"""Cross pseudo-supervision (Chen et al., CVPR 2021), with CutMix."""

import copy
from typing import ClassVar

import torch
from torch import Tensor, nn

from dllr.augmentation import cutmix
from dllr.methods.parts import (
    halves,
    joined,
    likeliest,
    probabilities,
    strong,
    supervised,
    taught,
    weak,
)  # fmt: skip
from dllr.models.blocks import Affine, settle
from dllr.models.network import Network
from dllr.training import together
from dllr.training.losses import IGNORE
from dllr.training.method import Method, Step
from dllr.training.samples import Views


class CPS(Method):
    """Two networks, each taught by the other's most likely classes, sure or not.

    The second one starts as a copy of the first with decoders drawn anew: as the two of the paper, which
    share their pretrained encoder and differ in what is above it. Their scales are set from the first
    batch, as those of any new network are. The first network is the one that stays.
    """

    needs_unlabelled: ClassVar[bool] = True

    def __init__(self, unlabelled_weight: float) -> None:
        super().__init__()
        self.unlabelled_weight = unlabelled_weight

    def begin(self, student: Network) -> None:
        self.second = copy.deepcopy(student).requires_grad_(True)
        for part in self.second.decoders.modules():
            if isinstance(part, (nn.Conv2d, Affine)):
                part.reset_parameters()

    @torch.no_grad()
    def _settle(self, views: Views) -> None:
        """On what all processes see, so that theirs stays one network."""
        settle([self.second.decoders], lambda: self.second(*views))
        for part in self.second.decoders.modules():
            if isinstance(part, Affine):
                for values in part.parameters():
                    values.copy_(together.total(values) / together.count())

    def loss(self, step: Step) -> dict[str, Tensor]:
        labelled, unlabelled = step.both
        networks = step.student, self.second
        views = weak(unlabelled.views, step.radiometry, step.dice)
        if step.ramp == 0:  # the first step alone
            self._settle(views)
        boxes = cutmix.draw(len(views.valid), views.valid.shape[-1], step.dice)
        mixed = Views(*cutmix.cutmix(list(views), boxes))
        labels = [cutmix.paste(_labels(network, views), boxes) for network in networks]
        both = joined(strong(labelled.views, step.radiometry, step.dice), mixed)
        true, guess = [], []
        for network, label in zip(networks, reversed(labels), strict=True):
            known, other = halves(network(*both), len(labelled.label))
            true.append(supervised(known, labelled))
            guess.append(taught(other, label, mixed.valid))
        supervision, cross = torch.stack(true).sum(), torch.stack(guess).sum()
        return {
            "loss": supervision + self.unlabelled_weight * step.ramp * cross,
            "supervised": true[0].detach(),
            "unlabelled": guess[0].detach(),
        }


def _labels(network: Network, views: Views) -> Tensor:
    label = likeliest(probabilities(network, views, ("fused",))["fused"])
    return label.where(views.valid.any(1), IGNORE)
