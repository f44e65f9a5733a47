"""Pixels on which the rules of a round are compared: a sample of all, and the calibration fold."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rasterio.windows import Window

from dllr.raster.grid import IGNORE, read_indices
from dllr.raster.windows import boxes
from dllr.stages.teaching import SceneCosts, thinned
from dllr.transport.ledger import Truth


class Levels(NamedTuple):
    """What is done with a pixel's score: `regions`, the share of its superpixel's mean in it; `shares`,
    whether the class shares decide, or its sureness alone."""

    regions: float
    shares: bool


class Population(NamedTuple):
    """Pixels that rules are compared on: a sample of all training pixels, then the fold's.

    raw, blended: costs (S + F, K), by pixel alone and with its superpixel's. place: (S) scene, row and
    column. truth: of the last F.
    """

    raw: NDArray[np.float32]
    blended: NDArray[np.float32]
    place: pd.DataFrame
    truth: Truth

    @classmethod
    def drawn(
        cls,
        scenes: Sequence[SceneCosts],
        fold: pd.DataFrame,
        labels: Path,
        count: int,
        regions: float,
    ) -> "Population":
        """About `count` training pixels, and those of the fold's windows that calibrate.

        regions: share of the superpixels' means in `blended`.
        """
        total = sum(int(s.wanted(w).sum()) for s in scenes for w in s.grid.strips())
        every, skip = max(1, total // count), 0
        costs: list[list[NDArray[np.float32]]] = [[], []]
        places = []
        for scene in scenes:
            for window in scene.grid.strips():
                rows, columns = np.nonzero(scene.wanted(window))
                chosen = slice(skip, None, every)
                skip = (skip - len(rows)) % every
                raw = scene.cost(window)
                for kept, cost in zip(
                    costs, (raw, scene.blended(raw, window, regions)), strict=True
                ):
                    kept.append(cost[chosen])
                places.append(
                    pd.DataFrame({"row": rows[chosen] + window.row_off, "column": columns[chosen]})
                    .astype(np.int32)
                    .assign(scene=scene.name)
                )
        by_name = {scene.name: scene for scene in scenes}
        known, tiles = [], []
        for number, box in enumerate(boxes(fold)):
            scene, size = by_name[box.scene], int(fold["size"].iloc[number])
            height, width = (
                min(size, n - at)
                for n, at in zip((scene.grid.height, scene.grid.width), (box.y, box.x), strict=True)
            )
            window = Window(box.x, box.y, width, height)
            thin = np.zeros((height, width), bool)
            thin[(thinned(len(fold), size),) * 2] = True
            truth = read_indices(labels / f"{box.scene}.tif", window)
            wanted = scene.wanted(window)
            chosen = (thin & (truth != IGNORE))[wanted]
            raw = scene.cost(window)
            for kept, cost in zip(costs, (raw, scene.blended(raw, window, regions)), strict=True):
                kept.append(cost[chosen])
            known.append(truth[wanted][chosen])
            tiles.append(np.full(len(known[-1]), number))
        whole, blended = (np.concatenate(kept) for kept in costs)
        return cls(
            whole, blended,
            pd.concat(places, ignore_index=True)[["scene", "row", "column"]],
            Truth(np.concatenate([*known, np.zeros(0, np.uint8)]),
                  np.concatenate([*tiles, np.zeros(0, np.int64)]), whole.shape[1]),
        )  # fmt: skip

    def cost(self, levels: Levels) -> NDArray[np.float32]:
        """(S + F, K) after the level of regions, where it is kept."""
        return self.blended if levels.regions else self.raw

    def sample(self, levels: Levels) -> NDArray[np.float32]:
        """(S, K), without the fold."""
        return self.cost(levels)[: len(self.place)]

    def means(self) -> NDArray[np.float64]:
        """Mean probabilities (K,) of the sample, the pixels by themselves."""
        found: NDArray[np.float64] = np.exp(-self.raw[: len(self.place)]).mean(0, dtype=np.float64)
        return found
