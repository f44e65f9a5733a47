"""Section `coregister`: SAR radiometry, and how SAR comes onto the optical grid."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dllr.params.base import Section

ALONE = "given"  # the only kind of evidence that needs no second one


class Coregister(Section):
    """What is done to SAR values, the evidence a transform needs, and what is plausible."""

    speckle: Literal["none", "lee", "refined_lee", "gamma_map"]
    window: Annotated[int, Field(ge=3, le=31)]
    looks: Annotated[float, Field(gt=0)]
    border: Annotated[int, Field(ge=0, le=200)]
    clip: Annotated[list[float], Field(min_length=2, max_length=2)] | None
    ratio: Annotated[list[str], Field(min_length=2, max_length=2)] | None
    estimators: list[Literal["information", "gradients", "shift", "given"]]
    given: str
    agreement: Annotated[float, Field(gt=0, le=10)]
    max_shift: Annotated[float, Field(gt=0, le=200)]
    max_rotation: Annotated[float, Field(gt=0, le=5)]
    max_scale: Annotated[float, Field(gt=0, le=0.05)]
    min_valid: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _filters_make_sense(self) -> "Coregister":
        if self.window % 2 == 0:
            raise ValueError(f"window {self.window} has no centre pixel; choose an odd number")
        if self.clip is not None and self.clip[0] >= self.clip[1]:
            raise ValueError(f"clip {self.clip} is empty; write [lowest, highest] dB")
        return self

    @model_validator(mode="after")
    def _two_kinds_of_evidence(self) -> "Coregister":
        if len(set(self.estimators)) < len(self.estimators):
            raise ValueError(
                f"estimators {self.estimators} names one twice: it would agree with itself"
            )
        if len(self.estimators) == 1 and self.estimators != [ALONE]:
            raise ValueError(
                f"estimators {self.estimators} is one kind of evidence, and nothing would notice where it "
                "fails; name two, such as [information, gradients], or write [] to keep the georeferencing"
            )
        return self
