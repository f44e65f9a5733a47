"""An image as an xarray.Dataset, before it is co-registered: lazy, with its missing pixels told apart."""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

import dask.array
import numpy as np
import xarray as xr
from dask.base import compute
from dask.delayed import delayed
from rasterio.windows import Window

from dllr.raster.dataset import coordinates
from dllr.raster.grid import STRIP, Grid
from dllr.raster.image import Image, Strip, strips
from dllr.raster.strips import opened


def open_image(image: Image, names: Sequence[str | int]) -> xr.Dataset:
    """Open an image without reading its pixels; names: of its bands, in the same order.

    Returns:
        values (band, y, x) in the file's type, as stored; valid (y, x) and masked (y, x), bool: which
        pixels hold data, and which the mask took away. Chunks are strips
        of the whole width, as high as the file's blocks ask for. Coordinates:
        see `open_scene`. Attributes: crs, transform (six numbers), path.

    Raises:
        SceneError: the file or its mask cannot be opened; when computed, the file is damaged.
    """
    with opened(image.path) as source:
        grid, rows = Grid.of(source), _chunk_rows(source)
        dtype = np.result_type(*(source.dtypes[band - 1] for band in image.bands))
    heights = [min(rows, grid.height - first) for first in range(0, grid.height, rows)]
    pieces = [
        delayed(_read, pure=False)(image, Window(0, rows * i, grid.width, height))
        for i, height in enumerate(heights)
    ]

    def lazy(field: str, kind: Any, *bands: int) -> dask.array.Array:
        parts = [
            dask.array.from_delayed(getattr(piece, field), (*bands, height, grid.width), kind)
            for piece, height in zip(pieces, heights, strict=True)
        ]
        whole: dask.array.Array = dask.array.concatenate(parts, axis=-2)
        return whole

    return xr.Dataset(
        {
            "values": (("band", "y", "x"), lazy("values", dtype, len(image.bands))),
            "valid": (("y", "x"), lazy("valid", bool)),
            "masked": (("y", "x"), lazy("masked", bool)),
        },
        coords={"band": list(names), **coordinates(grid.transform, grid.height, grid.width)},
        attrs={
            "crs": grid.crs.to_string(), "transform": list(grid.transform)[:6],
            "path": image.path.as_posix(),
        },
    )  # fmt: skip


def _read(image: Image, window: Window) -> Strip:
    # A handle that outlives the call would belong to the thread that opened it.
    (strip,) = strips(image, [window])
    return strip


def chunks(image: xr.Dataset) -> Iterator[Strip]:
    """The chunks of `open_image` from top to bottom, each read once, in the caller's thread."""
    first = 0
    for rows in image["valid"].data.chunks[0]:
        block = image.isel(y=slice(first, first + rows))
        arrays = compute(*(block[k].data for k in Strip._fields[1:]), scheduler="synchronous")
        yield Strip(Window(0, first, block.sizes["x"], rows), *arrays)
        first += rows


def _chunk_rows(source: Any) -> int:
    """The least multiple of the file's block height that is a strip: each block is decoded once."""
    block = max(height for height, _ in source.block_shapes)
    return int(ceil(STRIP / block) * block)
