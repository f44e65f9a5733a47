"""Where a scene's images lie: on the ground, and on each other's grids. Takes the records of `survey`."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from dllr.ingest.audit.finding import Finding, error, percent, warning

COVERED = 0.5  # share of the optical scene below which SAR or label coverage is doubtful
COARSE = 4.0  # ratio of pixel sizes beyond which one modality adds little detail to the other
ABSURD = 64.0  # ratio beyond which the CRS or the geotransform must be wrong
ON_GRID = 1e-2  # px, offset up to which pixels lie upon each other

Record = Mapping[str, Any]


def offset(image: Record, other: Record) -> tuple[float, float] | None:
    """How far the other grid's pixels lie off the image's, in fractions of a pixel, −.5 to .5, in x and y.

    None where they are not comparable: another CRS, pixel size or orientation.
    """
    shift = ~Affine(*image["transform"]) @ Affine(*other["transform"])
    alike = np.allclose([shift.a, shift.b, shift.d, shift.e], [1, 0, 0, 1], rtol=0, atol=1e-6)
    if not (alike and same_crs(image, other)):
        return None
    dx, dy = (round(float(d - np.round(d)), 3) + 0.0 for d in (shift.c, shift.f))
    return dx, dy


def same_crs(image: Record, other: Record) -> bool:
    """Also where one file spells as WKT what the other calls by its EPSG code."""
    return bool(CRS.from_string(image["crs"]) == CRS.from_string(other["crs"]))


def positions(record: Record) -> Iterator[Finding]:
    """Do SAR and label lie where the optical scene lies?"""
    optical = record["optical"]
    for kind, word in (("sar", "SAR"), ("label", "label")):
        other, share = record[kind], record[f"{kind}_overlap"]
        if other is None:
            continue
        if share == 0:
            yield error(
                "position",
                f"scene {record['scene']}: {word} {other['path']} ({other['crs']}) and optical "
                f"{optical['path']} ({optical['crs']}) do not overlap on the ground; check their CRS "
                "and position, or move the scene away",
            )
        elif share < COVERED:
            yield warning(
                "coverage",
                f"{other['path']} covers {percent(share)} of the optical scene; check that it belongs "
                "to it, or crop the optical image",
            )


def resolution(record: Record) -> Iterator[Finding]:
    """Are the pixel sizes near each other?"""
    optical = record["optical"]
    for kind in ("sar", "label"):
        other = record[kind]
        if other is None:
            continue
        ratio = other["pixel_size"] / optical["pixel_size"]
        sizes = (
            f"{other['path']} has pixels of {other['pixel_size']:.3g} m, {optical['path']} of "
            f"{optical['pixel_size']:.3g} m"
        )
        if not 1 / ABSURD <= ratio <= ABSURD:
            yield error(
                "resolution",
                f"{sizes}: one of the geotransforms or CRS cannot be right; mend it",
            )
        elif ratio > COARSE:
            what = "labels are blocks of" if kind == "label" else "a SAR pixel spreads over"
            yield warning(
                "resolution",
                f"{sizes}: {what} {ratio:.1f} optical pixels across; use a finer one, or coarser "
                "optical images",
            )
        elif kind == "sar" and ratio < 1 / COARSE:
            yield warning(
                "resolution",
                f"{sizes}: most SAR pixels would go unused, and noise would alias; average them "
                "to the optical pixel size first",
            )


def label_grid(record: Record) -> Iterator[Finding]:
    """Does the label lie on the optical pixels?"""
    if record["label"] is None:
        return
    optical, label = record["optical"], record["label"]
    off = offset(optical, label)
    if off is None:
        if same_crs(optical, label):
            sizes = label["pixel_size"], optical["pixel_size"]
            how = f"pixels of {sizes[0]:.3g} m or turned, the optical image of {sizes[1]:.3g} m"
        else:
            how = f"the CRS {label['crs']}, the optical image {optical['crs']}"
    elif max(map(abs, off)) > ON_GRID:
        how = f"pixels {off[0]:g}, {off[1]:g} px off those of the optical image"
    else:
        return
    yield warning(
        "label grid",
        f"{label['path']} has {how}: labels are taken from the nearest pixel; resample them "
        "to the optical grid if that is not meant",
    )
