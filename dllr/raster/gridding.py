"""Onto the optical grid: each pixel is interpolated once, or copied where the grids agree."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from dllr.raster.grid import IGNORE, Grid
from dllr.raster.strips import opened, read_strips

TOLERANCE = 1e-3  # px, of GDAL's approximate transformer; 0 crashes, its default errs visibly


def gridded(
    path: Any,
    bands: list[int],
    nodata: float | None,
    grid: Grid,
    correction: NDArray[np.float64] | None = None,
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """Strips (bands, rows, columns) of a raster on `grid`, bilinear, NaN where there is no data.

    correction: 3×3 from pixels of `grid` to where their ground lies in the raster as georeferenced;
    folded into the one interpolation.
    """
    with opened(path) as source:
        missing = source.nodata if nodata is None else nodata
        if correction is None and grid.agrees(Grid.of(source)):
            strips = zip(grid.strips(), read_strips(source, bands, nodata), strict=True)
            for window, (values, valid) in strips:
                yield window, np.where(valid, values, np.nan).astype(np.float32)
            return
        for window, values in _warped(
            source, bands, missing, grid, correction, Resampling.bilinear, "float32"
        ):
            yield window, values


def gridded_classes(
    path: Any, codes: dict[int, int], grid: Grid
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    """Strips (1, rows, columns) of class indices of a label file on `grid`, nearest neighbour."""
    with opened(path) as source:
        if grid.agrees(Grid.of(source)):
            raw: Iterator[tuple[Window, NDArray[Any]]] = (
                (window, values)
                for window, (values, _) in zip(
                    grid.strips(), read_strips(source, [1], None), strict=True
                )
            )
        else:
            # Codes of 32 bits are exact in double precision only.
            raw = _warped(source, [1], None, grid, None, Resampling.nearest, "float64")
        for window, values in raw:
            classes = np.full(values.shape, IGNORE, np.uint8)
            for code, index in codes.items():
                classes[values == code] = index
            yield window, classes


def _warped(
    source: Any,
    bands: list[int],
    nodata: float | None,
    grid: Grid,
    correction: NDArray[np.float64] | None,
    resampling: Resampling,
    dtype: str,
) -> Iterator[tuple[Window, NDArray[Any]]]:
    shifted = Affine(*correction.ravel()[:6]) if correction is not None else Affine.identity()
    every = set(bands) == set(source.indexes)
    with WarpedVRT(
        source,
        crs=grid.crs,
        transform=grid.transform @ shifted,
        height=grid.height,
        width=grid.width,
        resampling=resampling,
        src_nodata=nodata,
        nodata=float("nan"),
        dtype=dtype,
        tolerance=TOLERANCE,
        # Missing is what every band misses; GDAL knows no "every one of these bands".
        UNIFIED_SRC_NODATA="YES" if every else "NO",
    ) as warped:
        for window in grid.strips():
            yield window, warped.read(bands, window=window)


def thinned(
    strips: Iterator[tuple[Window, NDArray[np.float32]]], grid: Grid, max_pixels: int
) -> tuple[NDArray[np.float32], int]:
    """Mean over bands (H/f, W/f) of block means of f×f pixels, and f: at most max_pixels remain."""
    factor = int(np.ceil(np.sqrt(grid.height * grid.width / max_pixels)))
    factor = max(1, factor)
    height, width = grid.height // factor, grid.width // factor
    total = np.zeros((height, width))
    count = np.zeros((height, width))
    for window, values in strips:
        mean = values[:, :, : width * factor].mean(axis=0)
        rows = (np.arange(window.height) + window.row_off) // factor
        keep = rows < height
        known = np.isfinite(mean[keep])
        columns = mean[keep].shape[1] // factor
        blocks = np.where(known, mean[keep], 0).reshape(-1, columns, factor).sum(axis=2)
        np.add.at(total, rows[keep], blocks)
        np.add.at(count, rows[keep], known.reshape(-1, columns, factor).sum(axis=2))
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan).astype(np.float32), factor
