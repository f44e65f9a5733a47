"""Section `split`: who is trained on, who selects, who is tested on, and how many labels there are."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dllr.params.base import Section

Share = Annotated[float, Field(gt=0, lt=1)]


class Split(Section):
    """Leak-free split and labelled budget."""

    by: Literal["scene", "block"]
    block: Annotated[int, Field(ge=32)]
    buffer: Annotated[int, Field(ge=0)]
    validation: Share
    test: Share
    labelled_tiles: Annotated[int, Field(ge=1)] | None
    min_labelled: Share
    calibration: Annotated[float, Field(ge=0, lt=1)]
    seed: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _some_left(self) -> "Split":
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation} + test {self.test} leave nothing to train on; "
                "their sum must stay below 1"
            )
        return self
