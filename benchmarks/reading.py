"""How fast do training windows come off the disk? Random unaligned crops against a plain memcpy.

`python -m benchmarks.reading` prints a JSON object: crops a second of wall and of CPU time, copied into
batches as stored; a memcpy of the same bytes in the same run; and what the units cost on top.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks._full_scene import HEIGHT, WIDTH, constant_arrays
from dllr.models.batch import stacked
from dllr.raster.arrays import Crop, SceneArrays

SIZE, BATCH, BATCHES, ROUNDS = 256, 16, 125, 5


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    corners = rng.integers(0, [HEIGHT - SIZE, WIDTH - SIZE], (BATCHES, BATCH, 2)).tolist()
    with tempfile.TemporaryDirectory() as folder:
        scene = constant_arrays(Path(folder))
        size = sum(part.nbytes for part in scene.crop(0, 0, SIZE, SIZE)[:3])
        # As many bytes as the scene has, so that the processor's caches help neither side.
        source = np.ones(sum(a.nbytes for a in (scene.optical, scene.sar, scene.valid)), np.uint8)
        target = np.empty((BATCH, size), np.uint8)

        def memcpy(batch: list[list[int]]) -> None:
            for slot, (y, x) in enumerate(batch):
                first = (y * WIDTH + x) % (len(source) - size)
                target[slot] = source[first : first + size]

        work: dict[str, Callable[[list[list[int]]], object]] = {
            "memcpy": memcpy,
            "crops": lambda batch: _raw(_crops(scene, batch)),
            "units": lambda batch: stacked(_crops(scene, batch)),
            "patches": lambda batch: [scene.read(y, x, SIZE, SIZE) for y, x in batch],
        }
        rates = {name: [_rate(do, corners) for _ in range(ROUNDS)] for name, do in work.items()}
    wall, cpu = (
        {name: statistics.median(r[clock] for r in found) for name, found in rates.items()}
        for clock in (0, 1)
    )
    print(
        json.dumps(
            {
                "crops_s": round(wall["crops"]),
                "crops_cpu_s": round(cpu["crops"]),
                "memcpy_s": round(wall["memcpy"]),
                "ratio": round(wall["crops"] / wall["memcpy"], 3),
                "in_units_s": round(wall["units"]),
                "patches_s": round(wall["patches"]),
                "bytes": size,
            }
        )
    )


def _crops(scene: SceneArrays, batch: list[list[int]]) -> list[Crop]:
    return [scene.crop(y, x, SIZE, SIZE) for y, x in batch]


def _raw(crops: list[Crop]) -> list[np.ndarray]:
    return [np.stack([crop[part] for crop in crops]) for part in range(3)]


def _rate(
    do: Callable[[list[list[int]]], object], corners: list[list[list[int]]]
) -> tuple[float, float]:
    """Crops a second of wall time and of CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    for batch in corners:
        do(batch)
    count = BATCH * len(corners)
    return count / (time.perf_counter() - wall), count / (time.process_time() - cpu)


if __name__ == "__main__":
    main()
