"""Section `model`: the network."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dllr.params.base import Section

BUILT_IN = ("light", "resnet18", "resnet50", "convnext_pico")  # as dllr/models/encoders has them
TIMM = "timm:"


def _known(name: str) -> str:
    if name not in BUILT_IN and not re.fullmatch(rf"{TIMM}[\w.]+", name):
        raise ValueError(
            f"there is no encoder {name!r}; choose one of {', '.join(BUILT_IN)}, or {TIMM}NAME for "
            f"one of the library timm, such as {TIMM}resnet18"
        )
    return name


class Model(Section):
    """Encoder of each modality, the width they are projected to, and how they are brought together."""

    encoder: Annotated[str, AfterValidator(_known)]
    weights: Annotated[str, Field(min_length=1)] | None
    width: Annotated[int, Field(ge=8, le=512, multiple_of=8)]
    fusion: Literal["difference", "concatenation", "sum", "rectification"]
