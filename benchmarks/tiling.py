"""A full-size scene into training arrays: how fast, how large, how exact, and how does torchgeo fare?

`python -m benchmarks.tiling` prints a JSON object. One scene of 5556×3704: 4 × uint16 in UTM at 5 m, SAR
float32 in EPSG:4326 at about 10 m. Ours: co-gridded once into arrays, then 330 tiles of 256 px copied
out of them; medians over fresh processes. torchgeo: its GridGeoSampler over the same files, which warps
each tile anew in every epoch; it runs in an environment of its own, made under .dllr/bench/torchgeo at the
first run (pip, some 2 GB). There, torchvision's compiled operators are declared but not there (see
_torchgeo.py). PyPI has no CPU build of torch: set PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL to where one is.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np
import rasterio
from rasterio.warp import transform
from scipy import ndimage

from benchmarks._cogrid import SIZE
from benchmarks._full_scene import OPTICAL, write_scene
from dllr.files import WORK

ROUNDS = 5
SAMPLE = 1_200_000  # px that exactness is taken on
PEER = WORK / "bench" / "torchgeo"
WORKERS = (0, 2)  # of torchgeo's loader; the faster one counts
# Versions that go together, with a torch that has no CUDA.
REQUIREMENTS = ("torch==2.13.0+cpu", "torchvision==0.28.0", "torchgeo==0.8.1", "requests")


def main() -> None:
    with tempfile.TemporaryDirectory(dir=_made(WORK / "bench")) as name:
        folder = Path(name)
        write_scene(folder)
        runs = {threads: [_ours(folder, threads) for _ in range(ROUNDS)] for threads in (1, 2)}
        error = _rms(folder)
        peer = _torchgeo(folder)
    ours = {
        t: {k: statistics.median(r[k] for r in found) for k in found[0]}
        for t, found in runs.items()
    }
    epoch = ours[2]["seconds"] + ours[2]["tiles_seconds"]
    figures = {
        "seconds": ours[2]["seconds"],
        "seconds_one_thread": ours[1]["seconds"],
        "cpu_seconds": ours[1]["cpu_seconds"],
        "tiles_seconds": ours[2]["tiles_seconds"],
        "geotiff_seconds": ours[2]["geotiff_seconds"],
        "MB": max(run["MB"] for found in runs.values() for run in found),
        "rms": error,
        "torchgeo_seconds": peer,
        "ratio": epoch / peer if peer else None,
        "ratio_later_epochs": ours[2]["tiles_seconds"] / peer if peer else None,
    }
    print(json.dumps({k: v and float(f"{v:.4g}") for k, v in figures.items()}))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _ours(folder: Path, threads: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks._cogrid", str(folder), str(threads)]
    found: dict[str, float] = json.loads(subprocess.check_output(command, text=True))
    return found


def _rms(folder: Path) -> float:
    """RMS difference of the co-gridded SAR from bilinear interpolation at coordinates that PROJ gives
    pixel by pixel, as a share of the range of values."""
    rng = np.random.default_rng(1)
    rows, columns = (rng.integers(0, size, SAMPLE) for size in (OPTICAL.height, OPTICAL.width))
    found = np.load(folder / "arrays" / "sar.npy", mmap_mode="r")[0, rows, columns]
    with rasterio.open(folder / "sar.tif") as source:
        values, place, crs = source.read(1).astype(float), source.transform, source.crs
    east, north = OPTICAL.transform @ (columns + 0.5, rows + 0.5)
    there = [np.array(axis) for axis in transform(OPTICAL.crs, crs, east, north)]
    x, y = ~place @ tuple(there)
    expected = ndimage.map_coordinates(values, [y - 0.5, x - 0.5], order=1)
    return float(np.sqrt(np.mean((found - expected) ** 2)) / np.ptp(values))


def _torchgeo(folder: Path) -> float | None:
    """torchgeo's seconds for an epoch; None, with the reason on stderr, where it cannot be had."""
    python = PEER.absolute() / "bin" / "python"
    script = Path(__file__).with_name("_torchgeo.py")
    # Neither our path nor our bound on GDAL; one thread, as ours: with more it was seen five times slower.
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "GDAL_CACHEMAX")}
    clean["OMP_NUM_THREADS"] = "1"
    try:
        if not (PEER / "ready").exists():
            venv.create(PEER, with_pip=True, clear=True)
            subprocess.run(
                [python, "-m", "pip", "install", "-q", *REQUIREMENTS], check=True, env=clean
            )
            (PEER / "ready").touch()
        found = []
        for workers in WORKERS:
            command = [python, script, folder, str(SIZE), str(workers)]
            printed = subprocess.check_output(command, text=True, env=clean)
            found.append(json.loads(printed.splitlines()[-1]))
    except subprocess.CalledProcessError as error:
        print(f"torchgeo is left out: {error}", file=sys.stderr)
        return None
    print(f"torchgeo, by workers: {dict(zip(WORKERS, found, strict=True))}", file=sys.stderr)
    return min(float(run["seconds"]) for run in found)


if __name__ == "__main__":
    main()
