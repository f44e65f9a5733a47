"""Section `coregister`: SAR radiometry, and how SAR comes onto the optical grid."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dllr.params.base import Section


class Coregister(Section):
    """What is done to SAR values, the estimator of the transform, and what is plausible."""

    speckle: Literal["none", "lee", "refined_lee", "gamma_map"]
    window: Annotated[int, Field(ge=3, le=31)]
    looks: Annotated[float, Field(gt=0)]
    border: Annotated[int, Field(ge=0, le=200)]
    clip: Annotated[list[float], Field(min_length=2, max_length=2)] | None
    ratio: Annotated[list[str], Field(min_length=2, max_length=2)] | None
    estimator: Literal["none", "mutual_information"]
    max_shift: Annotated[float, Field(gt=0, le=200)]
    max_rotation: Annotated[float, Field(gt=0, le=10)]
    max_scale: Annotated[float, Field(gt=0, le=0.1)]
    min_valid: Annotated[float, Field(gt=0, le=1)]
    max_pixels: Annotated[int, Field(ge=10_000)]

    @model_validator(mode="after")
    def _filters_make_sense(self) -> "Coregister":
        if self.window % 2 == 0:
            raise ValueError(f"window {self.window} has no centre pixel; choose an odd number")
        if self.clip is not None and self.clip[0] >= self.clip[1]:
            raise ValueError(f"clip {self.clip} is empty; write [lowest, highest] dB")
        return self
