"""Section `warmup`: supervised training on the labelled pixels, round 0."""

from typing import Annotated

from pydantic import Field

from dllr.params.base import Section


class Warmup(Section):
    """Length of the supervised warm-up."""

    steps: Annotated[int, Field(ge=1)]
