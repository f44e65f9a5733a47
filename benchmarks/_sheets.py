"""A replica of the WHU-OPT-SAR folder at full size: `python -m benchmarks._sheets FOLDER SCENES`.

Optical 4 × uint8, SAR uint8 and labels 0, 10, …, 70 on one grid, uncompressed, no two scenes alike.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from benchmarks._full_scene import HEIGHT, PIXEL, WIDTH

CODES = np.arange(0, 80, 10, dtype=np.uint8)
PARCEL = 180  # px, side of a field of one class
COLUMNS = 8  # sheets in a row
STEP = 97  # px by which the next scene is rolled: no pixel stays where it was


def main(folder: Path, scenes: int) -> None:
    rng = np.random.default_rng(0)
    fields = rng.integers(1, len(CODES), (HEIGHT // PARCEL + 1, WIDTH // PARCEL + 1))
    fields[0, 0] = 0
    classes = np.kron(fields, np.ones((PARCEL, PARCEL), np.uint8))[:HEIGHT, :WIDTH].astype(np.uint8)
    optical = np.stack([_image(classes, rng) for _ in range(4)])
    layers = {"optical": optical, "sar": _image(classes, rng)[None], "lbl": CODES[classes][None]}
    for number, name in enumerate(_names()[:scenes]):
        # Some kilometres apart: bounding boxes in degrees must not meet either.
        row, column = divmod(number, COLUMNS)
        place = Affine.translation(3.5e5, 3.3e6) @ Affine.scale(PIXEL, -PIXEL)
        grid = place @ Affine.translation(1.2 * WIDTH * column, 1.2 * HEIGHT * row)
        for layer, values in layers.items():
            path = folder / layer / f"{name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, np.roll(values, number * STEP, axis=(1, 2)), grid)


def _names() -> list[str]:
    """Names of the real sheets."""
    with (Path(__file__).parents[1] / "params/lists/whu_opt_sar.csv").open(newline="") as file:
        return sorted(row["scene"] for row in csv.DictReader(file))


def _image(classes: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Values 1–255 (H, W): a brightness for each class, and grain."""
    bright = rng.integers(20, 200, len(CODES)).astype(np.uint8)
    found: NDArray[np.uint8] = bright[classes] + rng.integers(0, 40, classes.shape, np.uint8)
    return found


def _write(path: Path, values: NDArray[np.uint8], transform: Affine) -> None:
    with rasterio.open(
        path, "w", driver="GTiff", crs=CRS.from_epsg(32649), transform=transform, height=HEIGHT,
        width=WIDTH, count=len(values), dtype="uint8",
    ) as target:  # fmt: skip
        target.write(values)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
