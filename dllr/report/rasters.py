"""Thinned looks at rasters of any size: GDAL reads what it needs, never the scene."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import Resampling
from rasterio.warp import transform

from dllr.raster.grid import WGS84, Grid
from dllr.report.footprints import Corners
from dllr.report.panels import Band, Index


def shape_within(path: Path, longest: int) -> tuple[int, int]:
    """(rows, columns) of a raster thinned until its longer side has at most `longest` pixels."""
    with rasterio.open(path) as source:
        factor = min(1.0, longest / max(source.height, source.width))
        return max(1, round(source.height * factor)), max(1, round(source.width * factor))


def bands(path: Path, shape: tuple[int, int]) -> tuple[Band, tuple[str | None, ...]]:
    """All bands (B, H, W), masked where there is no data, and their names."""
    with rasterio.open(path) as source:
        values = source.read(
            out_shape=(source.count, *shape), masked=True, resampling=Resampling.average
        )
        return np.ma.masked_invalid(values.astype(np.float32)), source.descriptions


def index(path: Path, shape: tuple[int, int]) -> Index:
    """The first band (H, W), nearest pixels: values are never mixed."""
    with rasterio.open(path) as source:
        picked: npt.NDArray[np.uint8] = source.read(
            1, out_shape=shape, resampling=Resampling.nearest
        )
        return picked


def footprints(paths: Iterable[Path]) -> Corners:
    """Longitudes and latitudes (N, 4, 2), in degrees, of the corners of rasters, in turn around each."""
    found: list[Corners] = []
    for path in paths:
        with rasterio.open(path) as source:
            grid = Grid.of(source)
        edge = [(0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height)]
        xs, ys = zip(*(grid.transform @ corner for corner in edge), strict=True)
        found.append(np.column_stack(transform(grid.crs, WGS84, xs, ys)))
    return np.array(found).reshape(-1, 4, 2)
