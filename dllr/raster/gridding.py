"""Onto the optical grid: each pixel is interpolated once, or copied where the grids agree."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window

from dllr.raster.grid import IGNORE, Grid
from dllr.raster.image import Image, strips
from dllr.raster.strips import opened
from dllr.raster.warp import Correction, Nearest, warped


def gridded(
    image: Image, grid: Grid, correction: Correction | None = None
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """Strips (bands, rows, columns) of an image on `grid`, bilinear, NaN where there is no data.

    correction: 3×3 from pixels of `grid` to where their ground lies in the raster as georeferenced;
    folded into the one interpolation. A mask counts where the grids agree; elsewhere what it takes away
    must be gone already (see `SarImage.prepared`), else it would be interpolated into its neighbours.
    """
    with ExitStack() as stack:
        source = stack.enter_context(opened(image.path))
        if correction is None and grid.agrees(Grid.of(source)):
            for strip in strips(image):
                values = strip.values.astype(np.float32)
                if not strip.valid.all():
                    values[:, ~strip.valid] = np.nan
                yield strip.window, values
            return
        if image.mask is not None:
            raise ValueError("a masked image is interpolated only once the mask is burnt in")
        bands = list(image.bands)
        on_grid = stack.enter_context(
            warped(
                source,
                grid,
                bands=bands,
                nodata=source.nodata if image.nodata is None else image.nodata,
                correction=correction,
                resampling=Resampling.bilinear,
                dtype="float32",
            )
        )
        for window in grid.strips():
            yield window, on_grid.read(window=window)


def as_stored(image: Image, empty: float) -> Iterator[tuple[Window, NDArray[Any]]]:
    """Strips (bands, rows, columns) of an image on its own grid in its own type, `empty` where there is
    no data; of floats, what single precision holds of them."""
    for window, values, valid, _ in strips(image):
        if np.issubdtype(values.dtype, np.floating):
            single = values.astype(np.float32)
            single[~(np.isfinite(single) & valid)] = empty
            yield window, single.astype(values.dtype, copy=False)
            continue
        if not valid.all():
            values[:, ~valid] = empty
        yield window, values


def gridded_classes(
    path: Path, band: int, codes: dict[int, int], grid: Grid
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    """Strips (1, rows, columns) of class indices of a label file on `grid`, nearest neighbour."""
    with Nearest(path, band, grid) as label:
        for window in grid.strips():
            raw = label.read(window)
            classes = np.full(raw.shape, IGNORE, np.uint8)
            for code, index in codes.items():
                classes[raw == code] = index
            yield window, classes[None]


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
