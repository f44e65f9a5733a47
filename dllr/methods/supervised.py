"""Supervised: the labelled pixels alone."""

from typing import ClassVar

import torch
from torch import Tensor

from dllr.methods.parts import strong, supervised
from dllr.training.method import Method, Step


class Supervised(Method):
    """Cross-entropy and Dice of the three heads on labelled windows, under the strong view."""

    needs_unlabelled: ClassVar[bool] = False

    def loss(self, step: Step) -> dict[str, Tensor]:
        labelled = step.labelled
        logits = step.student(*strong(labelled.views, step.radiometry, step.dice))
        loss = supervised(logits, labelled)
        return {"loss": loss, "supervised": loss.detach(), "unlabelled": torch.zeros_like(loss)}
