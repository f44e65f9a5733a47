"""Decimated rasters as small pictures: pixels without data are transparent.

The stretch is for the eye alone; nothing else in the package sees it.
"""

import base64
import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image

Rgba = npt.NDArray[np.uint8]
Index = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Band = np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float32]]

NONE = 255  # no class, no confidence
CONFIDENCE = "cividis"
_LIFT = np.rint(255 * np.linspace(0, 1, 256) ** 0.6).astype(
    np.uint8
)  # else clouds leave land black
RIGHT, WRONG = "#9fb4c4", "#d55e00"


def optical(bands: Band, names: Sequence[str | None]) -> Rgba:
    """True colour where bands named red, green and blue exist, else the first three, else grey.

    Args:
        bands: (B, H, W), masked where there is no data; a pixel is missing where every band is.
        names: B names, None where a band has none.
    """
    known = {(name or "").lower(): place for place, name in enumerate(names)}
    if {"red", "green", "blue"} <= known.keys():
        shown = [known["red"], known["green"], known["blue"]]
    else:
        shown = [0, 1, 2] if len(bands) >= 3 else [0, 0, 0]
    valid: Mask = ~np.all(np.ma.getmaskarray(bands), axis=0)
    return _rgba([_LIFT[stretch(bands[place])] for place in shown], valid)


def sar(bands: Band) -> Rgba:
    """The first band of (B, H, W) in grey, whatever its unit."""
    return _rgba([stretch(bands[0])] * 3, ~np.ma.getmaskarray(bands[0]))


def classes(index: Index, colours: Sequence[str]) -> Rgba:
    """Class indices (H, W) in the classes' colours `#rrggbb`; NONE is transparent."""
    table = np.zeros((256, 4), np.uint8)
    table[: len(colours)] = [_colour(colour) for colour in colours]
    return table[index]


def confidence(percent: Index) -> Rgba:
    """Confidence (H, W) in 0..100 %; NONE is transparent."""
    table = np.zeros((256, 4), np.uint8)
    table[:101] = mpl.colormaps[CONFIDENCE](np.linspace(0, 1, 101), bytes=True)
    return table[percent]


def errors(actual: Index, predicted: Index, counts: Mask) -> Rgba:
    """Right and wrong pixels (H, W) where `counts` and both class indices are known."""
    picture = np.zeros((*actual.shape, 4), np.uint8)
    known = counts & (actual != NONE) & (predicted != NONE)
    picture[known & (actual == predicted)] = _colour(RIGHT)
    picture[known & (actual != predicted)] = _colour(WRONG)
    return picture


def stretch(band: Band) -> npt.NDArray[np.uint8]:
    """Grey values of a band between its 2nd and 98th percentile; a constant band is mid-grey."""
    values = band.compressed()
    low, high = np.percentile(values, (2, 98)) if values.size else (0.0, 0.0)
    if high <= low:
        return np.full(band.shape, 128, np.uint8)
    grey = (band.filled(low).astype(np.float64) - low) * (255 / (high - low))
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def gradient(colour_map: str = CONFIDENCE) -> list[str]:
    """Colours from 0 to 100 % in eight steps, for a legend."""
    return [mpl.colors.to_hex(colour) for colour in mpl.colormaps[colour_map](np.linspace(0, 1, 8))]


def data_uri(picture: Rgba, photo: bool) -> str:
    """The picture inside its own address: lossy WebP for a photo, else PNG."""
    file = io.BytesIO()
    if photo:
        Image.fromarray(picture).save(file, "WEBP", quality=82, method=4)
    else:
        Image.fromarray(picture).save(file, "PNG", optimize=True)
    kind = "webp" if photo else "png"
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _rgba(channels: Sequence[npt.NDArray[np.uint8]], valid: Mask) -> Rgba:
    return np.dstack([*channels, np.where(valid, 255, 0).astype(np.uint8)])


def _colour(colour: str) -> list[int]:
    return [*bytes.fromhex(colour.removeprefix("#")), 255]
