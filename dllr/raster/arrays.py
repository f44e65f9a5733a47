"""Co-registered scenes as arrays of their own files: a cache beside the GeoTIFFs, remade when missing."""

import mmap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from dllr.files import WORK, atomic_dir, digest, read_json
from dllr.raster.grid import Grid
from dllr.raster.rows import create, read_rows, write_rows
from dllr.raster.strips import validity
from dllr.workcache import code_digest

MODALITIES = ("optical", "sar")


class Patch(NamedTuple):
    """A window of a scene in physical units. Missing values are 0; `valid` tells them apart.

    optical: (B_o, h, w) float32 reflectance; sar: (B_s, h, w) float32 dB (or dn);
    valid: (2, h, w) bool, optical and SAR.
    """

    optical: NDArray[np.float32]
    sar: NDArray[np.float32]
    valid: NDArray[np.bool_]


class Crop(NamedTuple):
    """A window of a scene as stored: reflectance is optical × scale + offset, and what is missing may
    hold anything.

    Inside the scene these are views of the file: what copies them into a batch reads them.
    """

    optical: NDArray[Any]
    sar: NDArray[np.float32]
    valid: NDArray[np.bool_]
    scale: float
    offset: float

    def physical(self) -> Patch:
        """The same in physical units."""
        optical = self.optical.astype(np.float32) * np.float32(self.scale)
        optical += np.float32(self.offset)
        optical[:, ~self.valid[0]] = 0
        sar = np.where(self.valid[1], self.sar, np.float32(0))
        return Patch(optical, sar, np.asarray(self.valid))


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

    def crop(self, y: int, x: int, height: int, width: int) -> Crop:
        """The window whose first row and column are y and x; what lies off the scene is missing."""
        rows = slice(max(0, y), min(self.grid.height, y + height))
        columns = slice(max(0, x), min(self.grid.width, x + width))
        arrays: tuple[NDArray[Any], ...] = self.optical, self.sar, self.valid
        parts = [array[:, rows, columns] for array in arrays]
        shape = rows.stop - rows.start, columns.stop - columns.start
        if shape != (height, width):
            before = rows.start - y, columns.start - x
            pad = [(b, n - b - s) for b, n, s in zip(before, (height, width), shape, strict=True)]
            parts = [np.pad(part, ((0, 0), *pad)) for part in parts]
        optical, sar, valid = parts
        return Crop(optical, sar, valid, self.scale, self.offset)

    def read(self, y: int, x: int, height: int, width: int) -> Patch:
        """The same window in physical units."""
        return self.crop(y, x, height, width).physical()

    def release(self) -> None:
        """Stop counting what was read of the files as memory in use; it may be read again."""
        for array in (self.optical, self.sar, self.valid):
            if isinstance(array.base, np.memmap) and isinstance(array.base.base, mmap.mmap):
                array.base.base.madvise(mmap.MADV_DONTNEED)


class Layer(NamedTuple):
    """One modality on the grid: strips (window, values (bands, rows, columns)) from top to bottom, and
    the value of pixels without data (None: every pixel holds some)."""

    strips: Iterable[tuple[Window, NDArray[Any]]]
    bands: int
    dtype: str
    nodata: float | None


def write_arrays(
    target: Path, grid: Grid, optical: Layer, sar: Layer, each: Callable[..., Iterable[Any]] = map
) -> None:
    """Write optical.npy, sar.npy (bands, H, W) and valid.npy (2, H, W) bool into the folder `target`.

    each: a `map`; one over threads makes the modalities side by side. A strip of each is held at a time.
    """
    layers = dict(zip(MODALITIES, (optical, sar), strict=True))
    create(target / "valid.npy", "bool", (len(layers), grid.height, grid.width))

    def write(modality: int, name: str) -> None:
        layer = layers[name]
        create(target / f"{name}.npy", layer.dtype, (layer.bands, grid.height, grid.width))
        for window, values in layer.strips:
            write_rows(target / f"{name}.npy", window.row_off, values)
            known = validity(values, layer.nodata)[None]
            write_rows(target / "valid.npy", window.row_off, known, first=modality)

    list(each(write, range(len(layers)), layers))


def array_strips(path: Path, grid: Grid) -> Iterator[tuple[Window, NDArray[Any]]]:
    """Strips of an array file on the grid."""
    for window in grid.strips():
        yield window, read_rows(path, window.row_off, window.height)


def arrays_of(folder: Path, make: Callable[[Path], None] | None = None) -> Path:
    """The folder of a co-registered scene's arrays, found by its record.

    make: writes them into a folder when they are missing; None = from the scene's GeoTIFFs.
    """
    cache = WORK / "arrays" / digest(read_json(folder / "record.json"), code_digest(__name__))
    if not cache.exists():
        with atomic_dir(cache, keep=True) as temporary:
            (make or (lambda target: _from_product(folder, target)))(temporary)
    return cache


def scene_names(coregistered: Path) -> list[str]:
    """Names of the scenes in a folder of co-registered scenes, sorted."""
    return sorted(path.parent.name for path in coregistered.glob("*/record.json"))


def open_arrays(folder: Path) -> SceneArrays:
    """Open a co-registered scene; where its arrays are missing they are made from its GeoTIFFs."""
    record, cache = read_json(folder / "record.json"), arrays_of(folder)
    with rasterio.open(folder / "optical.tif") as source:
        grid = Grid.of(source)
    return SceneArrays(
        folder.name, grid, record["optical_bands"], record["sar_bands"], record["scale"],
        record["offset"], *load_arrays(cache),
    )  # fmt: skip


def load_arrays(folder: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Optical, SAR and validity as `write_arrays` wrote them, mapped."""
    # A plain array over the map: slicing numpy's own class for maps costs as much as a small copy.
    optical, sar, valid = (
        np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))
        for name in (*MODALITIES, "valid")
    )
    return optical, sar, valid


def _from_product(folder: Path, target: Path) -> None:
    with rasterio.open(folder / "optical.tif") as optical, rasterio.open(folder / "sar.tif") as sar:
        write_arrays(target, Grid.of(optical), _layer(optical), _layer(sar))


def _layer(source: Any) -> Layer:
    strips = ((window, source.read(window=window)) for window in Grid.of(source).strips())
    return Layer(strips, source.count, source.dtypes[0], source.nodata)
