"""Mean teacher (Tarvainen and Valpola, NeurIPS 2017)."""

from typing import ClassVar

from torch import Tensor

from dllr.methods.parts import (
    halves,
    joined,
    probabilities,
    squared,
    strong,
    sum_of_heads,
    supervised,
    weak,
)  # fmt: skip
from dllr.training.losses import WEIGHTS, mean, sight
from dllr.training.method import Method, Step

CONSISTENCY = 100.0  # weight of the authors' code, which means over classes too


class MeanTeacher(Method):
    """Supervised loss plus the squared difference between the probabilities of a student that sees the
    strong view and of its moving average that sees the weak one, head by head, CONSISTENCY times."""

    needs_unlabelled: ClassVar[bool] = True

    def __init__(self, unlabelled_weight: float) -> None:
        super().__init__()
        self.unlabelled_weight = unlabelled_weight

    def loss(self, step: Step) -> dict[str, Tensor]:
        labelled, unlabelled = step.both
        views = unlabelled.views
        target = probabilities(step.teacher, weak(views, step.radiometry, step.dice))
        both = strong(joined(labelled.views, views), step.radiometry, step.dice)
        known, other = halves(step.student(*both), len(labelled.label))
        true = supervised(known, labelled)
        apart = {}
        for head in WEIGHTS:
            seen = sight(head, views.valid)
            apart[head] = mean(squared(other[head], target[head]) * seen, seen)
        consistency = CONSISTENCY * sum_of_heads(apart)
        return {
            "loss": true + self.unlabelled_weight * step.ramp * consistency,
            "supervised": true.detach(),
            "unlabelled": consistency.detach(),
        }
