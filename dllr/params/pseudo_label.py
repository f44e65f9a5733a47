"""Section `pseudo_label`: label reassignment by optimal transport."""

from typing import Annotated, Literal

from pydantic import Field

from dllr.params.base import Section

Positive = Annotated[float, Field(gt=0)]


class PseudoLabel(Section):
    """The transport problem and the pixels it is solved on."""

    overlap: Annotated[float, Field(ge=0, lt=1)]
    solver: Literal["newton", "pot"]
    epsilon: Positive
    rho: Positive
    smoothing: Annotated[float, Field(ge=0, le=1)]
    sample: Annotated[int, Field(ge=1000)]
    max_passes: Annotated[int, Field(ge=10)]
    tolerance: Positive
