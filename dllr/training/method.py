"""What a method is to the loop: the loss of a step, and nothing else."""

from typing import Protocol

import torch
from torch import Tensor

from dllr.models.network import Network
from dllr.training.samples import Labelled, PseudoLabelled


class Method(Protocol):
    """One class a method. `needs_unlabelled` says whether a step brings pseudo-labelled windows."""

    needs_unlabelled: bool

    def loss(
        self,
        network: Network,
        labelled: Labelled,
        unlabelled: PseudoLabelled | None,
        dice: torch.Generator,
    ) -> dict[str, Tensor]:
        """Scalars `loss` (to be minimised) and its parts `supervised` and `unlabelled`."""
        ...
