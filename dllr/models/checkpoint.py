"""A trained network with all that is needed to use it: no code, plain tensors, numbers and names."""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from dllr.errors import TrainingError
from dllr.files import atomic_file
from dllr.models.network import HEADS, Network
from dllr.models.normalise import Normalisation

FORMAT = 8


@dataclass
class Trained:
    """Student and its teacher (moving average of its weights), and what they expect.

    decibels: the SAR bands are dB; if not, numbers without a unit. size: px, side of the windows it was
    trained on. pixel: m, side of a pixel on the ground as it usually was. temperatures: by head, > 0;
    the teacher's logits divided by them are calibrated. 1 until they are fitted.
    """

    student: Network
    teacher: Network
    optical: Normalisation
    sar: Normalisation
    optical_bands: list[str]
    sar_bands: list[str]
    decibels: bool
    classes: list[str]
    colours: list[str]
    size: int
    pixel: float
    temperatures: dict[str, float] = field(default_factory=lambda: dict.fromkeys(HEADS, 1.0))

    @classmethod
    def new(cls, network: Network, **facts: Any) -> "Trained":
        """A fresh network, its teacher an exact copy."""
        return cls(network, frozen(network), **facts)


def frozen(network: Network) -> Network:
    """A copy that receives no gradient."""
    return copy.deepcopy(network).requires_grad_(False).eval()


def save(path: Path, trained: Trained) -> None:
    """Write a checkpoint; it appears whole or not at all."""
    state = {
        "format": FORMAT,
        "network": trained.student.settings,
        "student": trained.student.state_dict(),
        "teacher": trained.teacher.state_dict(),
        "optical": trained.optical.state(),
        "sar": trained.sar.state(),
        "optical_bands": trained.optical_bands,
        "sar_bands": trained.sar_bands,
        "decibels": trained.decibels,
        "classes": trained.classes,
        "colours": trained.colours,
        "size": trained.size,
        "pixel": trained.pixel,
        "temperatures": trained.temperatures,
    }
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        torch.save(state, file)  # into a file object: a path's name would become part of the bytes


def load(path: Path) -> Trained:
    """Read a checkpoint without running any code from it.

    Raises:
        TrainingError: the file is no checkpoint of this format.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes raise whatever they are mistaken for
        raise TrainingError(f"{path} cannot be read as a checkpoint: {error}") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise TrainingError(
            f"{path} is not a checkpoint of format {FORMAT}; train again with this version"
        )
    student = Network(**state["network"])
    student.load_state_dict(state["student"])
    teacher = frozen(student)
    teacher.load_state_dict(state["teacher"])
    return Trained(
        student, teacher, Normalisation(**state["optical"]), Normalisation(**state["sar"]),
        state["optical_bands"], state["sar_bands"], state["decibels"], state["classes"],
        state["colours"], state["size"], state["pixel"], state["temperatures"],
    )  # fmt: skip
