"""One scene co-gridded in a process of its own: `python -m benchmarks._cogrid FOLDER THREADS`.

Imports are part of a process's memory; hence only what the work needs.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from dllr.raster.arrays import Layer, array_strips, write_arrays
from dllr.raster.grid import Grid, write_strips
from dllr.raster.gridding import as_stored, gridded
from dllr.raster.image import Image
from dllr.raster.strips import opened
from dllr.raster.windows import lattice

SIZE = 256  # px, side of a tile


def main(folder: Path, threads: int) -> None:
    optical, sar = Image(folder / "optical.tif", (1, 2, 3, 4)), Image(folder / "sar.tif", (1,))
    arrays = folder / "arrays"
    arrays.mkdir(exist_ok=True)
    wall, cpu = time.perf_counter(), time.process_time()
    with opened(optical.path) as source:
        grid = Grid.of(source)
    layers = (
        Layer(as_stored(optical, 0), 4, "uint16", 0),
        Layer(gridded(sar, grid), 1, "float32", float("nan")),
    )
    with ThreadPoolExecutor(threads) as pool:
        write_arrays(arrays, grid, *layers, pool.map)
    found = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    found["MB"] = _peak()
    found["tiles_seconds"] = _cut(arrays, grid)
    wall = time.perf_counter()
    for layer, name in zip(layers, ("optical", "sar"), strict=True):
        write_strips(
            folder / f"{name}_product.tif", grid, array_strips(arrays / f"{name}.npy", grid),
            bands=layer.bands, dtype=layer.dtype, nodata=layer.nodata,
        )  # fmt: skip
    found["geotiff_seconds"] = time.perf_counter() - wall
    print(json.dumps(found))


def _peak() -> float:
    """Largest resident set of this process in MB; `ru_maxrss` would count that of its parent too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _cut(arrays: Path, grid: Grid) -> float:
    """Seconds to copy every tile out of the arrays."""
    start = time.perf_counter()
    maps = [np.load(arrays / f"{name}.npy", mmap_mode="r") for name in ("optical", "sar", "valid")]
    for _, _, y, x in lattice(grid.height, grid.width, SIZE, SIZE):
        for array in maps:
            np.array(array[:, y : y + SIZE, x : x + SIZE])
    return time.perf_counter() - start


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
