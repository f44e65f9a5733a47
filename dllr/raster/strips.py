"""Reading a raster in strips, each with its validity, whatever way the file spells "no data"."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from dllr.errors import SceneError


def opened(path: Path) -> Any:
    """A rasterio dataset; unreadable files are a SceneError that names the file."""
    try:
        return rasterio.open(path)
    except RasterioError as error:
        raise SceneError(f"{path} cannot be opened as a raster ({error}); replace it") from None


def read_window(
    source: Any, bands: list[int], nodata: float | None, window: Window, flags: int | None = None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A window of the bands and its validity: a pixel is missing where every band is nodata, any is not
    finite, or the file's own mask or alpha band says so.

    flags: another band that holds data, such as flags of bad pixels, and is no alpha band therefore.
    """
    try:
        values = source.read(bands, window=window)
    except RasterioError:
        raise SceneError(
            f"{source.name} breaks off at row {window.row_off} of {source.height}: the file is "
            "truncated or damaged; copy or download it again"
        ) from None
    valid = validity(values, source.nodata if nodata is None else nodata)
    if has_mask(source, [*bands, *([flags] if flags else [])]):
        valid &= source.dataset_mask(window=window) > 0
    return values, valid


def has_mask(source: Any, bands: list[int]) -> bool:
    """Whether the file has a mask or an alpha band of its own.

    GDAL calls the last of four 8-bit bands alpha unless told otherwise: a band that the settings name is
    near infrared, say, and dark water is not missing there.
    """
    alpha = [b for b, kind in enumerate(source.colorinterp, 1) if kind == ColorInterp.alpha]
    flags = source.mask_flag_enums[bands[0] - 1]
    return MaskFlags.per_dataset in flags and not (
        MaskFlags.alpha in flags and set(alpha) & set(bands)
    )


def validity(values: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """Valid pixels (H, W) of bands (B, H, W): finite, and not nodata in all bands at once.

    Byte-stretched scenes hold the nodata value in single bands of dark pixels too; hence "all".
    """
    valid = np.ones(values.shape[1:], bool)
    if np.issubdtype(values.dtype, np.floating):
        for band in values:
            valid &= np.isfinite(band)
    if nodata is not None and _holds(values.dtype, nodata):
        # In the type of the bands: numpy would compare whole numbers with a float in double precision.
        missing = values[0] == values.dtype.type(nodata)
        for band in values[1:]:
            if not missing.any():
                break
            missing &= band == values.dtype.type(nodata)
        valid &= ~missing
    return valid


def _holds(dtype: np.dtype[Any], value: float) -> bool:
    """Whether pixels of this type can have this value; not a number is none."""
    if not np.issubdtype(dtype, np.integer):
        return not np.isnan(value)
    limits = np.iinfo(dtype)
    return float(value).is_integer() and limits.min <= value <= limits.max
