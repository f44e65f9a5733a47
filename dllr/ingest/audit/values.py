"""Can an image's values be what the settings say? Takes the records of `survey` and the settings."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dllr.ingest.audit.finding import Finding, error, note, percent, warning
from dllr.params.scenes import Optical, Sar

GONE = 0.9  # share of missing or masked pixels beyond which a scene hardly helps
FILLED = 0.001  # share of pixels at a value such as -9999 beyond which it must mean "no data"
ZEROS = 0.01  # likewise of 0, which may also be measured
SATURATED = 0.01  # share of pixels at a band's maximum beyond which the values were cut
SATURATED_TYPE = 0.005  # likewise where the maximum is the largest value of the type
NEGATIVE = 0.001  # share of negative values that noise subtraction may leave in amplitude or power
# dB; calibrated ground lies at -35 to 5, corner reflectors below 50
DB_FAINT, DB_MEDIAN, DB_BRIGHT = -60.0, 30.0, 50.0
BRIGHT, DARK, NEGATIVE_REFLECTANCE = 2.0, 0.002, -0.5  # reflectance of no scene on Earth
DIM_BYTE = 0.2  # reflectance that the largest byte must reach: 8-bit images are stretched to 0..255

Record = Mapping[str, Any]


def missing(kind: str, image: Record) -> Iterator[Finding]:
    """Shares of missing and masked pixels, and bands that are missing as a whole."""
    masked, nodata = image["masked_share"], image["nodata_share"]
    if masked > GONE:
        yield warning(
            "mask",
            f"the mask takes away {percent(masked)} of {image['path']}; check scenes.{kind}.mask, or leave "
            "the scene out",
        )
    if nodata - masked > GONE:
        yield warning(
            "nodata",
            f"{percent(nodata - masked)} of {image['path']} is nodata; check scenes.{kind}.nodata, "
            "or leave the scene out",
        )


def empty_bands(kind: str, image: Record, names: list[str]) -> Iterator[Finding]:
    """Bands without data, with one value, or twice the same: they teach nothing."""
    values = dict(zip(names, image["values"], strict=True))
    empty = [name for name, band in values.items() if band["missing"] == 1]
    if empty and len(empty) < len(names):
        yield warning(
            "empty band",
            f"{image['path']}: {_bands(empty)} only nodata; take out of scenes.{kind}.bands, or replace "
            "the file",
        )
    constant = {
        name: band["min"]
        for name, band in values.items()
        if name not in empty and band["min"] is not None and band["min"] == band["max"]
    }
    if constant:
        held = sorted(set(constant.values()))
        yield warning(
            "constant band",
            f"{image['path']}: {_bands(constant)} the value {', '.join(f'{v:g}' for v in held[:3])} "
            f"only; check the file and scenes.{kind}.nodata",
        )
    same: dict[str, list[str]] = {}
    for name, band in values.items():
        if name not in empty and name not in constant and band["min"] is not None:
            same.setdefault(band["pixels"], []).append(name)
    for alike in same.values():
        if len(alike) > 1:
            yield warning(
                "identical bands",
                f"{image['path']}: bands {', '.join(alike)} hold the same values; check the band "
                f"numbers in scenes.{kind}.bands",
            )


def fills(kind: str, image: Record) -> Iterator[Finding]:
    """Values that stand in all bands at once too often to be measured."""
    for value, share in image["fills"]:
        if share > (FILLED if value else ZEROS):
            yield warning(
                "undeclared nodata",
                f"{image['path']}: {percent(share)} of the valid pixels hold {value:g} in all bands; if "
                f"that means 'no data', set scenes.{kind}.nodata to {value:g}",
            )


def declared(kind: str, image: Record, nodata: float | None) -> Iterator[Finding]:
    """Is the nodata value of the settings the file's own, and can its type hold it?"""
    if nodata is None or not np.isfinite(nodata):
        return
    if image["nodata"] is not None and image["nodata"] != nodata:
        yield note(
            "nodata value",
            f"{image['path']} declares nodata {image['nodata']:g}, but scenes.{kind}.nodata is {nodata:g}, "
            "which counts; set it to null if the file is right",
        )
    dtype: np.dtype[Any] = np.dtype(image["dtype"])
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        if not (limits.min <= nodata <= limits.max and float(nodata).is_integer()):
            yield note(
                "nodata value",
                f"{image['path']} holds {dtype}, which cannot be {nodata:g}: scenes.{kind}.nodata marks "
                "no pixel of it",
            )


def saturated(image: Record, names: list[str]) -> Iterator[Finding]:
    """Bands whose brightest values were cut."""
    dtype: np.dtype[Any] = np.dtype(image["dtype"])
    filled = _fills(image)
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else None
    cut = []
    for name, band in zip(names, image["values"], strict=True):
        if band["min"] == band["max"] or _is_one(band["max"], filled):
            continue
        if band["at_max"] > (SATURATED_TYPE if band["max"] == top else SATURATED):
            cut.append(f"{name} {percent(band['at_max'])} at {band['max']:g}")
    if cut:
        yield warning(
            "saturated",
            f"{image['path']}: many pixels at a band's largest value ({'; '.join(cut)}); bright ground "
            "cannot be told apart there: use less stretched images, or declare the value as nodata",
        )


def sar_unit(image: Record, settings: Sar) -> Iterator[Finding]:
    """Can the values have the declared unit?"""
    filled = _fills(image)
    known = [
        (name, band)
        for name, band in zip(settings.bands, image["values"], strict=True)
        if band["p50"] is not None and band["min"] < band["max"]
    ]
    # While nodata is taken for values, nothing can be said of their unit.
    if not known or any(value > 0 for value in filled):
        return
    lost = sum(share for value, share in filled.items() if value < 0)
    median = max(band["p50"] for _, band in known)
    bright = max(band["p99"] for _, band in known)
    negative = max(band["negative"] for _, band in known) - lost
    lowest = min(band["min"] for _, band in known)
    whole = all(band["whole"] for _, band in known)
    said = f"{image['path']}: median {median:.4g}, 99 % below {bright:.4g}"
    if settings.unit == "db":
        if median > DB_MEDIAN or bright > DB_BRIGHT or (whole and lowest >= 0):
            integers = ", whole numbers" if whole else ""
            yield error(
                "SAR unit",
                f"{said}{integers}: looks like amplitude or dn, not db; set scenes.sar.unit",
            )
        elif median < DB_FAINT and not filled:
            yield warning(
                "SAR unit",
                f"{said}: no ground is that faint; if the file holds scaled dB, scale it back first",
            )
        elif lowest >= 0:
            yield warning(
                "SAR unit",
                f"{said}, none negative: looks like amplitude or power, not db; check scenes.sar.unit",
            )
    elif settings.unit in ("amplitude", "power"):
        if negative > NEGATIVE:
            yield error(
                "SAR unit",
                f"{said}, {percent(negative)} negative: looks like dB, not {settings.unit}; set "
                "scenes.sar.unit to db",
            )
        elif settings.unit == "power" and whole and bright > 1000:
            yield warning(
                "SAR unit",
                f"{said}, whole numbers: looks like amplitude, not power; check scenes.sar.unit",
            )
    elif negative > 0.5 and not whole:
        yield warning(
            "SAR unit",
            f"{said}, {percent(negative)} negative: looks like dB, not dn; check scenes.sar.unit",
        )


def reflectance(image: Record, settings: Optical) -> Iterator[Finding]:
    """Do scale and offset make reflectance of the values?"""
    known = [b for b in image["values"] if b["p99"] is not None and b["max"] > b["min"]]
    if not known or _fills(image):
        return
    scale, offset = settings.scale, settings.offset
    bright = max(band["p99"] for band in known) * scale + offset
    low = min(band["min"] for band in known) * scale + offset
    remedy = "check scenes.optical.scale and offset"
    said = f"{image['path']}: with scale {scale:g} and offset {offset:g}"
    if bright > BRIGHT:
        yield warning(
            "reflectance",
            f"{said} 1 % of the pixels have a reflectance above {bright:.3g}; {remedy}",
        )
    elif bright < DARK:
        yield warning(
            "reflectance",
            f"{said} 99 % of the pixels of every band have a reflectance below {bright:.3g}; {remedy}",
        )
    elif image["dtype"] == "uint8" and 255 * scale + offset < DIM_BYTE:
        yield warning(
            "reflectance",
            f"{said} no byte exceeds a reflectance of {255 * scale + offset:.3g}; bytes usually have "
            f"the scale 1/255 = 0.00392: {remedy}",
        )
    if low < NEGATIVE_REFLECTANCE:
        yield warning(
            "reflectance",
            f"{said} the lowest reflectance is {low:.3g}; {remedy}, and scenes.optical.nodata",
        )


def scaling(image: Record, scale: float, offset: float, remedy: str) -> Iterator[Finding]:
    """Does a file declare other factors than the settings? One of them is wrong."""
    for found in image["scaling"]:
        if found != [1.0, 0.0] and not np.allclose(found, [scale, offset], rtol=1e-6, atol=0):
            yield error(
                "scale tags",
                f"{image['path']} declares scale {found[0]:g} and offset {found[1]:g} in its tags, "
                f"but is to be read with {scale:g} and {offset:g}; {remedy}, or remove the tags",
            )


def _fills(image: Record) -> dict[float, float]:
    """Values other than 0 that are taken for nodata, with their shares."""
    return {value: share for value, share in image["fills"] if value and share > FILLED}


def _is_one(value: float | None, filled: Mapping[float, float]) -> bool:
    """Single precision holds 1e20 as another number."""
    return value is not None and any(np.isclose(value, fill, rtol=1e-6) for fill in filled)


def _bands(names: Any) -> str:
    listed = list(names)
    return f"band {listed[0]} holds" if len(listed) == 1 else f"bands {', '.join(listed)} hold"
