"""A co-registered scene as an xarray.Dataset, for notebooks: lazy, labelled, in physical units."""

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
from dllr.raster.grid import STRIP
from dllr.raster.strips import validity


def open_scene(folder: str | Path) -> xr.Dataset:
    """Open results/coregistered/<scene> without reading its pixels.

    Returns:
        optical (optical_band, y, x) float32 reflectance and sar (sar_band, y, x) float32 in dB (or dn,
        see `sar.attrs["unit"]`), NaN where there is no data. Coordinates are pixel centres in CRS units;
        where the grid is rotated these are `easting` and `northing` (y, x), and y, x count pixels.
        Attributes: crs, transform (six numbers), registration.

    Raises:
        SceneError: the folder holds no co-registered scene.
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
    optical = _lazy(path / "optical.tif", record["scale"], record["offset"])
    return xr.Dataset(
        {
            "optical": (("optical_band", "y", "x"), optical, {"unit": "reflectance"}),
            "sar": (("sar_band", "y", "x"), _lazy(path / "sar.tif", 1.0, 0.0), {"unit": unit}),
        },
        coords={
            "optical_band": record["optical_bands"], "sar_band": record["sar_bands"], **where,
        },
        attrs={
            "crs": crs.to_string(), "transform": list(transform)[:6],
            "registration": record["registration"],
        },
    )  # fmt: skip


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
    """Strips of a raster, each read when it is computed."""
    with rasterio.open(path) as source:
        count, height, width = source.count, source.height, source.width
    rows = [min(STRIP, height - first) for first in range(0, height, STRIP)]
    chunks = ((count,), tuple(rows), (width,))

    def read(block_info: dict[None, dict[str, list[tuple[int, int]]]]) -> NDArray[np.float32]:
        (first, last) = block_info[None]["array-location"][1]
        with rasterio.open(path) as source:
            values = source.read(window=((first, last), (0, width)))
            known = validity(values, source.nodata)
        physical = values.astype(np.float32) * np.float32(scale) + np.float32(offset)
        return np.where(known, physical, np.float32(np.nan))

    meta = np.empty((0, 0, 0), np.float32)
    lazy: dask.array.Array = dask.array.map_blocks(read, chunks=chunks, dtype=np.float32, meta=meta)
    return lazy
