"""Batches of windows. What has no label has no field for one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dllr.models.batch import stacked
from dllr.models.normalise import Normalisation
from dllr.raster.arrays import SceneArrays


class Views(NamedTuple):
    """Normalised bands (N, B_o, H, W), (N, B_s, H, W) and validity (N, 2, H, W)."""

    optical: Tensor
    sar: Tensor
    valid: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.valid.shape[-2], self.valid.shape[-1]


class Labelled(NamedTuple):
    """Windows with labels: class indices (N, H, W) int64, 255 = ignore."""

    views: Views
    label: Tensor


class PseudoLabelled(NamedTuple):
    """Windows with pseudo-labels (N, H, W) int64, 255 = none, and their weights (N, H, W) in [0, 1]."""

    views: Views
    label: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Windows:
    """Windows of scenes: number of the scene, first row and column, by window; side in px."""

    scenes: Sequence[SceneArrays]
    boxes: NDArray[np.int64]  # (N, 3): scene, y, x
    size: int

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class Source:
    """Windows, and the rasters (H, W) uint8 by scene number that are cut out along with them.

    chances: how likely each window is drawn, of sum 1; None = every window once an epoch.
    """

    windows: Windows
    rasters: Sequence[Sequence[NDArray[np.uint8]]]
    chances: NDArray[np.float64] | None = None

    def picked(self, step: int, batch: int, seed: int) -> NDArray[np.int64]:
        """(batch, 3) windows of a step. They follow from seed and step alone, so a resumed run goes on as
        before."""
        if self.chances is None:
            return self.windows.boxes[draw(len(self.windows), step, batch, seed)]
        dice = generator(seed, "window", step)
        return self.windows.boxes[dice.choice(len(self.windows), batch, p=self.chances)]

    def cut(
        self,
        picked: NDArray[np.int64],
        optical: Normalisation,
        sar: Normalisation,
        device: torch.device,
    ) -> tuple[Views, list[Tensor]]:
        """Those windows and what of the rasters lies in them, normalised, on the device."""
        size = self.windows.size
        crops = [self.windows.scenes[s].crop(int(y), int(x), size, size) for s, y, x in picked]
        bands, backscatter, valid = stacked(crops, device)
        cut = [
            torch.from_numpy(np.stack([_cut(raster[s], y, x, size) for s, y, x in picked]))
            for raster in self.rasters
        ]
        views = Views(optical(bands), sar(backscatter), valid)
        return views, [raster.to(device) for raster in cut]


def draw(count: int, step: int, batch: int, seed: int) -> list[int]:
    """Indices of a step's batch: every window once an epoch, in a new order each epoch."""
    places = np.arange(step * batch, (step + 1) * batch)
    orders = {
        e: generator(seed, "epoch", e).permutation(count) for e in set((places // count).tolist())
    }
    return [int(orders[int(p // count)][p % count]) for p in places]


def generator(*key: int | str) -> np.random.Generator:
    """A random generator of its own for each key."""
    text = ":".join(map(str, key)).encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:8], "little"))


def _cut(raster: NDArray[np.uint8], y: int, x: int, size: int) -> NDArray[np.uint8]:
    """A square of a label raster; what lies off the scene is 255."""
    square = raster[y : y + size, x : x + size]
    missing = [(0, size - square.shape[0]), (0, size - square.shape[1])]
    return np.pad(square, missing, constant_values=255)
