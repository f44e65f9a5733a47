"""Section `split`: who is trained on, who selects, who is tested on, and how many labels there are."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from dllr.params.base import Section

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
KINDS_OF_BLOCKS = ("block", "checkerboard")


def _compiles(expression: str) -> str:
    try:
        re.compile(expression)
    except re.error as error:
        raise ValueError(
            f"{expression!r} is no regular expression ({error}); mend it, or write null"
        ) from None
    return expression


class Split(Section):
    """Leak-free split and labelled budget."""

    by: Literal["scene", "block", "checkerboard", "given"]
    group: Annotated[str, AfterValidator(_compiles)] | None
    block: Annotated[int, Field(ge=32)]
    buffer: Annotated[int, Field(ge=0)]
    validation: Share
    test: Share
    labelled_scenes: Count | None
    labelled_tiles: Count | None
    min_labelled: Share
    calibration: Annotated[float, Field(ge=0, lt=1)]
    unverified: Literal["use", "leave_out"]
    seed: Annotated[int, Field(ge=0)]

    @property
    def cuts_scenes(self) -> bool:
        """Whether the blocks of one scene may be of several splits."""
        return self.by in KINDS_OF_BLOCKS

    @model_validator(mode="after")
    def _some_left(self) -> "Split":
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation} + test {self.test} leave nothing to train on; "
                "their sum must stay below 1"
            )
        return self
