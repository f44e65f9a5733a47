"""What does the loop cost beside the network? Steps of `fit` against bare steps on one resident batch.

`python -m benchmarks.step` prints seconds a step and their ratio as JSON.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from affine import Affine
from rasterio.crs import CRS

from dllr.execution import device
from dllr.methods.supervised import Supervised
from dllr.models.checkpoint import Trained
from dllr.models.network import Network
from dllr.models.normalise import Normalisation
from dllr.params.load import load
from dllr.raster.arrays import SceneArrays
from dllr.raster.grid import Grid
from dllr.training.loop import Schedule, fit
from dllr.training.samples import Source, Windows

SIDE, STEPS, ROUNDS = 512, 12, 3


def main() -> None:
    params = load()
    size, batch = params.tile.size, params.train.batch
    classes = len(params.scenes.label.names)
    rng = np.random.default_rng(0)
    scene = SceneArrays(
        "noise", Grid(CRS.from_epsg(32650), Affine.identity(), SIDE, SIDE), list("brgn"), ["VV"], 1.0, 0.0,
        rng.random((4, SIDE, SIDE), np.float32), rng.random((1, SIDE, SIDE), np.float32),
        np.ones((2, SIDE, SIDE), bool),
    )  # fmt: skip
    label = rng.integers(0, classes, (SIDE, SIDE), np.uint8)
    corners = rng.integers(0, SIDE - size, (64, 2))
    windows = Windows([scene], np.column_stack([np.zeros(64, int), corners]), size)
    norm = [Normalisation.of(rng.random((8, bands, 64), np.float32), None) for bands in (4, 1)]
    bare, whole = [], []
    for _ in range(ROUNDS):
        torch.manual_seed(0)
        network = Network(params.model.encoder, params.model.width, 4, 1, classes)
        trained = Trained.new(
            network, optical=norm[0], sar=norm[1], optical_bands=list("brgn"), sar_bands=["VV"],
            classes=[], colours=[], size=size,
        )  # fmt: skip
        bare.append(_bare(network, batch, size))
        numbers = params.train.model_dump() | {"checkpoint_every": 1e9}
        schedule = Schedule(round=0, steps=STEPS, **numbers)
        with tempfile.TemporaryDirectory() as work:
            start = time.perf_counter()
            fit(trained, Supervised(), Source(windows, [[label]]), None, schedule, Path(work), device(),
                lambda _: None)  # fmt: skip
            whole.append((time.perf_counter() - start) / STEPS)
    figures = {"bare_s": statistics.median(bare), "whole_s": statistics.median(whole)}
    ratios = [w / b for w, b in zip(whole, bare, strict=True)]
    print(
        json.dumps(
            {k: round(v, 4) for k, v in (figures | {"ratio": statistics.median(ratios)}).items()}
        )
    )


def _bare(network: Network, batch: int, size: int) -> float:
    """Forward, backward and optimiser step with a trivial loss."""
    optimiser = torch.optim.AdamW(network.parameters())
    shapes = (batch, 4, size, size), (batch, 1, size, size)
    inputs = [torch.rand(shape) for shape in shapes]
    valid = torch.ones((batch, 2, size, size), dtype=torch.bool)
    device()
    start = time.perf_counter()
    for _ in range(STEPS):
        optimiser.zero_grad(set_to_none=True)
        torch.stack([out.mean() for out in network(*inputs, valid).values()]).sum().backward()
        optimiser.step()
    return (time.perf_counter() - start) / STEPS


if __name__ == "__main__":
    main()
