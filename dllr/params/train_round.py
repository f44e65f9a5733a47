"""Section `train_round`: a student trained on labels and on what other pixels teach."""

from typing import Annotated, Literal

from pydantic import Field

from dllr.params.base import Section


class Dllr(Section):
    """Parts of the method `dllr`."""

    masking: Literal["none", "symmetric", "complementary", "asymmetric"]
    difference: bool
    cross: bool
    labels: Literal["written", "refreshed"]


class TrainRound(Section):
    """Method and length of every round after the warm-up."""

    method: Literal[
        "cps", "dllr", "fixmatch", "mean_teacher", "self_training", "supervised", "unimatch"
    ]
    steps: Annotated[int, Field(ge=1)]
    unlabelled_weight: Annotated[float, Field(ge=0)]
    threshold: Annotated[float, Field(ge=0, le=1)]
    guard: Annotated[float, Field(ge=0, le=1)] | None
    dllr: Dllr

    def settings(self) -> dict[str, object]:
        """What a method may be made with, by name."""
        return {"unlabelled_weight": self.unlabelled_weight, "threshold": self.threshold} | dict(
            self.dllr
        )
