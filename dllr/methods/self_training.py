"""Self-training: labels, and the written pseudo-labels by their weights."""

from typing import ClassVar

from torch import Tensor

from dllr.methods.parts import halves, joined, strong, supervised, taught
from dllr.training.method import Method, Step


class SelfTraining(Method):
    """Supervised loss plus `unlabelled_weight` × weighted cross-entropy of the written labels.

    Labelled and unlabelled windows share one forward pass under the strong view.
    """

    needs_unlabelled: ClassVar[bool] = True

    def __init__(self, unlabelled_weight: float) -> None:
        super().__init__()
        self.unlabelled_weight = unlabelled_weight

    def loss(self, step: Step) -> dict[str, Tensor]:
        labelled, unlabelled = step.both
        both = strong(joined(labelled.views, unlabelled.views), step.radiometry, step.dice)
        known, guessed = halves(step.student(*both), len(labelled.label))
        true = supervised(known, labelled)
        guess = taught(guessed, unlabelled.label, unlabelled.views.valid, unlabelled.weight)
        return {
            "loss": true + self.unlabelled_weight * guess,
            "supervised": true.detach(),
            "unlabelled": guess.detach(),
        }
