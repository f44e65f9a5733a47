"""Stage `coregister`: SAR onto the optical grid, with evidence; labels as class indices on it.

Images and labels are outputs of their own: training depends on the first and never on the second.
"""

import json
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dllr.errors import SceneError
from dllr.files import atomic_dir, link_or_copy, link_tree, read_json, write_json
from dllr.params.coregister import Coregister
from dllr.params.scenes import Optical, Sar, Scenes
from dllr.raster.arrays import MODALITIES, Layer, array_strips, arrays_of, write_arrays
from dllr.raster.grid import IGNORE, Grid, rgb, write_strips
from dllr.raster.gridding import as_stored, gridded, gridded_classes, thinned
from dllr.raster.image import Image, Mask
from dllr.raster.parallel import over_parts, over_scenes
from dllr.raster.products import CLASS_NAMES, RECORDS
from dllr.raster.sar import SarImage
from dllr.raster.strips import opened
from dllr.registration import mutual_information
from dllr.registration.estimate import Estimate, Verdict, judge, record
from dllr.workcache import work_dir

Map = Callable[..., Iterable[Any]]


def run(
    *, records: Path, out: Path, labels_out: Path, scenes: Scenes, coregister: Coregister
) -> None:
    """Write `out`/<scene>/{optical.tif, sar.tif, record.json} and `labels_out`/<scene>.tif."""
    facts = [read_json(path) for path in sorted((records / RECORDS).glob("*.json"))]
    with over_parts() as each:
        work = partial(_images, scenes=scenes, settings=coregister, each=each)
        images = over_scenes(work, facts, "coregister")
    with atomic_dir(out) as folder:
        for scene, done in zip(facts, images, strict=True):
            link_tree(done, folder / scene["scene"])
    labelled = [scene for scene in facts if scene["label"]]
    labels = over_scenes(partial(_label, scenes=scenes), labelled, "labels")
    with atomic_dir(labels_out) as folder:
        for scene, done in zip(labelled, labels, strict=True):
            link_or_copy(done, folder / f"{scene['scene']}.tif")


def _images(facts: dict[str, Any], *, scenes: Scenes, settings: Coregister, each: Map) -> Path:
    """The scene's folder in the work cache, made unless it is there already."""
    identity = [facts["scene"], _hashes(facts["optical"]), _hashes(facts["sar"])]
    work = work_dir("coregister", identity, scenes.optical, scenes.sar, settings)
    done = work / "images"
    if not done.exists():
        with atomic_dir(done, keep=True) as folder:
            _write_images(folder, facts, scenes, settings, each, key=work.name)
    return done


def _write_images(
    folder: Path,
    facts: dict[str, Any],
    scenes: Scenes,
    settings: Coregister,
    each: Map,
    key: str,
) -> None:
    """Record, arrays and GeoTIFFs. The arrays are co-gridded once; the GeoTIFFs, from which they can be
    remade, are written from them."""
    grid = _grid(facts)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        image = _image(facts["sar"], scenes.sar)
        sar = SarImage.prepared(image, scenes.sar, settings, Path(scratch) / "filtered.tif")
        _write_gridded(folder, facts, scenes, sar, grid, settings, each, key)


def _write_gridded(
    folder: Path,
    facts: dict[str, Any],
    scenes: Scenes,
    sar: SarImage,
    grid: Grid,
    settings: Coregister,
    each: Map,
    key: str,
) -> None:
    estimate, verdict = _estimate(facts, scenes, settings, sar, grid)
    registration = {"estimator": settings.estimator}
    registration |= record(estimate, verdict, (grid.height, grid.width))
    write_json(
        folder / "record.json",
        {
            "scene": facts["scene"],
            "key": key,
            "optical_bands": list(scenes.optical.bands),
            "sar_bands": sar.names,
            "scale": scenes.optical.scale,
            "offset": scenes.optical.offset,
            "registration": registration,
            "sources": {kind: _hashes(facts[kind]) for kind in ("optical", "sar")},
        },
    )
    matrix = estimate.matrix if estimate and verdict.word == "applied" else None
    layers = (
        _optical_layer(facts, scenes),
        Layer(sar.finished(grid, matrix), len(sar.names), "float32", float("nan")),
    )
    arrays = arrays_of(folder, lambda target: write_arrays(target, grid, *layers, each))
    reflectance = {"scale": repr(scenes.optical.scale), "offset": repr(scenes.optical.offset)}
    unit = {"unit": "dn" if scenes.sar.unit == "dn" else "dB"}

    def write(name: str, layer: Layer, bands: Iterable[str], tags: dict[str, str]) -> None:
        write_strips(
            folder / f"{name}.tif",
            grid,
            array_strips(arrays / f"{name}.npy", grid),
            bands=layer.bands,
            dtype=layer.dtype,
            nodata=layer.nodata,
            descriptions=bands,
            tags=tags,
        )

    list(each(write, MODALITIES, layers, (scenes.optical.bands, sar.names), (reflectance, unit)))


def _optical_layer(facts: dict[str, Any], scenes: Scenes) -> Layer:
    file = facts["optical"]
    image = _image(file, scenes.optical)
    with opened(image.path) as source:
        missing = source.nodata if image.nodata is None else image.nodata
    empty = _empty(file, missing)
    strips = as_stored(image, 0.0 if empty is None else empty)
    return Layer(strips, len(image.bands), file["dtype"], empty)


def _empty(file: dict[str, Any], missing: float | None) -> float | None:
    """The value of pixels without data: the source's own where its type can hold it, else one that no
    valid pixel has in all bands; None where every pixel has data."""
    dtype: np.dtype[Any] = np.dtype(file["dtype"])
    if not np.issubdtype(dtype, np.integer):
        return float("nan")
    limits = np.iinfo(dtype)
    if missing is not None and limits.min <= missing <= limits.max and float(missing).is_integer():
        return float(missing)
    if not file["nodata_share"]:
        return None
    lowest = [band["min"] for band in file["values"] if band["min"] is not None]
    highest = [band["max"] for band in file["values"] if band["max"] is not None]
    for value, free in (
        (0, max(lowest, default=1) > 0),
        (limits.max, min(highest, default=0) < limits.max),
        (limits.min, max(lowest, default=0) > limits.min),
    ):
        if free:
            return float(value)
    raise SceneError(
        f"{file['path']} has missing pixels, uses the whole range of {dtype} in every band, and names no "
        "nodata value; convert it to a wider type, for example with `gdal_translate -ot Int32`"
    )


def _estimate(
    facts: dict[str, Any], scenes: Scenes, settings: Coregister, sar: SarImage, grid: Grid
) -> tuple[Estimate | None, Verdict]:
    if settings.estimator == "none":
        return None, Verdict("none", "not asked for: the georeferencing is kept")
    optical = gridded(_image(facts["optical"], scenes.optical), grid)
    fixed, factor = thinned(optical, grid, settings.max_pixels)
    moving, _ = thinned(sar.strips(grid, None), grid, settings.max_pixels)
    valid = np.isfinite(fixed), np.isfinite(moving)
    if (share := float((valid[0] & valid[1]).mean())) < settings.min_valid:
        return None, Verdict(
            "unverified", f"only {share:.0%} of the pixels are valid in both modalities"
        )
    if any(
        float(np.ptp(image[known])) == 0
        for image, known in zip((fixed, moving), valid, strict=True)
    ):
        return None, Verdict("unverified", "an image is constant: there is nothing to match")
    try:
        found = mutual_information.estimate(
            fixed, valid[0], moving, valid[1], settings.max_shift / factor
        )
    except RuntimeError as error:  # ITK's own word for "no overlap left" and its like
        return None, Verdict(
            "unverified", f"the estimator gave up: {str(error).splitlines()[-1].strip()}"
        )
    resize = np.diag([factor, factor, 1.0])
    found = Estimate(resize @ found.matrix @ np.linalg.inv(resize), found.similarity, found.edges)
    size = (grid.height, grid.width)
    return found, judge(found, size, settings.max_shift, settings.max_rotation, settings.max_scale)


def _label(facts: dict[str, Any], *, scenes: Scenes) -> Path:
    grid, codes = _grid(facts), scenes.label.codes
    identity = [facts["scene"], _hashes(facts["label"]), _grid_key(grid)]
    target = work_dir("coregister", identity, scenes.label) / "label.tif"
    if not target.exists():
        write_strips(
            target,
            grid,
            gridded_classes(Path(facts["label"]["path"]), scenes.label.band, codes, grid),
            bands=1,
            dtype="uint8",
            nodata=IGNORE,
            colours=rgb(scenes.label.colours),
            tags={CLASS_NAMES: json.dumps(scenes.label.names)},
        )
    return target


def _hashes(file: dict[str, Any]) -> list[str]:
    """SHA-256 of a file, and of its mask if it has one: what a scene is made of, wherever it lies."""
    return [file["sha256"], *([file["mask"]["sha256"]] if file.get("mask") else [])]


def _image(file: dict[str, Any], settings: Optical | Sar) -> Image:
    mask = None
    if settings.mask is not None:
        path = Path(file["mask"]["path"])
        mask = Mask(path, settings.mask.band, tuple(settings.mask.bad), settings.mask.above)
    return Image(Path(file["path"]), tuple(settings.bands.values()), settings.nodata, mask)


def _grid(facts: dict[str, Any]) -> Grid:
    with opened(facts["optical"]["path"]) as source:
        return Grid.of(source)


def _grid_key(grid: Grid) -> list[Any]:
    """What identifies a grid, as JSON values."""
    return [grid.crs.to_string(), list(grid.transform)[:6], grid.height, grid.width]
