"""A co-registered scene as an xarray.Dataset, for notebooks: lazy, labelled, in physical units."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from numpy.typing import NDArray

from dllr.errors import SceneError
from dllr.files import read_json
from dllr.raster.grid import IGNORE, STRIP, Grid
from dllr.raster.strips import opened, validity


def open_scene(folder: str | Path, label: str | Path | None = None) -> xr.Dataset:
    """Open results/coregistered/<scene>, and results/labels/<scene>.tif if given, without reading pixels.

    Returns:
        optical (optical_band, y, x) float32 reflectance and sar (sar_band, y, x) float32 in dB (or dn,
        see `sar.attrs["unit"]`), NaN where there is no data; valid (modality, y, x) bool, which pixels
        have data; with `label` also label (y, x) uint8, class index, 255 = not known. All are Dask arrays,
        chunked by strips of rows. Coordinates are pixel centres in CRS units; where the grid is rotated
        these are `easting` and `northing` (y, x), and y, x count pixels. Attributes: crs, transform (six
        numbers), registration and sources (SHA-256 of the files it was made of).

    Raises:
        SceneError: the folder holds no co-registered scene, or the label is not on its grid.
    """
    path = Path(folder)
    if not (path / "record.json").exists():
        raise SceneError(
            f"{path} is no co-registered scene; name a folder such as results/coregistered/<scene>"
        )
    record = read_json(path / "record.json")
    with rasterio.open(path / "optical.tif") as source:
        transform, crs = source.transform, source.crs
        where = coordinates(transform, source.height, source.width)
    with rasterio.open(path / "sar.tif") as source:
        unit = source.tags()["unit"]
        grid = Grid.of(source)
    optical = _lazy(path / "optical.tif", record["scale"], record["offset"])
    sar = _lazy(path / "sar.tif", 1.0, 0.0)
    valid = dask.array.stack([dask.array.isfinite(image).all(axis=0) for image in (optical, sar)])
    scene = xr.Dataset(
        {
            "optical": (("optical_band", "y", "x"), optical, {"unit": "reflectance"}),
            "sar": (("sar_band", "y", "x"), sar, {"unit": unit}),
            "valid": (("modality", "y", "x"), valid),
        },
        coords={
            "optical_band": record["optical_bands"], "sar_band": record["sar_bands"],
            "modality": ["optical", "sar"], **where,
        },
        attrs={
            "crs": crs.to_string(), "transform": list(transform)[:6],
            "registration": record["registration"], "sources": record["sources"],
        },
    )  # fmt: skip
    if label is None:
        return scene
    with opened(Path(label)) as source:
        if not grid.agrees(Grid.of(source)):
            raise SceneError(
                f"{label} is not on the grid of {path}; name the label of this scene, results/labels/"
                f"{path.name}.tif"
            )
    codes = _strips(Path(label), np.uint8, lambda values, _: values)
    return scene.assign(label=(("y", "x"), codes[0], {"ignore": IGNORE}))


def coordinates(transform: Affine, height: int, width: int) -> dict[str, Any]:
    """Coordinates x and y of pixel centres; of a rotated grid, `easting` and `northing` (y, x)."""
    columns, rows = np.arange(width) + 0.5, np.arange(height) + 0.5
    if transform.b == transform.d == 0:
        return {"y": transform.f + transform.e * rows, "x": transform.c + transform.a * columns}
    east = transform.a * columns + transform.b * rows[:, None] + transform.c
    north = transform.d * columns + transform.e * rows[:, None] + transform.f
    places = {"easting": (("y", "x"), east), "northing": (("y", "x"), north)}
    return {"y": rows, "x": columns, **places}


def _lazy(path: Path, scale: float, offset: float) -> dask.array.Array:
    def physical(values: NDArray[Any], nodata: float | None) -> NDArray[np.float32]:
        numbers = values.astype(np.float32) * np.float32(scale) + np.float32(offset)
        return np.where(validity(values, nodata), numbers, np.float32(np.nan))

    return _strips(path, np.float32, physical)


def _strips(
    path: Path,
    dtype: type[np.generic],
    convert: Callable[[NDArray[Any], float | None], NDArray[Any]],
) -> dask.array.Array:
    """Strips of a raster, each read when it is computed."""
    with rasterio.open(path) as source:
        count, height, width = source.count, source.height, source.width
    rows = [min(STRIP, height - first) for first in range(0, height, STRIP)]
    chunks = ((count,), tuple(rows), (width,))

    def read(block_info: dict[None, dict[str, list[tuple[int, int]]]]) -> NDArray[Any]:
        (first, last) = block_info[None]["array-location"][1]
        with rasterio.open(path) as source:
            return convert(source.read(window=((first, last), (0, width))), source.nodata)

    meta = np.empty((0, 0, 0), dtype)
    lazy: dask.array.Array = dask.array.map_blocks(read, chunks=chunks, dtype=dtype, meta=meta)
    return lazy
