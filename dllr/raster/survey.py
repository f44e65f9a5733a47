"""What is in a file: its grid, type, missing pixels and content hash, from one pass over its pixels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds

from dllr.errors import SceneError
from dllr.files import digest, file_digest
from dllr.raster.strips import opened, read_strips

EXACT = 2**24  # largest whole number up to which float32 holds all


def survey(path: Path, bands: Mapping[str, int] | None, nodata: float | None) -> dict[str, Any]:
    """Read every pixel of a file once: its grid, type, share of missing pixels and content hash.

    `bands` None means a label file: its codes are counted instead.

    Raises:
        SceneError: the file cannot be read to its end, has no CRS, or lacks a band.
    """
    with opened(path) as source:
        if source.crs is None:
            raise SceneError(
                f"{path} has no CRS; give it one, for example with `gdal_edit.py -a_srs`"
            )
        _check_georeference(path, source)
        if bands and max(bands.values()) > source.count:
            raise SceneError(
                f"{path} has {source.count} band(s), but band {max(bands.values())} is asked for; "
                "mend the bands of scenes.optical or scenes.sar in params.yaml"
            )
        if np.issubdtype(np.dtype(source.dtypes[0]), np.complexfloating):
            raise SceneError(f"{path} holds complex values; convert it to amplitude or power first")
        missing, codes = 0, dict[int, int]()
        missing_value = nodata if bands else float("nan")  # of a label, codes say what is known
        for values, valid in read_strips(
            source, list(bands.values()) if bands else [1], missing_value
        ):
            missing += int(np.count_nonzero(~valid))
            if bands and values.dtype.itemsize > 2 and np.issubdtype(values.dtype, np.integer):
                _check_exact(path, values, valid)
            if bands is None:
                found, counts = np.unique(values[0][valid], return_counts=True)
                if (found != np.round(found)).any():
                    raise SceneError(
                        f"{path} is no label file: it holds {found[found != np.round(found)][0]}, and "
                        "codes are whole numbers; check scenes.label.pattern"
                    )
                for code, count in zip(found.tolist(), counts.tolist(), strict=True):
                    codes[int(code)] = codes.get(int(code), 0) + count
        record = {
            "path": path.as_posix(),
            "sha256": digest(
                [file_digest(Path(f)) for f in sorted(source.files) if Path(f).is_file()]
            ),
            "width": source.width,
            "height": source.height,
            "bands": source.count,
            "dtype": source.dtypes[0],
            "crs": source.crs.to_string(),
            "transform": list(source.transform)[:6],
        }
        scaling = {(source.scales[b - 1], source.offsets[b - 1]) for b in (bands or {}).values()}
    if bands is None:
        return record | {"codes": {str(code): codes[code] for code in sorted(codes)}}
    return record | {
        "scaling": sorted(map(list, scaling)),
        "nodata_share": round(missing / (record["width"] * record["height"]), 6),
    }


def _check_exact(path: Path, values: NDArray[np.integer], valid: NDArray[np.bool_]) -> None:
    """Raises SceneError where single precision, which images are resampled in, would round."""
    largest = int(np.abs(values[:, valid].astype(np.int64)).max(initial=0))
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
