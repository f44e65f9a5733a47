"""The one resampling route: GDAL's warper, read in strips, exact to a thousandth of a pixel."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform
from rasterio.windows import Window

from dllr.errors import SceneError
from dllr.raster.grid import Grid
from dllr.raster.strips import opened

TOLERANCE = 1e-3  # px, of GDAL's approximate transformer; 0 crashes, its default errs visibly
Correction = NDArray[np.float64]  # 3×3, pixels of a grid → where their ground lies as georeferenced


@contextmanager
def warped(
    source: Any,
    grid: Grid,
    *,
    bands: list[int],
    nodata: float | None,
    correction: Correction | None,
    resampling: Resampling,
    dtype: str,
    keep_mask: bool = True,
) -> Iterator[Any]:
    """These bands of `source`, from 1 in this order, as a dataset on `grid`, NaN where there is no data."""
    shifted = Affine(*correction.ravel()[:6]) if correction is not None else Affine.identity()
    target = Grid(grid.crs, grid.transform @ shifted, grid.height, grid.width)
    with (
        _only(source, bands, keep_mask) as chosen,
        WarpedVRT(
            chosen,
            crs=target.crs,
            transform=target.transform,
            height=grid.height,
            width=grid.width,
            resampling=resampling,
            src_nodata=nodata,
            nodata=float("nan"),
            dtype=dtype,
            tolerance=TOLERANCE,
            UNIFIED_SRC_NODATA="YES",  # missing is what every band misses
            **_scales(Grid.of(source), target),
        ) as found,
    ):
        yield found


@contextmanager
def _only(source: Any, bands: list[int], keep_mask: bool) -> Iterator[Any]:
    """A dataset of these bands alone, and of the mask or the alpha band if there is one beside them.

    GDAL asks all bands of a dataset whether a pixel is missing, and takes the last of four 8-bit bands for
    alpha, be it asked for or not.
    """
    alpha = [b for b, kind in enumerate(source.colorinterp, 1) if kind == ColorInterp.alpha]
    if bands == list(source.indexes) and not alpha and keep_mask:
        yield source
        return
    with MemoryFile(ext=".vrt") as file:
        rasterio.shutil.copy(source, file.name, driver="VRT")
        tree = ElementTree.fromstring(file.read())
    found = {int(band.attrib["band"]): band for band in tree.findall("VRTRasterBand")}
    kept = [*bands, *(b for b in alpha if b not in bands and keep_mask)]
    for mask in tree.findall("MaskBand") if not keep_mask else []:
        tree.remove(mask)
    for band in found.values():
        tree.remove(band)
    for number, old in enumerate(kept, 1):
        band = deepcopy(found[old])
        band.set("band", str(number))
        for kind in band.findall("ColorInterp") if old in bands else []:
            band.remove(kind)
        tree.append(band)
    with rasterio.open(ElementTree.tostring(tree, encoding="unicode")) as chosen:
        yield chosen


def _scales(source: Grid, target: Grid) -> dict[str, float]:
    """Pixels of the target per pixel of the source along the source's axes, at the target's centre.

    Left to itself GDAL takes them of each strip anew, and where it thins, a pixel then depends on the
    strip it was read in.
    """
    x, y = target.width / 2, target.height / 2
    places = [target.transform @ place for place in ((x, y), (x + 1, y), (x, y + 1))]
    columns, rows = transform(target.crs, source.crs, *zip(*places, strict=True))
    if not np.isfinite([columns, rows]).all():
        return {}
    u, v = ~source.transform @ (np.array(columns), np.array(rows))
    steps = [np.hypot(axis[1] - axis[0], axis[2] - axis[0]) for axis in (u, v)]
    return dict(zip(("XSCALE", "YSCALE"), (1 / float(step) for step in steps), strict=True))


class Nearest:
    """One band of codes on `grid`, nearest neighbour, read by windows; NaN beyond the file's edge."""

    def __init__(self, path: Path, band: int, grid: Grid) -> None:
        self._path, self._band, self._grid = path, band, grid
        self._stack = ExitStack()

    def __enter__(self) -> "Nearest":
        source = self._stack.enter_context(opened(self._path))
        self._number = self._band
        if not self._grid.agrees(Grid.of(source)):
            # Codes of 32 bits are exact in double precision only.
            source = self._stack.enter_context(
                warped(
                    source,
                    self._grid,
                    bands=[self._band],
                    nodata=None,
                    correction=None,
                    resampling=Resampling.nearest,
                    dtype="float64",
                    keep_mask=False,
                )
            )
            self._number = 1
        self._source = source
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def read(self, window: Window) -> NDArray[Any]:
        """Codes (h, w) of a window of the grid."""
        try:
            values: NDArray[Any] = self._source.read(self._number, window=window)
        except RasterioError:
            raise SceneError(
                f"{self._path} breaks off near row {window.row_off} of {self._grid.height}: the file is "
                "truncated or damaged; copy or download it again"
            ) from None
        return values
