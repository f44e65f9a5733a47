"""An image of a scene as the settings describe it: which bands of which file, and what in it is missing."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from dllr.raster.grid import Grid
from dllr.raster.strips import opened, read_window
from dllr.raster.warp import Nearest


@dataclass(frozen=True)
class Mask:
    """A band that says where an image is not to be used: a cloud mask, a scene classification, a
    valid mask; on any grid.

    Attributes:
        path: the file; it may be the image itself.
        band: number of the band, from 1.
        bad: values of pixels that are not to be used.
        above: values larger than this are bad too (a cloud probability); None = no such limit.
    """

    path: Path
    band: int
    bad: tuple[float, ...]
    above: float | None = None

    def spoils(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which pixels are bad; not a number, that is, beyond the mask's edge, is bad too."""
        spoilt: NDArray[np.bool_] = np.isin(values, self.bad) | np.isnan(values)
        return spoilt if self.above is None else spoilt | (values > self.above)


@dataclass(frozen=True)
class Image:
    """Bands of a file (numbers from 1), in the order of the settings.

    nodata: value of missing pixels; None = what the file says.
    """

    path: Path
    bands: tuple[int, ...]
    nodata: float | None = None
    mask: Mask | None = None


class Strip(NamedTuple):
    """Rows of an image: values (B, h, w) as stored, valid (h, w), and masked (h, w), which of the missing
    pixels the mask took away."""

    window: Window
    values: NDArray[Any]
    valid: NDArray[np.bool_]
    masked: NDArray[np.bool_]


def strips(image: Image, windows: Iterable[Window] | None = None) -> Iterator[Strip]:
    """The image from top to bottom on its own grid; windows: these parts of it instead."""
    with ExitStack() as stack:
        source = stack.enter_context(opened(image.path))
        grid, mask = Grid.of(source), image.mask
        nearest = mask and stack.enter_context(Nearest(mask.path, mask.band, grid))
        flags = mask.band if mask and mask.path == image.path else None
        for window in windows or grid.strips():
            values, valid = read_window(source, list(image.bands), image.nodata, window, flags)
            bad = np.zeros_like(valid)
            if mask and nearest:
                bad = mask.spoils(nearest.read(window))
            yield Strip(window, values, valid & ~bad, valid & bad)
