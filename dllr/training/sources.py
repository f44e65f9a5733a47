"""What a training stage works with, out of the folders that earlier stages wrote."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from dllr.files import WORK
from dllr.models.normalise import Normalisation
from dllr.raster.arrays import SceneArrays, open_arrays
from dllr.raster.grid import IGNORE, read_indices
from dllr.raster.products import (
    HELD_OUT,
    LABELS,
    PSEUDO_CLASS,
    PSEUDO_WEIGHT,
    ROLES,
    WINDOWS,
)
from dllr.raster.roles import Role
from dllr.training.samples import Source, Views, Windows


class TrainingSet:
    """Training scenes, opened once: `labelled` and `unlabelled` cut windows out of them. What is held out
    trains nothing: it tells whether the rounds go on."""

    def __init__(self, coregistered: Path, split: Path) -> None:
        index = pd.read_parquet(split / WINDOWS)
        self._index = index[index["split"] == "train"]
        self._coregistered, self._split = coregistered, split
        self.names: list[str] = sorted(self._index["scene"].unique())
        self.scenes: list[SceneArrays] = [open_arrays(coregistered / name) for name in self.names]
        self.size = int(index["size"].iloc[0])

    def labelled(self, with_calibration: bool, balance: bool = False) -> Source:
        """Labelled windows; the calibration fold stays hidden unless asked for.

        balance: windows of rare classes are drawn more often, in proportion to the mean over classes of
        the share of a class's pixels that lie in them.
        """
        folds = ["train", "calibration"] if with_calibration else ["train"]
        roles = [Role.LABELLED, Role.CALIBRATION] if with_calibration else [Role.LABELLED]
        labels = [self._labels(name, roles) for name in self.names]
        windows = self._windows(self._index["labelled"].isin(folds))
        return Source(windows, [labels], _balanced(windows, labels) if balance else None)

    def unlabelled(self, pseudo_labels: Path) -> Source:
        """All training windows with their pseudo-labels and weights."""
        rasters = [
            [_spilled(read_indices(pseudo_labels / name / file)) for name in self.names]
            for file in (PSEUDO_CLASS, PSEUDO_WEIGHT)
        ]
        return Source(self._windows(np.ones(len(self._index), bool)), rasters)

    def look(self, count: int, seed: int, optical: Normalisation, sar: Normalisation) -> Views:
        """So many windows of the training scenes as a network sees them, on the CPU; no label is read."""
        every = Source(self._windows(np.ones(len(self._index), bool)), [])
        return every.cut(every.picked(0, count, seed), optical, sar, torch.device("cpu"))[0]

    def held_out(self) -> Iterator[tuple[SceneArrays, NDArray[np.uint8]]]:
        """Scenes with validation pixels and their labels (H, W), 255 everywhere else."""
        for path in sorted((self._split / HELD_OUT).glob("*.tif")):
            yield open_arrays(self._coregistered / path.stem), read_indices(path)

    def _windows(self, keep: pd.Series | NDArray[np.bool_]) -> Windows:
        rows = self._index[keep]
        numbers = rows["scene"].map({name: i for i, name in enumerate(self.names)})
        return Windows(self.scenes, np.column_stack([numbers, rows["y"], rows["x"]]), self.size)

    def _labels(self, name: str, roles: list[Role]) -> NDArray[np.uint8]:
        role = read_indices(self._split / ROLES / f"{name}.tif")
        path = self._split / LABELS / f"{name}.tif"
        if not path.exists():
            return np.broadcast_to(np.uint8(IGNORE), role.shape)
        return _spilled(np.where(np.isin(role, roles), read_indices(path), np.uint8(IGNORE)))


def _spilled(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same in a file without a name, which goes with the process: rasters of many scenes need more
    memory than there may be."""
    WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryFile(dir=WORK) as file:
        values.tofile(file)
        # As in `load_arrays`: slices of numpy's own class for maps are dear.
        return np.asarray(np.memmap(file, values.dtype, "r", shape=values.shape))


def _balanced(windows: Windows, labels: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    size = windows.size
    cut = (labels[n][y : y + size, x : x + size].ravel() for n, y, x in windows.boxes)
    counts = np.stack([np.bincount(c, minlength=256)[:IGNORE] for c in cut]).astype(np.float64)
    counts = counts[:, counts.sum(axis=0) > 0]
    if not counts.size:
        return np.full(len(counts), 1 / len(counts))
    chances: NDArray[np.float64] = (counts / counts.sum(axis=0)).mean(axis=1)
    chances /= chances.sum()
    return chances
