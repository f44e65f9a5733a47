"""UniMatch (Yang et al., CVPR 2023): two strong views and one with channels dropped, one teacher."""

from typing import ClassVar

import torch
from torch import Tensor

from dllr.augmentation import cutmix
from dllr.methods.parts import (
    dropped_channels,
    halves,
    joined,
    share,
    strong,
    supervised,
    sure_labels,
    taught,
    weak,
)  # fmt: skip
from dllr.models.network import Features
from dllr.training.method import Method, Step
from dllr.training.samples import Views

DROPPED = 0.5  # share of channels, as in the paper


class UniMatch(Method):
    """Supervised loss plus half of the loss of two strong views and half of that of the weak view with
    channels dropped; labels are the fused head's most likely classes, where it is sure."""

    needs_unlabelled: ClassVar[bool] = True

    def __init__(self, unlabelled_weight: float, threshold: float) -> None:
        super().__init__()
        self.unlabelled_weight = unlabelled_weight
        self.threshold = threshold

    def loss(self, step: Step) -> dict[str, Tensor]:
        labelled, unlabelled = step.both
        views = unlabelled.views
        seen = weak(views, step.radiometry, step.dice)
        label, weight = sure_labels(step, seen, self.threshold)
        parts = [cutmix.draw(len(label), label.shape[-1], step.dice) for _ in range(2)]
        mixed = [Views(*cutmix.cutmix(list(views), boxes)) for boxes in parts]
        first = strong(joined(labelled.views, mixed[0]), step.radiometry, step.dice)
        second = strong(mixed[1], step.radiometry, step.dice)
        known, one = halves(step.student(*first), len(labelled.label))
        strongs = [
            taught(z, cutmix.paste(label, boxes), m.valid, cutmix.paste(weight, boxes))
            for z, boxes, m in zip((one, step.student(*second)), parts, mixed, strict=True)
        ]
        features = _perturbed(step.student.encode(*seen), step.dice)
        dropped = taught(step.student.decode(features, views.size), label, views.valid, weight)
        true, guess = supervised(known, labelled), torch.stack(strongs).mean() / 2 + dropped / 2
        return {
            "loss": true + self.unlabelled_weight * step.ramp * guess,
            "supervised": true.detach(),
            "unlabelled": guess.detach(),
            "used": share(weight > 0, views.valid.any(1)),
        }


def _perturbed(features: Features, dice: torch.Generator) -> Features:
    """What each head reads, without half of its channels."""
    fused, optical, sar = (
        dropped_channels(levels, DROPPED, dice)
        for levels in (features.fused, features.optical, features.sar)
    )
    return features._replace(fused=fused, optical=optical, sar=sar)
