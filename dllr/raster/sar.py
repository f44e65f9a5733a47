"""A scene's SAR image on its way to the optical grid: filtered, resampled, in dB, with a ratio band."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from dllr.params.coregister import Coregister
from dllr.params.scenes import Sar
from dllr.raster.grid import Grid
from dllr.raster.gridding import gridded
from dllr.raster.image import Image
from dllr.raster.radiometry import clipped, decibel, despeckle, ratio
from dllr.raster.strips import has_mask, opened
from dllr.raster.warp import Correction

Strips = Iterator[tuple[Window, NDArray[np.float32]]]


@dataclass(frozen=True)
class SarImage:
    """An image in a unit, its bands' names, and what becomes of its values on a grid."""

    image: Image
    unit: str
    bands: list[str]
    settings: Coregister

    @classmethod
    def prepared(cls, image: Image, sar: Sar, settings: Coregister, scratch: Path) -> "SarImage":
        """The image as the settings want it before it is resampled; `scratch` may hold a filtered copy."""
        bands = list(sar.bands)
        # What a mask takes away must be gone before it is interpolated into its neighbours.
        with opened(image.path) as source:
            masked = image.mask is not None or has_mask(source, list(image.bands))
        if settings.speckle == "none" and settings.border == 0 and not masked:
            return cls(image, sar.unit, bands, settings)
        despeckle(
            image, sar.unit, scratch, filter=settings.speckle, window=settings.window,
            looks=settings.looks, border=settings.border,
        )  # fmt: skip
        filtered = Image(scratch, tuple(range(1, len(bands) + 1)))
        return cls(filtered, "dn" if sar.unit == "dn" else "power", bands, settings)

    @property
    def names(self) -> list[str]:
        """Names of the bands that `finished` gives."""
        pair = self.settings.ratio
        return [*self.bands, "/".join(pair)] if pair else self.bands

    def strips(
        self,
        grid: Grid,
        correction: Correction | None,
        windows: Iterable[Window] | None = None,
    ) -> Strips:
        """The bands on `grid` in dB (or dn); see `gridded`."""
        for window, values in gridded(self.image, grid, correction, windows):
            yield window, decibel(values, self.unit)

    def finished(self, grid: Grid, correction: Correction | None) -> Strips:
        """The same clipped, and with the ratio of two bands as the last one where it is asked for."""
        for window, values in self.strips(grid, correction):
            bands = [values]
            if self.settings.ratio:
                first, second = (self.bands.index(name) for name in self.settings.ratio)
                bands.append(ratio(values[first], values[second])[None])
            if self.settings.clip:
                bands[0] = clipped(values, *self.settings.clip)
            yield window, np.concatenate(bands)
