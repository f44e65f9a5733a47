"""What a method is to the loop: the loss of a step, and nothing else."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dllr.augmentation.radiometry import Radiometry
from dllr.models.network import Network
from dllr.training.samples import Labelled, PseudoLabelled


@dataclass(frozen=True)
class Step:
    """What a method works with in one step; all tensors are on one device.

    Windows are turned already, but not yet changed in radiometry. teacher: moving average of the
    student's weights. unlabelled: None for a method that needs none. ramp: grows from 0 to 1 over the
    first part of a training. dice: the only source of chance, on the device.
    """

    student: Network
    teacher: Network
    radiometry: Radiometry
    labelled: Labelled
    unlabelled: PseudoLabelled | None
    ramp: float
    dice: torch.Generator

    @property
    def both(self) -> tuple[Labelled, PseudoLabelled]:
        """Labelled and unlabelled windows, for a method that needs them."""
        assert self.unlabelled is not None  # the loop brings them to such a method
        return self.labelled, self.unlabelled


class Method(nn.Module, ABC):
    """One class a method. Weights of its own, if any, are trained and kept along with the student's."""

    needs_unlabelled: ClassVar[bool]
    """Whether a step brings windows of the whole training split, with their written pseudo-labels."""

    def begin(self, student: Network) -> None:
        """Called once before training, the student's weights in place."""

    @abstractmethod
    def loss(self, step: Step) -> dict[str, Tensor]:
        """Scalars: `loss`, to be minimised; its parts `supervised` and `unlabelled`; and, where the
        method knows them, readings of `training.history.READINGS`.

        Each is a process's own share: the shares of all processes add up.
        """
