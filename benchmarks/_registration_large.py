"""Register a pair of 10,000² px from files, in a process of its own.

`python -m benchmarks._registration_large FOLDER` prints JSON; `write` makes the files first.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from scipy import ndimage

from dllr.execution import one_thread_each
from dllr.params.load import load
from dllr.raster.grid import Grid, raster_writer
from dllr.raster.image import Image
from dllr.raster.sar import SarImage
from dllr.registration.transform import distance, similarity
from dllr.stages.pairs import RasterPair
from dllr.stages.registering import decide

SIDE = 10_000  # px
CELL = 12  # px, size of the things on the ground
PIXEL, SAR_PIXEL = 5.0, 6.0  # m
RELIEF = [[0.1, 0.5, 0.2, 0.4], [0.1, 0.4, 0.3, 0.3], [0.1, 0.3, 0.2, 0.4], [0.4, 0.1, 0.3, 0.2]]
POWER = [0.1, 0.02, 0.005, 0.2]
TRUTH = similarity((SIDE, SIDE), (8.3, -5.6), 0.02, 1.0002)


def write(folder: Path) -> None:
    """optical.tif (4 × uint16) and sar.tif (amplitude, another pixel size) of one patchwork of kinds."""
    rng = np.random.default_rng(0)
    lattice = ndimage.gaussian_filter(rng.normal(size=(SIDE // CELL + 40,) * 2), 0.8)
    limits = np.quantile(lattice, [0.25, 0.5, 0.75])

    def kinds(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.intp]:
        at = [y / CELL + 20, x / CELL + 20]
        return np.digitize(ndimage.map_coordinates(lattice, at, order=1, mode="nearest"), limits)

    grid = _grid(PIXEL, SIDE)
    bands = np.array(RELIEF)
    with raster_writer(folder / "optical.tif", grid, bands=4, dtype="uint16", nodata=0) as file:
        for window in grid.strips():
            y, x = np.mgrid[window.row_off : window.row_off + window.height, :SIDE] + 0.5
            value = 1e4 * bands[:, kinds(x, y)] + rng.integers(0, 400, (4, window.height, SIDE))
            file.write(value.astype(np.uint16), window=window)
    count = int(SIDE * PIXEL / SAR_PIXEL)
    sar = _grid(SAR_PIXEL, count)
    back = np.linalg.inv(TRUTH)
    with raster_writer(folder / "sar.tif", sar, bands=1, dtype="float32", nodata=0) as file:
        for window in sar.strips():
            y, x = np.mgrid[window.row_off : window.row_off + window.height, :count] + 0.5
            x, y = x * SAR_PIXEL / PIXEL, y * SAR_PIXEL / PIXEL
            ground = [back[i, 0] * x + back[i, 1] * y + back[i, 2] for i in (0, 1)]
            power = np.array(POWER)[kinds(*ground)] * rng.gamma(4, 0.25, x.shape)
            file.write(np.sqrt(power)[None].astype(np.float32), window=window)


def measure(folder: Path) -> dict[str, float | str]:
    """Seconds, CPU seconds and peak memory of one registration, its verdict and its error."""
    params = load(Path("params/defaults.yaml"))
    with rasterio.open(folder / "optical.tif") as source:
        grid = Grid.of(source)
    sar = SarImage(Image(folder / "sar.tif", (1,)), "amplitude", ["VV"], params.coregister)
    pair = RasterPair(Image(folder / "optical.tif", (1, 2, 3, 4)), sar, grid)
    start, cpu = time.perf_counter(), time.process_time()
    with one_thread_each():
        verdict = decide(pair, params.coregister, None)
    matrix = np.eye(3) if verdict.matrix is None else verdict.matrix
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "MB": round(_peak()),
        "verdict": verdict.word,
        "error_px": round(distance(matrix, TRUTH, pair.size), 3),
    }


def _peak() -> float:
    """Largest resident set of this process in MB; `ru_maxrss` would count that of its parent too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _grid(pixel: float, side: int) -> Grid:
    transform = Affine(pixel, 0, 500_000, 0, -pixel, 3_300_000)
    return Grid(CRS.from_epsg(32650), transform, side, side)


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
