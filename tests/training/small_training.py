"""A scene of three classes that a network learns in seconds."""

import numpy as np
import torch
from affine import Affine
from rasterio.crs import CRS

from dllr.models.checkpoint import Trained
from dllr.models.network import Network
from dllr.models.normalise import Normalisation
from dllr.raster.arrays import SceneArrays
from dllr.raster.grid import Grid
from dllr.training.loop import Schedule
from dllr.training.samples import Source, Windows

SIDE, SIZE, K = 96, 32, 3
CPU = torch.device("cpu")


def source(label: np.ndarray, *more: np.ndarray) -> Source:
    rng = np.random.default_rng(0)
    optical = np.stack([label == k for k in range(K)]).astype(np.float32) + 0.1 * rng.random(
        (K, SIDE, SIDE)
    )
    scene = SceneArrays(
        "s", Grid(CRS.from_epsg(32650), Affine.identity(), SIDE, SIDE), list("abc"), ["VV"], 1.0, 0.0,
        optical.astype(np.float32), rng.random((1, SIDE, SIDE), np.float32), np.ones((2, SIDE, SIDE), bool),
    )  # fmt: skip
    corners = [
        (0, y, x) for y in range(0, SIDE - SIZE + 1, 16) for x in range(0, SIDE - SIZE + 1, 16)
    ]
    return Source(Windows([scene], np.array(corners), SIZE), [[label], *([m] for m in more)])


LABEL = (np.indices((SIDE, SIDE)).sum(axis=0) // 24 % K).astype(np.uint8)


def fresh() -> Trained:
    torch.manual_seed(0)
    samples = np.random.default_rng(0).random((9, K, 16)).astype(np.float32)
    optical, sar = Normalisation.of(samples, None), Normalisation.of(samples[:, :1], None)
    network, every = Network("light", 8, K, 1, K), source(LABEL)
    network.settle(*every.cut(every.picked(0, 8, 0), optical, sar, CPU)[0])
    return Trained.new(
        network, optical=optical, sar=sar, optical_bands=list("abc"), sar_bands=["VV"], decibels=True, classes=list("xyz"), colours=["#000000"] * K, size=SIZE, pixel=5.0,
    )  # fmt: skip


def schedule(steps: int, every: float = 1e9, rate: float = 0.003, batch: int = 4) -> Schedule:
    return Schedule(0, steps, 3, batch, rate, 0.01, 1.0, 0.9, 5, every)
