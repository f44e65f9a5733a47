"""Section `coregister`: how SAR comes onto the optical grid."""

from typing import Annotated, Literal

from pydantic import Field

from dllr.params.base import Section


class Coregister(Section):
    """Estimator of the transform, and what is plausible."""

    estimator: Literal["none", "mutual_information"]
    max_shift: Annotated[float, Field(gt=0, le=200)]
    max_rotation: Annotated[float, Field(gt=0, le=10)]
    max_scale: Annotated[float, Field(gt=0, le=0.1)]
    min_valid: Annotated[float, Field(gt=0, le=1)]
    max_pixels: Annotated[int, Field(ge=10_000)]
