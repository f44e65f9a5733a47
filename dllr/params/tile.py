"""Section `tile`: the windows that training sees, and the superpixels of each scene."""

from typing import Annotated

from pydantic import Field, model_validator

from dllr.params.base import Section


class Tile(Section):
    """Window size and stride, what makes a window worth keeping, and how superpixels look."""

    size: Annotated[int, Field(ge=32, le=2048, multiple_of=32)]
    stride: Annotated[int, Field(ge=8)]
    min_valid: Annotated[float, Field(ge=0, le=1)]
    samples: Annotated[int, Field(ge=4, le=64)]
    superpixel: Annotated[int, Field(ge=16, le=4096)]
    compactness: Annotated[float, Field(gt=0, le=100)]

    @model_validator(mode="after")
    def _no_gaps(self) -> "Tile":
        if self.stride > self.size:
            raise ValueError(
                f"stride {self.stride} is larger than size {self.size}: pixels between windows "
                "would never be seen; choose a stride of at most the size"
            )
        return self
