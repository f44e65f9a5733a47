"""The windows a training stage draws from, out of the folders that earlier stages wrote."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dllr.raster.arrays import SceneArrays, open_arrays
from dllr.raster.grid import IGNORE, read_indices
from dllr.raster.products import LABELS, PSEUDO_CLASS, PSEUDO_WEIGHT, ROLES, WINDOWS
from dllr.raster.roles import Role
from dllr.training.samples import Source, Windows


class TrainingSet:
    """Training scenes, opened once: `labelled` and `unlabelled` cut windows out of them."""

    def __init__(self, coregistered: Path, split: Path) -> None:
        index = pd.read_parquet(split / WINDOWS)
        self._index = index[index["split"] == "train"]
        self._split = split
        self.names: list[str] = sorted(self._index["scene"].unique())
        self.scenes: list[SceneArrays] = [open_arrays(coregistered / name) for name in self.names]
        self.size = int(index["size"].iloc[0])

    def labelled(self, with_calibration: bool) -> Source:
        """Labelled windows; the calibration fold stays hidden unless asked for."""
        folds = ["train", "calibration"] if with_calibration else ["train"]
        roles = [Role.LABELLED, Role.CALIBRATION] if with_calibration else [Role.LABELLED]
        labels = [self._labels(name, roles) for name in self.names]
        return Source(self._windows(self._index["labelled"].isin(folds)), [labels])

    def unlabelled(self, pseudo_labels: Path) -> Source:
        """All training windows with their pseudo-labels and weights."""
        rasters = [
            [read_indices(pseudo_labels / name / file) for name in self.names]
            for file in (PSEUDO_CLASS, PSEUDO_WEIGHT)
        ]
        return Source(self._windows(np.ones(len(self._index), bool)), rasters)

    def _windows(self, keep: pd.Series | NDArray[np.bool_]) -> Windows:
        rows = self._index[keep]
        numbers = rows["scene"].map({name: i for i, name in enumerate(self.names)})
        return Windows(self.scenes, np.column_stack([numbers, rows["y"], rows["x"]]), self.size)

    def _labels(self, name: str, roles: list[Role]) -> NDArray[np.uint8]:
        role = read_indices(self._split / ROLES / f"{name}.tif")
        path = self._split / LABELS / f"{name}.tif"
        if not path.exists():
            return np.full_like(role, IGNORE)
        return np.where(np.isin(role, roles), read_indices(path), np.uint8(IGNORE))
