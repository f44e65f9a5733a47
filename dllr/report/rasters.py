"""Thinned looks at rasters of any size: GDAL reads what it needs, never the scene."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import Resampling

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
