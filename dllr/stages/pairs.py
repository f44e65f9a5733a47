"""A scene's images as the pair that estimators look at: thinned in memory, in full by windows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from rasterio.windows import Window

from dllr.raster.grid import Grid
from dllr.raster.gridding import gridded, thinned
from dllr.raster.image import Image
from dllr.raster.sar import SarImage
from dllr.registration.estimate import factors, whole
from dllr.registration.pair import ArrayPair, Box, Floats, Views, prepared
from dllr.registration.pair import thinned as thinned_array
from dllr.registration.transform import Matrix, Size, scaled


@dataclass(frozen=True)
class RasterPair:
    """An optical image on its own grid and a SAR image that is read through its georeference.

    Where estimators look at whole images these are thinned once and kept; finer blocks are read by
    windows. So memory does not grow with the scene.
    """

    optical: Image
    sar: SarImage
    grid: Grid

    @property
    def size(self) -> Size:
        return self.grid.height, self.grid.width

    @property
    def decibel(self) -> bool:
        return self.sar.unit != "dn"

    @cached_property
    def least(self) -> int:
        """How many times the overview is thinned."""
        height, width = self.size
        return min(f for f in factors(self.size) if whole((height // f, width // f)))

    @cached_property
    def overview(self) -> ArrayPair:
        """Both images thinned; the SAR image as its georeference has it."""
        strips = gridded(self.optical, self.grid)
        optical = thinned(strips, self.grid, len(self.optical.bands), self.least)
        amount = thinned(self._power(), self.grid, len(self.sar.bands), self.least)
        sar = _log(amount) if self.decibel else amount
        return ArrayPair(optical, sar, self.decibel, thin=self.least > 1)

    def views(self, factor: int, matrix: Matrix, boxes: list[Box]) -> Views:
        if factor % self.least == 0:
            return self.overview.views(factor // self.least, scaled(matrix, self.least), boxes)
        windows = [Window(*(v * factor for v in (b.x, b.y, b.width, b.height))) for b in boxes]
        fixed, known, moving, seen = [], [], [], []
        for _, values in gridded(self.optical, self.grid, None, windows):
            thin, valid = thinned_array(values, factor)
            fixed.append(thin)
            known.append(valid)
        for _, values in self.sar.strips(self.grid, matrix, windows):
            calm, valid = prepared(values, factor, self.decibel, factor > 1)
            moving.append(calm)
            seen.append(valid)
        return Views(np.stack(fixed), np.stack(known), np.stack(moving), np.stack(seen))

    def _power(self) -> Iterator[tuple[Window, Floats]]:
        for window, values in self.sar.strips(self.grid, None):
            yield window, np.power(np.float32(10), values / 10) if self.decibel else values


def _log(power: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(power > 0, 10 * np.log10(power), np.nan).astype(np.float32)
