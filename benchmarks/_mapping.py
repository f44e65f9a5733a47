"""One scene mapped in a process of its own: `python -m benchmarks._mapping FOLDER HEIGHT WIDTH NETWORK`.

NETWORK: `params`, that of the parameters; `convolution`, one convolution in its place; or `none`: the
scene's arrays are written and nothing else.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from affine import Affine
from rasterio.crs import CRS
from torch import Tensor, nn

from dllr.execution import device
from dllr.models.checkpoint import Trained
from dllr.models.network import Network
from dllr.models.normalise import Normalisation
from dllr.models.predict import BATCH, FLOOR, window_logits
from dllr.params.load import load
from dllr.raster.arrays import Layer, SceneArrays, load_arrays, write_arrays
from dllr.raster.grid import Grid, read_indices
from dllr.raster.windows import positions
from dllr.stages.mapping import CLASS, write_map

BANDS, SAR = list("brgn"), ["VV"]
HEAD = ("fused",)
REFERENCE = 25_000_000  # px, up to which a full buffer is held beside the map: it is some 600 MB


class OneConvolution(nn.Module):
    """The fused head of a network that costs next to nothing."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(len(BANDS) + len(SAR), classes, 3, padding=1)

    def forward(
        self, optical: Tensor, sar: Tensor, _: Tensor, heads: tuple[str, ...] = HEAD
    ) -> dict[str, Tensor]:
        return dict.fromkeys(heads, self.convolution(torch.cat([optical, sar], 1)))


class Watch:
    """Wall and CPU seconds inside a module's forward passes, and how many there were."""

    def __init__(self, module: nn.Module) -> None:
        self.seconds, self.cpu_seconds, self.passes = 0.0, 0.0, 0
        module.register_forward_pre_hook(self._begin)
        module.register_forward_hook(self._end)

    def _begin(self, *_: Any) -> None:
        self._start = time.perf_counter(), time.process_time()

    def _end(self, *_: Any) -> None:
        self.seconds += time.perf_counter() - self._start[0]
        self.cpu_seconds += time.process_time() - self._start[1]
        self.passes += 1


def main(folder: Path, height: int, width: int, network: str) -> None:
    grid = Grid(CRS.from_epsg(32649), Affine(5, 0, 5e5, 0, -5, 3.3e6), height, width)
    if network == "none":
        _write(folder, grid)
        return
    where = device()
    settings = load().map.model_copy(update={"polygons": False, "suggestions": 0, "sieve": 0})
    trained = _trained(network)
    scene = SceneArrays("s", grid, BANDS, SAR, 1e-4, 0.0, *load_arrays(folder))
    # 5 resets the largest resident set that the kernel keeps of this process.
    Path("/proc/self/clear_refs").write_text("5")
    crops = [scene.crop(0, 0, trained.size, trained.size)] * BATCH
    window_logits(trained, trained.teacher, crops, where, HEAD)
    scene.release()
    watch = Watch(trained.teacher)
    before = _status("VmHWM")
    start, cpu = time.perf_counter(), time.process_time()
    out = folder / "map"
    out.mkdir()
    write_map(scene, trained, settings, None, out)
    seconds = time.perf_counter() - start
    found = {
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu,
        "forward_seconds": watch.seconds,
        "forward_cpu_seconds": watch.cpu_seconds,
        "passes": watch.passes,
        "MB": _status("VmHWM") - before,
    }
    if network == "params" and height * width <= REFERENCE:
        found["identical"] = _identical(scene, trained, settings.overlap, out)
    print(json.dumps(found))


def _trained(network: str) -> Trained:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    params = load()
    names, model = params.scenes.label.names, params.model
    made: Any = (
        OneConvolution(len(names))
        if network == "convolution"
        else Network(model.encoder, model.width, len(BANDS), len(SAR), len(names), model.fusion)
    )
    norms = [Normalisation.of(rng.random((8, len(b), 64), np.float32), None) for b in (BANDS, SAR)]
    return Trained.new(
        made, optical=norms[0], sar=norms[1], optical_bands=BANDS, sar_bands=SAR, decibels=True,
        classes=names, colours=params.scenes.label.colours, size=params.tile.size, pixel=5.0,
    )  # fmt: skip


def _write(folder: Path, grid: Grid) -> None:
    """A scene's arrays: waves and grain; every pixel has data."""
    rng = np.random.default_rng(0)
    x = np.arange(grid.width, dtype=np.float32)

    def layer(bands: int, dtype: str, top: float) -> Layer:
        def strips() -> Any:
            for window in grid.strips():
                y = np.arange(window.height, dtype=np.float32)[:, None] + window.row_off
                waves = [np.sin(x / (31 + b)) * np.cos(y / (37 - b)) + 1 for b in range(bands)]
                grain = rng.random((bands, window.height, grid.width), np.float32)
                yield window, ((np.stack(waves) + grain) * top / 3).astype(dtype)

        return Layer(strips(), bands, dtype, None)

    write_arrays(folder, grid, layer(len(BANDS), "uint16", 10_000), layer(len(SAR), "float32", 1))


def _identical(scene: SceneArrays, trained: Trained, overlap: float, out: Path) -> bool:
    """Whether the map's classes are those of logits added up in a buffer of the whole scene."""
    size, (height, width) = trained.size, (scene.grid.height, scene.grid.width)
    stride = max(1, round(size * (1 - overlap)))
    ramp = torch.from_numpy(np.maximum(np.hanning(size + 2)[1:-1], FLOOR).astype(np.float32))
    weight = torch.outer(ramp, ramp)
    total = torch.zeros(len(trained.classes), height, width)
    row, column = scene.grid.origin()
    xs = positions(width, size, stride, column)
    for y in positions(height, size, stride, row):
        for first in range(0, len(xs), BATCH):
            crops = [scene.crop(y, x, size, size) for x in xs[first : first + BATCH]]
            found = window_logits(trained, trained.teacher, crops, device(), HEAD)
            for x, values in zip(xs[first : first + BATCH], found[:, 0], strict=True):
                # As the map adds up: another rounding would decide where two classes are equal.
                place = total[:, y : y + size, x : x + size]
                place.addcmul_(torch.from_numpy(values), weight)
    # A pixel's sum of weights, by which the map divides, is the same for all classes.
    label = total.numpy().argmax(axis=0)
    return bool(np.array_equal(label, read_indices(out / CLASS)))


def _status(key: str) -> float:
    """MB, of a line of this process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
