"""Section `train_round`: a student trained on labels and pseudo-labels."""

from typing import Annotated, Literal

from pydantic import Field

from dllr.params.base import Section


class TrainRound(Section):
    """Method and length of every round after the warm-up."""

    method: Literal["self_training", "supervised"]
    steps: Annotated[int, Field(ge=1)]
    unlabelled_weight: Annotated[float, Field(ge=0)]
