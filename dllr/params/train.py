"""Section `train`: what every training stage shares."""

from typing import Annotated

from pydantic import Field

from dllr.params.base import Section


class Train(Section):
    """Optimiser, batch and seed, the same for the warm-up and every round."""

    seed: Annotated[int, Field(ge=0)]
    batch: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    balance: bool
    clip: Annotated[float, Field(gt=0)]
    ema: Annotated[float, Field(ge=0, lt=1)]
    log_every: Annotated[int, Field(ge=1)]
    checkpoint_every: Annotated[float, Field(gt=0)]
