"""Co-registered scenes as memory-mapped arrays: a cache beside the GeoTIFFs, remade when missing."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray

from dllr.files import WORK, atomic_dir, digest, read_json
from dllr.raster.grid import Grid
from dllr.raster.strips import read_strips
from dllr.workcache import code_digest


class Patch(NamedTuple):
    """A window of a scene. Missing values are 0; `valid` tells them apart.

    optical: (B_o, h, w) float32 reflectance; sar: (B_s, h, w) float32 dB (or dn);
    valid: (2, h, w) bool, optical and SAR.
    """

    optical: NDArray[np.float32]
    sar: NDArray[np.float32]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class SceneArrays:
    """A whole scene, read through the page cache and never loaded at once."""

    name: str
    grid: Grid
    optical_bands: list[str]
    sar_bands: list[str]
    scale: float
    offset: float
    optical: NDArray[np.generic]
    sar: NDArray[np.float32]
    valid: NDArray[np.bool_]

    def read(self, y: int, x: int, height: int, width: int) -> Patch:
        """The window whose first row and column are y and x; what lies off the scene is missing."""
        rows = slice(max(0, y), min(self.grid.height, y + height))
        columns = slice(max(0, x), min(self.grid.width, x + width))
        before_y, before_x = rows.start - y, columns.start - x
        pad = (
            (0, 0),
            (before_y, height - before_y - (rows.stop - rows.start)),
            (before_x, width - before_x - (columns.stop - columns.start)),
        )
        valid = np.asarray(self.valid[:, rows, columns])
        optical = self.optical[:, rows, columns].astype(np.float32) * np.float32(self.scale)
        optical = np.where(valid[0], optical + np.float32(self.offset), 0)
        sar = np.where(valid[1], self.sar[:, rows, columns], 0)
        if any(sum(p) for p in pad):
            optical, sar, valid = (np.pad(a, pad) for a in (optical, sar, valid))
        return Patch(optical.astype(np.float32), sar.astype(np.float32), valid)


def scene_names(coregistered: Path) -> list[str]:
    """Names of the scenes in a folder of co-registered scenes, sorted."""
    return sorted(path.parent.name for path in coregistered.glob("*/record.json"))


def open_arrays(folder: Path) -> SceneArrays:
    """Open a co-registered scene; its memory maps are written on first use."""
    record = read_json(folder / "record.json")
    cache = WORK / "arrays" / digest(record, code_digest("dllr.raster.arrays"))
    if not cache.exists():
        with atomic_dir(cache, keep=True) as temporary:
            _write(folder, temporary)
    with rasterio.open(folder / "optical.tif") as source:
        grid = Grid.of(source)
    optical, sar, valid = (
        np.load(cache / f"{name}.npy", mmap_mode="r") for name in ("optical", "sar", "valid")
    )
    return SceneArrays(
        folder.name, grid, record["optical_bands"], record["sar_bands"], record["scale"],
        record["offset"], optical, sar, valid,
    )  # fmt: skip


def _write(folder: Path, target: Path) -> None:
    with rasterio.open(folder / "optical.tif") as first:
        shape = (2, first.height, first.width)
    valid = np.lib.format.open_memmap(target / "valid.npy", "w+", bool, shape)
    for modality, name in enumerate(("optical", "sar")):
        with rasterio.open(folder / f"{name}.tif") as source:
            array = np.lib.format.open_memmap(
                target / f"{name}.npy", "w+", source.dtypes[0], (source.count, *shape[1:])
            )
            bands = list(range(1, source.count + 1))
            strips = zip(Grid.of(source).strips(), read_strips(source, bands, None), strict=True)
            for window, (values, known) in strips:
                rows = slice(window.row_off, window.row_off + window.height)
                array[:, rows] = values
                valid[modality, rows] = known
            array.flush()
    valid.flush()
