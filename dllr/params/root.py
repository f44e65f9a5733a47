"""The whole of params.yaml."""

from typing import Annotated

from pydantic import Field, model_validator

from dllr.params.base import Section
from dllr.params.coregister import Coregister
from dllr.params.demo import Country
from dllr.params.evaluate import Evaluate
from dllr.params.map import Map
from dllr.params.model import Model
from dllr.params.pseudo_label import PseudoLabel
from dllr.params.report import Report
from dllr.params.scenes import Scenes
from dllr.params.split import Split
from dllr.params.tile import Tile
from dllr.params.train import Train
from dllr.params.train_round import TrainRound
from dllr.params.warmup import Warmup


class Params(Section):
    """One field a section; a stage's function names the sections it reads."""

    demo: Annotated[dict[str, Country], Field(max_length=1)]
    scenes: Scenes
    coregister: Coregister
    tile: Tile
    split: Split
    model: Model
    train: Train
    warmup: Warmup
    rounds: dict[str, int]
    pseudo_label: PseudoLabel
    train_round: TrainRound
    evaluate: Evaluate
    map: Map
    report: Report

    @model_validator(mode="after")
    def _chain_of_rounds(self) -> "Params":
        wanted = {str(r): r - 1 for r in range(1, len(self.rounds) + 1)}
        if self.rounds != wanted:
            example = ", ".join(f'"{r}": {p}' for r, p in wanted.items())
            raise ValueError(
                f"rounds {self.rounds} is not a chain; write rounds: {{{example}}} "
                "(each round, quoted, and the round it starts from)"
            )
        return self

    @model_validator(mode="after")
    def _sar_has_the_unit_and_the_bands(self) -> "Params":
        settings, sar = self.coregister, self.scenes.sar
        radiometric = {
            "speckle": settings.speckle != "none", "clip": settings.clip, "ratio": settings.ratio
        }  # fmt: skip
        if sar.unit == "dn" and (asked := [key for key, value in radiometric.items() if value]):
            raise ValueError(
                f"coregister.{asked[0]} needs backscatter, but scenes.sar.unit is dn, numbers without "
                "radiometric meaning; declare the unit, or switch it off"
            )
        for band in settings.ratio or []:
            if band not in sar.bands:
                raise ValueError(
                    f"coregister.ratio names the band {band}; scenes.sar.bands has {', '.join(sar.bands)}"
                )
        return self

    @model_validator(mode="after")
    def _block_holds_a_tile(self) -> "Params":
        if self.split.cuts_scenes and self.split.block < self.tile.size + 2 * self.split.buffer:
            raise ValueError(
                f"split.block {self.split.block} px cannot hold a tile of {self.tile.size} px "
                f"and a buffer of {self.split.buffer} px on each side; enlarge split.block"
            )
        return self
