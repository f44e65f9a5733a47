"""Section `warmup`: supervised training on the labelled pixels, round 0."""

from typing import Annotated

from pydantic import Field

from dllr.params.base import Section


class Warmup(Section):
    """Length of the supervised warm-up, and the scale of the bands that it sets for all rounds."""

    steps: Annotated[int, Field(ge=1)]
    clip: Annotated[float, Field(gt=0)] | None
