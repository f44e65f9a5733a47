"""Section `model`: the network."""

from typing import Annotated, Literal

from pydantic import Field

from dllr.params.base import Section


class Model(Section):
    """Encoder of each modality and the width they are projected to."""

    encoder: Literal["light"]
    width: Annotated[int, Field(ge=8, le=512, multiple_of=8)]
