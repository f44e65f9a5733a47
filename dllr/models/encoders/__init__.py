"""Encoders by name: an image in, features at several strides out.

A new one is a file, a line here and its name in dllr/params/model.py. Its class is made from a number
of bands and declares `strides` and `widths`, one number a level from the finest to the coarsest; its
forward pass turns (N, bands, H, W) into a list of (N, widths[l], ⌈H/strides[l]⌉, ⌈W/strides[l]⌉). It
has no state that is not a parameter or stays as it was loaded: the teacher averages parameters only.
"""

import importlib
from typing import TYPE_CHECKING

from dllr.errors import TrainingError

if TYPE_CHECKING:
    from dllr.models.encoders.encoder import Encoder

ENCODERS = {
    "light": "dllr.models.encoders.light:Light",
    "resnet18": "dllr.models.encoders.resnet:ResNet18",
    "resnet50": "dllr.models.encoders.resnet:ResNet50",
    "convnext_pico": "dllr.models.encoders.convnext:ConvNeXtPico",
}
TIMM = "timm:"  # before the name of an encoder of that library


def make(name: str, bands: int) -> "Encoder":
    """The encoder of that name with random weights, its module imported only now.

    Raises:
        TrainingError: there is none of that name, or timm, which has it, is not installed.
    """
    if name.startswith(TIMM):
        from dllr.models.encoders.timm import Timm

        return Timm(name.removeprefix(TIMM), bands)
    if name not in ENCODERS:
        raise TrainingError(
            f"no encoder `{name}`; there are: {', '.join(ENCODERS)}, and {TIMM}NAME for those of timm"
        )
    module, _, kind = ENCODERS[name].partition(":")
    encoder: Encoder = getattr(importlib.import_module(module), kind)(bands)
    return encoder


def module(name: str) -> str:
    """Module that an encoder is written in, for keys that follow code."""
    return ENCODERS.get(name, f"{__name__}.timm:").partition(":")[0]
