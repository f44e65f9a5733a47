"""FixMatch (Sohn et al., NeurIPS 2020) for maps: confident labels of the weak view teach the strong one."""

from typing import ClassVar

from torch import Tensor

from dllr.augmentation import cutmix
from dllr.methods.parts import (
    halves,
    joined,
    share,
    strong,
    supervised,
    sure_labels,
    taught,
    weak,
)  # fmt: skip
from dllr.training.method import Method, Step
from dllr.training.samples import Views


class FixMatch(Method):
    """Supervised loss plus cross-entropy with the fused head's most likely classes, where it is sure.

    The moving average labels the weak view; the student learns all heads under the strong view with
    CutMix.
    """

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
        boxes = cutmix.draw(len(label), label.shape[-1], step.dice)
        mixed = Views(*cutmix.cutmix(list(views), boxes))
        label, weight = cutmix.cutmix([label, weight], boxes)
        both = strong(joined(labelled.views, mixed), step.radiometry, step.dice)
        known, other = halves(step.student(*both), len(labelled.label))
        true, guess = supervised(known, labelled), taught(other, label, mixed.valid, weight)
        return {
            "loss": true + self.unlabelled_weight * step.ramp * guess,
            "supervised": true.detach(),
            "unlabelled": guess.detach(),
            "used": share(weight > 0, mixed.valid.any(1)),
        }
