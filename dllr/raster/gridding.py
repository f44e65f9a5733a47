"""Onto the optical grid: each pixel is interpolated once, or copied where the grids agree."""

from collections.abc import Iterable, Iterator
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
    image: Image,
    grid: Grid,
    correction: Correction | None = None,
    windows: Iterable[Window] | None = None,
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """Strips (bands, rows, columns) of an image on `grid`, bilinear, NaN where there is no data.

    windows: these parts of the grid instead of strips.

    correction: 3×3 from pixels of `grid` to where their ground lies in the raster as georeferenced;
    folded into the one interpolation. A mask counts where the grids agree; elsewhere what it takes away
    must be gone already (see `SarImage.prepared`), else it would be interpolated into its neighbours.
    """
    with ExitStack() as stack:
        source = stack.enter_context(opened(image.path))
        if correction is None and grid.agrees(Grid.of(source)):
            for strip in strips(image, windows):
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
        for window in windows or grid.strips():
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
    strips: Iterable[tuple[Window, NDArray[np.float32]]], grid: Grid, bands: int, factor: int
) -> NDArray[np.float32]:
    """Block means (bands, H/f, W/f) of f×f pixels from strips (bands, rows, columns); NaN where fewer than
    half of a block's pixels are known in all bands."""
    height, width = grid.height // factor, grid.width // factor
    total = np.zeros((height, bands, width))
    count = np.zeros((height, width))
    for window, values in strips:
        rows = np.arange(window.row_off, window.row_off + window.height) // factor
        inside = rows < height
        part = values[:, inside, : width * factor]
        known = np.asarray(np.isfinite(part).all(axis=0))
        cells = (len(known), width, factor)
        sums = np.where(known, part, 0).reshape(bands, *cells).sum(axis=3, dtype=np.float64)
        np.add.at(total, rows[inside], np.moveaxis(sums, 0, 1))
        np.add.at(count, rows[inside], known.reshape(cells).sum(axis=2))
    mean = np.moveaxis(total, 1, 0) / np.maximum(count, 1)
    return np.where(count * 2 >= factor * factor, mean, np.nan).astype(np.float32)
