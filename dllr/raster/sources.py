"""The user's scene folder: which files belong to a scene, and what is in them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds

from dllr.errors import SceneError
from dllr.files import digest, file_digest
from dllr.raster.grid import Grid

EXACT = 2**24  # largest whole number up to which float32 holds all


@dataclass(frozen=True)
class Source:
    """The files of one scene; a scene may lack a label."""

    name: str
    optical: Path
    sar: Path
    label: Path | None


def discover(root: Path, optical: str, sar: str, label: str) -> list[Source]:
    """Scenes under `root` whose files match the patterns, sorted by name.

    Raises:
        SceneError: the folder is missing or empty, or a scene has one modality without the other.
    """
    if not root.is_dir():
        raise SceneError(
            f"the scene folder {root} does not exist; link or copy your scenes there, or set "
            "scenes.root in params.yaml to where they are"
        )
    found = {kind: _match(root, p) for kind, p in (("optical", optical), ("SAR", sar))}
    labels = _match(root, label)
    names = {name for kind in found.values() for name in kind} | labels.keys()
    for pattern in (optical, sar, label):
        _refuse_broken_links(root, pattern, names)
    if not found["optical"] and not found["SAR"]:
        raise SceneError(
            f"no file under {root} matches {optical!r} or {sar!r}; mend scenes.optical.pattern "
            "and scenes.sar.pattern in params.yaml"
        )
    for has, lacks, pattern in (("optical", "SAR", sar), ("SAR", "optical", optical)):
        lonely = sorted(found[has].keys() - found[lacks].keys())
        if lonely:
            raise SceneError(
                f"{len(lonely)} scene(s) under {root} have {has} but no {lacks}: "
                f"{', '.join(lonely[:5])}; add the files as {pattern!r} or move these scenes away"
            )
    return [
        Source(name, path, found["SAR"][name], labels.get(name))
        for name, path in sorted(found["optical"].items())
    ]


def _refuse_broken_links(root: Path, pattern: str, names: set[str]) -> None:
    """A link that leads nowhere is no missing file: a label would silently be left out."""
    for name in sorted(names):
        path = root / pattern.replace("{scene}", name)
        if path.is_symlink() and not path.exists():
            raise SceneError(
                f"{path} is a link to {path.readlink()}, which does not exist; mend it"
            )


def _match(root: Path, pattern: str) -> dict[str, Path]:
    parts = (re.escape(part).replace(r"\*", "[^/]*") for part in pattern.split("{scene}"))
    first, *others = parts
    expression = re.compile(first + "(?P<scene>[^/]+)" + "(?P=scene)".join(others))
    matches: dict[str, Path] = {}
    for path in sorted(root.glob(pattern.replace("{scene}", "*"))):
        match = expression.fullmatch(path.relative_to(root).as_posix())
        if match and path.is_file():
            name = match["scene"]
            if name in matches:
                raise SceneError(
                    f"scene {name} has two files for {pattern!r}: {matches[name]} and {path}; make the "
                    "pattern match one of them"
                )
            matches[name] = path
    return matches


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


def opened(path: Path) -> Any:
    """A rasterio dataset; unreadable files are a SceneError that names the file."""
    try:
        return rasterio.open(path)
    except RasterioError as error:
        raise SceneError(f"{path} cannot be opened as a raster ({error}); replace it") from None


def read_strips(
    source: Any, bands: list[int], nodata: float | None
) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
    """Strips of the bands and of their validity: a pixel is missing where every band is nodata, any is
    not finite, or the file's own mask or alpha band says so."""
    masked = MaskFlags.per_dataset in source.mask_flag_enums[bands[0] - 1]
    for window in Grid.of(source).strips():
        try:
            values = source.read(bands, window=window)
        except RasterioError:
            raise SceneError(
                f"{source.name} breaks off at row {window.row_off} of {source.height}: the file is "
                "truncated or damaged; copy or download it again"
            ) from None
        valid = validity(values, source.nodata if nodata is None else nodata)
        if masked:
            valid &= source.dataset_mask(window=window) > 0
        yield values, valid


def validity(values: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """Valid pixels (H, W) of bands (B, H, W): finite, and not nodata in all bands at once.

    Byte-stretched scenes hold the nodata value in single bands of dark pixels too; hence "all".
    """
    valid = np.ones(values.shape[1:], bool)
    if np.issubdtype(values.dtype, np.floating):
        valid &= np.isfinite(values).all(axis=0)
    if nodata is not None and not np.isnan(nodata):
        valid &= ~(values == nodata).all(axis=0)
    return valid


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
