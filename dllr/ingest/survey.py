"""What is in a file: its grid, values, missing pixels and content hash, from one pass over its pixels."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds

from dllr.errors import SceneError
from dllr.files import digest, file_digest
from dllr.ingest.profile import Profile
from dllr.raster.grid import Grid
from dllr.raster.image import Image
from dllr.raster.lazy import chunks, open_image
from dllr.raster.strips import opened
from dllr.raster.warp import Nearest

EXACT = 2**24  # largest whole number up to which float32 holds all


def survey(image: Image, setting: str = "scenes.optical or scenes.sar") -> dict[str, Any]:
    """Read every pixel of an image once: its grid, type, values, missing pixels and content hash.

    setting: section of params.yaml that messages point to.

    Raises:
        SceneError: the file cannot be read to its end, has no CRS, or lacks a band; or its mask does.
    """
    record = _facts(image.path, image.bands, f"the bands of {setting}")
    mask = image.mask and _facts(image.mask.path, (image.mask.band,), f"{setting}.mask.band")
    nodata = record["nodata"] if image.nodata is None else image.nodata
    profile = Profile(record["height"], record["width"], nodata)
    missing = masked = 0
    for strip in chunks(open_image(image, image.bands)):
        missing += int(np.count_nonzero(~strip.valid))
        masked += int(np.count_nonzero(strip.masked))
        values = strip.values
        if values.dtype.itemsize > 2 and np.issubdtype(values.dtype, np.integer):
            _check_exact(image.path, values, strip.valid)
        profile.add(strip.window.row_off, values, strip.valid)
    pixels = record["width"] * record["height"]
    return record | {
        "mask": mask and {"path": mask["path"], "sha256": mask["sha256"]},
        "nodata_share": round(missing / pixels, 9),
        "masked_share": round(masked / pixels, 9),
        **profile.record(),
    }


def survey_label(path: Path, band: int) -> dict[str, Any]:
    """The same of a label file, whose codes are counted."""
    record = _facts(path, (band,), "scenes.label.band")
    record.pop("nodata")
    codes = dict[int, int]()
    with opened(path) as source:
        grid = Grid.of(source)
    # Of a label, its codes say what is known, not its nodata value or a mask of the file.
    with Nearest(path, band, grid) as label:
        for window in grid.strips():
            values = label.read(window)
            found, counts = _unique(values[np.isfinite(values)])
            if (found != np.round(found)).any():
                raise SceneError(
                    f"{path} is no label file: it holds {found[found != np.round(found)][0]}, and "
                    "codes are whole numbers; check scenes.label.pattern"
                )
            for code, count in zip(found.tolist(), counts.tolist(), strict=True):
                codes[int(code)] = codes.get(int(code), 0) + count
    return record | {"codes": {str(code): codes[code] for code in sorted(codes)}}


def _facts(path: Path, bands: tuple[int, ...], setting: str) -> dict[str, Any]:
    with opened(path) as source:
        if source.crs is None and source.gcps[0]:
            raise SceneError(
                f"{path} is placed by ground control points, in the sensor's geometry; bring it to a map "
                "first, terrain-corrected if you can, for example with `gdalwarp -t_srs`"
            )
        if source.crs is None:
            raise SceneError(
                f"{path} has no CRS; give it one, for example with `gdal_edit.py -a_srs`"
            )
        _check_georeference(path, source)
        if max(bands) > source.count:
            raise SceneError(
                f"{path} has {source.count} band(s), but band {max(bands)} is asked for; "
                f"mend {setting} in params.yaml"
            )
        types = sorted({source.dtypes[band - 1] for band in bands})
        if any("complex" in kind for kind in types):
            raise SceneError(f"{path} holds complex values; convert it to amplitude or power first")
        if len(types) > 1:
            raise SceneError(
                f"{path} holds bands of several types ({', '.join(types)}); convert them to one, for "
                "example with `gdal_translate -ot`"
            )
        files = [file_digest(Path(f)) for f in sorted(source.files) if Path(f).is_file()]
        return {
            "path": path.as_posix(),
            "sha256": digest(files),
            "width": source.width,
            "height": source.height,
            "bands": source.count,
            "dtype": types[0],
            "crs": source.crs.to_string(),
            "transform": list(source.transform)[:6],
            "pixel_size": round(Grid.of(source).pixel_size(), 4),
            "nodata": float(source.nodata) if _finite(source.nodata) else None,
            "scaling": sorted(
                map(list, {(source.scales[b - 1], source.offsets[b - 1]) for b in bands})
            ),
        }


def _unique(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Values that occur and how often; bytes are counted, not sorted."""
    if values.dtype != np.uint8:
        return np.unique(values, return_counts=True)
    counts = np.bincount(values)
    return np.flatnonzero(counts), counts[counts > 0]


def _finite(nodata: float | None) -> bool:
    return nodata is not None and bool(np.isfinite(nodata))


def _check_exact(path: Path, values: NDArray[np.integer], valid: NDArray[np.bool_]) -> None:
    """Raises SceneError where single precision, which images are resampled in, would round."""
    known = values[:, valid]
    largest = max(int(known.max()), -int(known.min())) if known.size else 0
    if largest > EXACT:
        raise SceneError(
            f"{path} holds {largest} as {values.dtype}; whole numbers beyond {EXACT} are not exact in "
            "float32: divide the bands first, or set nodata if this is its value"
        )


def _check_georeference(path: Path, source: Any) -> None:
    """Raises SceneError where pixels cannot be related to the ground."""
    transform = source.transform
    if not np.isfinite(list(transform)).all() or transform.is_degenerate:
        raise SceneError(
            f"{path} has the geotransform {list(transform)[:6]}, which maps no pixel; mend it"
        )
    try:
        corners = transform_bounds(source.crs, "EPSG:4326", *_upright(source.bounds))
    except (RasterioError, CPLE_BaseError):
        corners = (np.inf,) * 4
    if not np.isfinite(corners).all():
        raise SceneError(
            f"{path} has a CRS or position that cannot be related to the ground "
            f"({source.crs.to_string()[:60]}); give it the right one, for example with "
            "`gdal_edit.py -a_srs -a_ullr`"
        )


def overlap(optical: Path, other: Path) -> float:
    """Share of the optical scene's bounding box that the other file covers, in the optical CRS."""
    with opened(optical) as a, opened(other) as b:
        left, bottom, right, top = _upright(a.bounds)
        try:
            w, s, e, n = transform_bounds(b.crs, a.crs, *_upright(b.bounds))
        except RasterioError:
            return 0.0
        inner = max(0.0, min(right, e) - max(left, w)) * max(0.0, min(top, n) - max(bottom, s))
        return float(inner / ((right - left) * (top - bottom)))


def _upright(bounds: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Left, bottom, right, top, also of a raster whose rows run northwards."""
    left, bottom, right, top = bounds
    return min(left, right), min(bottom, top), max(left, right), max(bottom, top)
