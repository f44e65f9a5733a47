"""A pixel grid on the ground, and GeoTIFFs written on it."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform
from rasterio.windows import Window

from dllr.files import atomic_file

BLOCK = 256  # px, side of a GeoTIFF block: a training window touches few of them
STRIP = 256  # rows read or warped at once, a row of blocks: bounds the memory, whatever the scene's size
# MB of raster blocks that GDAL keeps: some strips. Left to itself it takes 5 % of the machine's memory,
# for blocks that are not read again.
os.environ.setdefault("GDAL_CACHEMAX", "32")
WGS84 = CRS.from_epsg(4326)
EARTH, FLAT = 6_378_137.0, 0.00669438  # m, larger half axis, and squared eccentricity, of WGS 84
IGNORE = 255  # class index of pixels without a label, and of no data on maps


@dataclass(frozen=True)
class Grid:
    """CRS, affine transform (column, row) → (x, y) in CRS units, and size in pixels."""

    crs: CRS
    transform: Affine
    height: int
    width: int

    @classmethod
    def of(cls, dataset: Any) -> "Grid":
        return cls(dataset.crs, dataset.transform, dataset.height, dataset.width)

    def agrees(self, other: "Grid") -> bool:
        """Same CRS and size, and corners within a thousandth of a pixel."""
        if (self.crs, self.height, self.width) != (other.crs, other.height, other.width):
            return False
        shift = ~self.transform @ other.transform
        corners = [(0, 0), (self.width, 0), (0, self.height), (self.width, self.height)]
        return all(np.allclose(shift @ corner, corner, atol=1e-3) for corner in corners)

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top of the grid's four corners, in CRS units."""
        corners = [(0, 0), (self.width, 0), (0, self.height), (self.width, self.height)]
        xs, ys = zip(*(self.transform @ corner for corner in corners), strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def pixel_size(self) -> float:
        """Side (m) on the ground of a square as large as the pixel in the middle, whatever the CRS."""
        column, row = self.width / 2, self.height / 2
        corners = [
            self.transform @ at for at in ((column, row), (column + 1, row), (column, row + 1))
        ]
        east, north = map(np.array, transform(self.crs, WGS84, *zip(*corners, strict=True)))
        turn = (east[1:] - east[0] + 180) % 360 - 180  # also across the date line
        sides = np.radians([turn, north[1:] - north[0]])
        bend = 1 - FLAT * np.sin(np.radians(north[0])) ** 2
        # Radii of curvature along the parallel and along the meridian.
        radii = np.cos(np.radians(north[0])) / np.sqrt(bend), (1 - FLAT) / bend**1.5
        return float(EARTH * np.sqrt(abs(np.linalg.det(sides) * radii[0] * radii[1])))

    def origin(self) -> tuple[int, int]:
        """Row and column of the first pixel among all pixels of that size and phase, counted from where
        the CRS has its zero: the same place has the same ones in every crop."""
        column, row = ~self.transform @ (0, 0)
        # Rounding comes first, so that the noise in the digits of a transform decides nothing.
        return math.floor(round(-row, 3)), math.floor(round(-column, 3))

    def strips(self) -> Iterable[Window]:
        """Full-width windows of at most STRIP rows, from top to bottom."""
        for row in range(0, self.height, STRIP):
            yield Window(0, row, self.width, min(STRIP, self.height - row))


@contextmanager
def raster_writer(
    path: Path,
    grid: Grid,
    *,
    bands: int,
    dtype: str,
    nodata: float | None,
    tags: Mapping[str, str] | None = None,
    descriptions: Iterable[str] = (),
    colours: Mapping[int, tuple[int, int, int]] | None = None,
    compress: str = "zstd",
) -> Iterator[Any]:
    """A tiled GeoTIFF to write windows into; it appears whole or not at all."""
    profile = {
        "driver": "GTiff", "crs": grid.crs, "transform": grid.transform, "height": grid.height,
        "width": grid.width, "count": bands, "dtype": dtype, "nodata": nodata, "tiled": True,
        "blockxsize": BLOCK, "blockysize": BLOCK, "compress": compress, "BIGTIFF": "IF_SAFER",
        "ALPHA": "NO",  # else the last of four 8-bit bands is taken for one
    }  # fmt: skip
    with atomic_file(path) as temporary, rasterio.open(temporary, "w", **profile) as target:
        target.update_tags(**(tags or {}))
        for band, text in enumerate(descriptions, 1):
            target.set_band_description(band, text)
        if colours:
            target.write_colormap(1, dict(colours))
        yield target


def write_strips(
    path: Path, grid: Grid, strips: Iterable[tuple[Window, NDArray[Any]]], **profile: Any
) -> None:
    """The same from (window, array (bands, rows, columns)) pairs; see `raster_writer`."""
    with raster_writer(path, grid, **profile) as target:
        for window, values in strips:
            target.write(values, window=window)


def read_indices(path: Path, window: Window | None = None) -> NDArray[np.uint8]:
    """The first band (H, W) of a raster of class indices, roles or weights, or a window of it, which may
    reach over its edge: there it is 255."""
    beyond = {"boundless": True, "fill_value": IGNORE} if window else {}
    with rasterio.open(path) as source:
        values: NDArray[np.uint8] = source.read(1, window=window, **beyond)
        return values


def rgb(colours: Iterable[str]) -> dict[int, tuple[int, int, int]]:
    """Colour table, class index → (r, g, b), from `#rrggbb` strings."""
    return {i: _rgb(colour) for i, colour in enumerate(colours)}


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
