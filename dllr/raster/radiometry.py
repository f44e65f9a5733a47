"""What SAR values mean: units, the swath's border, and a whole file freed of speckle.

Units: `amplitude`, `power` (linear, its square), `db` (10 log₁₀ of power) and `dn` (digital numbers,
without radiometric meaning).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from dllr.errors import SceneError
from dllr.raster.grid import Grid, write_strips
from dllr.raster.image import Image, strips
from dllr.raster.speckle import FILTERS
from dllr.raster.strips import opened

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def decibel(values: Floats, unit: str) -> Floats:
    """SAR values in dB; `db` and `dn` (no radiometric meaning) stay as they are. Zero power is no data."""
    factor = {"amplitude": 20.0, "power": 10.0}.get(unit)
    if factor is None:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, factor * np.log10(values), np.nan).astype(np.float32)


def power(values: NDArray[Any], unit: str) -> Floats:
    """SAR values of any shape in linear power, float32.

    Raises:
        SceneError: the unit is `dn`, or none that is known.
    """
    if unit == "power":
        return values.astype(np.float32)
    if unit == "amplitude":
        return np.square(values.astype(np.float32))
    if unit == "db":
        return np.power(10, values.astype(np.float32) / 10, dtype=np.float32)
    raise SceneError(
        f"SAR values in {unit} have no linear power, which speckle filters need; set scenes.sar.unit to "
        "what the files hold (amplitude, power or db), or filter nothing"
    )


def border(valid: Mask, px: int) -> Mask:
    """A mask (H, W) without the pixels nearer than `px` to a missing one or to what lies off the image.

    Near is meant along rows, columns and diagonals: 1 px takes the eight neighbours of a missing pixel.
    At the edges of a swath, processors leave noise that is no backscatter.
    """
    if px == 0:
        return valid
    lines = np.ones((2 * px + 1, 1), bool)
    rows: Mask = binary_erosion(valid, lines)
    eroded: Mask = binary_erosion(rows, lines.T)
    return eroded


def clipped(db: Floats, low: float, high: float) -> Floats:
    """Decibels limited to [low, high]; NaN stays NaN."""
    return np.clip(db, np.float32(low), np.float32(high))


def ratio(first: Floats, second: Floats) -> Floats:
    """first / second of two bands in dB, in dB: their difference, as VV/VH; NaN where either is missing."""
    return first - second


def despeckle(
    image: Image,
    unit: str,
    target: Path,
    *,
    filter: str,
    window: int,
    looks: float,
    border: int,
) -> None:
    """Write the bands of a SAR image, filtered, as a GeoTIFF on the same grid, in linear power.

    Bands are numbered from 1 in the order given; float32, NaN = missing. What the file or its mask calls
    missing, and zero power, neither contributes nor is filled. `border` px next to pixels that are missing
    in every band, and next to the image's edge, are taken away before the filter sees them. The file is
    read in strips with a margin: memory is bounded, and the result is that of the whole image at once.

    filter: a name in FILTERS, or `none`: the border is taken away and nothing else; the only choice
    for `dn`, which stays as it is.

    Raises:
        SceneError: the file cannot be read, or its unit has no linear power.
    """
    margin = border + (window // 2 if filter != "none" else 0)
    step = partial(_filtered, unit=unit, filter=filter, window=window, looks=looks, rim=border)
    with opened(image.path) as source:
        grid = Grid.of(source)
    pairs = ((strip.values, strip.valid) for strip in strips(image))
    with_margins = zip(grid.strips(), _with_margins(pairs, margin), strict=True)
    write_strips(
        target,
        grid,
        ((place, step(values, valid)[:, rows]) for place, (values, valid, rows) in with_margins),
        bands=len(image.bands),
        dtype="float32",
        nodata=float("nan"),
    )


def _filtered(
    values: NDArray[Any], valid: Mask, unit: str, filter: str, window: int, looks: float, rim: int
) -> Floats:
    if unit == "dn" and filter == "none":
        linear, known = values.astype(np.float32), np.broadcast_to(valid, values.shape)
    else:
        linear = power(values, unit)
        known = valid & (linear > 0)
    known = known & border(np.asarray(known.any(axis=0)), rim)
    if filter == "none":
        return np.where(known, linear, np.float32(np.nan))
    pairs = zip(linear, known, strict=True)
    return np.stack([FILTERS[filter](band, mask, window, looks) for band, mask in pairs])


def _with_margins(
    pairs: Iterator[tuple[NDArray[Any], Mask]], margin: int
) -> Iterator[tuple[NDArray[Any], Mask, slice]]:
    """Each strip with up to `margin` ≤ STRIP rows of its neighbours, and which rows are its own."""
    current: tuple[NDArray[Any], ...] | None = next(pairs)
    assert current is not None
    above = tuple(part[..., :0, :] for part in current)
    while current is not None:
        following = next(pairs, None)
        rows = margin if following is not None else 0
        below = (part[..., :rows, :] for part in following or current)
        values, valid = (
            np.concatenate(p, axis=-2) for p in zip(above, current, below, strict=True)
        )
        first, height = above[1].shape[0], current[1].shape[0]
        yield values, valid, slice(first, first + height)
        above = tuple(part[..., height - min(margin, height) :, :] for part in current)
        current = following
