"""A scene of WHU-OPT-SAR's size, made from a seed: waves that a resampler must follow, and grain."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform_bounds

from dllr.raster.arrays import Layer, SceneArrays, write_arrays
from dllr.raster.grid import BLOCK, Grid

HEIGHT, WIDTH = 3704, 5556  # px
PIXEL = 5.0  # m, of the optical image
SAR_PIXEL = 9e-5  # degrees, about 10 m
OPTICAL = Grid(CRS.from_epsg(32649), Affine(PIXEL, 0, 5e5, 0, -PIXEL, 3.3e6), HEIGHT, WIDTH)
BANDS = 4


def sar_grid() -> Grid:
    """EPSG:4326, ten pixels wider than the optical scene on every side."""
    crs = CRS.from_epsg(4326)
    left, bottom, right, top = transform_bounds(OPTICAL.crs, crs, *OPTICAL.bounds())
    corner = Affine(SAR_PIXEL, 0, left, 0, -SAR_PIXEL, top) @ Affine.translation(-10, -10)
    height, width = ((top - bottom) / SAR_PIXEL, (right - left) / SAR_PIXEL)
    return Grid(crs, corner, int(height) + 20, int(width) + 20)


def write_scene(folder: Path) -> tuple[Path, Path]:
    """optical.tif (4 × uint16, 1–9,001) and sar.tif (float32, 0.1–1.1): uncompressed, 0 = no data."""
    rng = np.random.default_rng(0)
    optical, sar = folder / "optical.tif", folder / "sar.tif"

    def counts(band: int) -> NDArray[np.uint16]:
        grain = rng.random((HEIGHT, WIDTH), np.float32) * 1000
        return (_waves(OPTICAL, band, 1) * 8000 + grain + 1).astype(np.uint16)

    _write(optical, OPTICAL, [counts(band) for band in range(BANDS)])
    grid = sar_grid()
    grain = rng.random((grid.height, grid.width), np.float32) * np.float32(0.2)
    _write(sar, grid, [_waves(grid, 0, 2) * np.float32(0.8) + grain + np.float32(0.1)])
    return optical, sar


def constant_arrays(folder: Path) -> SceneArrays:
    """The array files of such a scene, every pixel valid, mapped and in the page cache."""

    def layer(bands: int, dtype: str) -> Layer:
        strips = (
            (window, np.ones((bands, window.height, WIDTH), dtype)) for window in OPTICAL.strips()
        )
        return Layer(strips, bands, dtype, None)

    write_arrays(folder, OPTICAL, layer(BANDS, "uint16"), layer(1, "float32"))
    optical, sar, valid = (
        np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))
        for name in ("optical", "sar", "valid")
    )
    for array in (optical, sar, valid):
        array.sum(dtype=np.int64)
    return SceneArrays("s", OPTICAL, list("brgn"), ["VV"], 1e-4, 0.0, optical, sar, valid)


def _waves(grid: Grid, band: int, unit: float) -> NDArray[np.float32]:
    """Values (H, W) in [0, 1]; `unit`: optical pixels a pixel, about."""
    y = np.arange(grid.height, dtype=np.float32)[:, None] * np.float32(unit)
    x = np.arange(grid.width, dtype=np.float32) * np.float32(unit)
    short = np.sin(x / (17 + band)) * np.cos(y / (23 - band))
    return (short + np.sin((x + 2 * y) / (211 + band))) / 4 + np.float32(0.5)


def _write(path: Path, grid: Grid, bands: list[NDArray[np.generic]]) -> None:
    with rasterio.open(
        path, "w", driver="GTiff", crs=grid.crs, transform=grid.transform, height=grid.height,
        width=grid.width, count=len(bands), dtype=bands[0].dtype, nodata=0, tiled=True,
        blockxsize=BLOCK, blockysize=BLOCK,
    ) as target:  # fmt: skip
        for number, values in enumerate(bands, 1):
            target.write(values, number)
