"""Section `map`: whole-scene maps."""

from typing import Annotated, Literal

from pydantic import Field

from dllr.params.base import Section


class Map(Section):
    """How a scene is mapped, and what is written of it."""

    overlap: Annotated[float, Field(ge=0, lt=1)]
    augmentation: Literal["none", "flips", "all"]
    sieve: Annotated[int, Field(ge=0)]
    probabilities: bool
    polygons: bool
    suggestions: Annotated[int, Field(ge=0)]
