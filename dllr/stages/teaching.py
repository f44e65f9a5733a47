"""What a round's teacher thinks of the pixels: calibrated costs, scene by scene, kept in the work cache."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from dllr.evaluation.temperature import LIMITS, temperature
from dllr.execution import device
from dllr.files import atomic_dir
from dllr.models.checkpoint import load
from dllr.models.network import HEADS
from dllr.models.predict import BATCH, logits, window_logits
from dllr.raster.arrays import SceneArrays
from dllr.raster.grid import IGNORE, Grid, read_indices
from dllr.raster.roles import SPLITS
from dllr.raster.rows import create, read_rows, write_rows
from dllr.raster.windows import boxes
from dllr.transport.regions import Sums, blended
from dllr.transport.scores import cost

WEIGHTS = {
    "fused": 0.5,
    "optical": 0.25,
    "sar": 0.25,
}  # of the heads in a pixel's score, as in losses
STEP = 2  # every second row and column of the calibration windows gives the temperatures,
FOLD = 200_000  # px, or as many fewer as leave about so many: bounds the memory
log = logging.getLogger(__name__)
COSTS, WANTED, MEANS = "cost.npy", "wanted.npy", "means.npy"


class Pixels(NamedTuple):
    """Logits (M, N, K) of the heads, which of them saw data (M, N), and labels (N,), 255 = none."""

    logits: NDArray[np.float32]
    seen: NDArray[np.bool_]
    label: NDArray[np.uint8]


class Teacher:
    """The previous round's teacher: what it thinks a pixel costs each class, once calibrated."""

    def __init__(self, checkpoint: Path) -> None:
        self.trained = load(checkpoint)
        self.device = device()
        self.network = self.trained.teacher.to(self.device)
        self.classes = self.trained.classes
        self.temperatures = np.ones(len(HEADS))
        self._weights = np.array([WEIGHTS[head] for head in HEADS])

    def calibrate(
        self, scenes: dict[str, SceneArrays], windows: pd.DataFrame, labels: Path
    ) -> None:
        """One temperature a head, from windows whose labels did not train it; none = left at 1."""
        fold = list(self._look(scenes, windows, labels))
        for m in range(len(HEADS)) if fold else ():
            usable = [pixels.seen[m] & (pixels.label != IGNORE) for pixels in fold]
            self.temperatures[m] = temperature(
                np.concatenate([p.logits[m][u] for p, u in zip(fold, usable, strict=True)]),
                np.concatenate([p.label[u] for p, u in zip(fold, usable, strict=True)]).astype(
                    np.int64
                ),
            )
            if not LIMITS[0] * 1.01 < self.temperatures[m] < LIMITS[1] / 1.01:
                log.warning(
                    "the temperature of the head %s is at its limit, %.1f: the %d windows of the "
                    "calibration fold tell little of it; enlarge the budget or split.calibration",
                    HEADS[m], self.temperatures[m], len(windows),
                )  # fmt: skip

    def costs(
        self, scene: SceneArrays, roles: Path, superpixels: Path, overlap: float, target: Path
    ) -> "SceneCosts":
        """The scene's costs and the means of its superpixels, in the folder `target`; what lies there is
        finished and is not made again."""
        if not target.exists():
            with atomic_dir(target, keep=True) as folder:
                self._write(scene, read_indices(roles), superpixels, overlap, folder)
        return SceneCosts(scene.name, scene.grid, len(self.classes), target, superpixels)

    def _write(
        self,
        scene: SceneArrays,
        roles: NDArray[np.uint8],
        superpixels: Path,
        overlap: float,
        folder: Path,
    ) -> None:
        grid, classes = scene.grid, len(self.classes)
        create(folder / COSTS, "float16", (classes, grid.height, grid.width))
        create(folder / WANTED, "bool", (1, grid.height, grid.width))
        sums = Sums(classes)
        with rasterio.open(superpixels) as regions:
            for y, z in logits(self.trained, self.network, scene, overlap, self.device):
                rows = slice(y, y + z.shape[2])
                valid = np.asarray(scene.valid[:, rows])
                wanted = valid.any(axis=0) & np.isin(roles[rows], SPLITS["train"])
                price = self._cost(_pixels(z, valid, None, wanted)).astype(np.float16)
                stored = np.zeros((classes, *wanted.shape), np.float16)
                stored[:, wanted] = price.T
                write_rows(folder / COSTS, y, stored)
                write_rows(folder / WANTED, y, wanted[None])
                ids = regions.read(1, window=Window(0, y, grid.width, len(wanted)))
                sums.add(price.astype(np.float32), ids[wanted])
        np.save(folder / MEANS, sums.means())

    def _cost(self, pixels: Pixels) -> NDArray[np.float32]:
        return cost(pixels.logits, self.temperatures, self._weights, pixels.seen)

    def _look(
        self, scenes: dict[str, SceneArrays], windows: pd.DataFrame, labels: Path
    ) -> Iterator[Pixels]:
        size = self.trained.size
        grid = (thinned(len(windows), size),) * 2
        for first in range(0, len(windows), BATCH):
            here = boxes(windows.iloc[first : first + BATCH])
            crops = [scenes[box.scene].crop(box.y, box.x, size, size) for box in here]
            values = window_logits(self.trained, self.network, crops, self.device)
            for box, crop, z in zip(here, crops, values, strict=True):
                window = Window(box.x, box.y, size, size)
                label = read_indices(labels / f"{box.scene}.tif", window)[grid]
                yield _pixels(z[..., *grid], crop.valid[:, *grid], label)


def thinned(windows: int, size: int) -> slice:
    """The rows, and the columns, of so many calibration windows that are looked at."""
    step = max(STEP, math.ceil(size * math.sqrt(windows / FOLD)))
    return slice(step // 2, None, step)


@dataclass(frozen=True)
class SceneCosts:
    """A scene whose costs lie in the work cache: `wanted` are its training pixels with data."""

    name: str
    grid: Grid
    classes: int
    folder: Path
    superpixels: Path

    def wanted(self, window: Window) -> NDArray[np.bool_]:
        """(rows, columns) of a window inside the scene."""
        found: NDArray[np.bool_] = self._read(WANTED, window)[0]
        return found

    def cost(self, window: Window) -> NDArray[np.float32]:
        """(n, K) of the wanted pixels of a window, row by row."""
        stored = self._read(COSTS, window)[:, self.wanted(window)]
        return np.ascontiguousarray(stored.T, np.float32)

    def blended(
        self, cost: NDArray[np.float32], window: Window, share: float
    ) -> NDArray[np.float32]:
        """The same costs once the mean of a pixel's superpixel has that share in its probabilities."""
        if not share:
            return cost
        with rasterio.open(self.superpixels) as source:
            ids = source.read(1, window=window)[self.wanted(window)]
        return blended(cost, self._means[ids], share)

    def _read(self, name: str, window: Window) -> NDArray[Any]:
        rows = read_rows(self.folder / name, window.row_off, window.height)
        return rows[..., window.col_off : window.col_off + window.width]

    @cached_property
    def _means(self) -> NDArray[np.float32]:
        means: NDArray[np.float32] = np.load(self.folder / MEANS)
        return means


def _pixels(
    z: NDArray[np.float32],
    valid: NDArray[np.bool_],
    label: NDArray[np.uint8] | None,
    wanted: NDArray[np.bool_] | None = None,
) -> Pixels:
    """Logits (M, K, h, w) and validity (2, h, w) as rows of pixels; by default those with data."""
    keep = valid.any(axis=0) if wanted is None else wanted
    optical, sar = valid[:, keep]
    seen = {"fused": np.ones_like(optical), "optical": optical, "sar": sar}
    rows = np.moveaxis(z[:, :, keep], 1, 2)
    known = np.full(len(optical), IGNORE, np.uint8) if label is None else label[keep]
    return Pixels(rows, np.stack([seen[head] for head in HEADS]), known)
