"""Section `pseudo_label`: label reassignment by optimal transport."""

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dllr.params.base import Section

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Covered = Annotated[float, Field(gt=0, le=1)]


class PseudoLabel(Section):
    """The levels of reassignment, the transport problem, and the pixels that rules are compared on."""

    overlap: Annotated[float, Field(ge=0, lt=1)]
    coverage: Annotated[list[Covered], Field(min_length=2, max_length=2)]
    regions: Share
    shares: bool
    gate: Share
    solver: Literal["newton", "pot"]
    epsilon: Positive
    rho: Positive | None
    smoothing: Share
    teacher_shares: Share
    sample: Annotated[int, Field(ge=1000)]
    max_passes: Annotated[int, Field(ge=10)]
    tolerance: Positive

    @model_validator(mode="after")
    def _solver_knows_the_price(self) -> "PseudoLabel":
        if self.solver == "pot" and self.rho is not None:
            raise ValueError(
                f"solver pot has no price for some classes alone, and rho is {self.rho}; write rho: null, "
                "or solver: newton"
            )
        return self

    def covered(self, round: int, rounds: int) -> float:
        """Share of the pixels that is labelled in a round of so many, counted from 1."""
        first, last = self.coverage
        return first + (last - first) * (round - 1) / max(1, rounds - 1)

    @property
    def price(self) -> float:
        """ρ of the transport; inf where the shares are to be met exactly."""
        return math.inf if self.rho is None else self.rho
