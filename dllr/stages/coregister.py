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
from dllr.raster.gridding import as_stored, gridded_classes
from dllr.raster.image import Image, Mask
from dllr.raster.parallel import over_parts, over_scenes
from dllr.raster.products import CLASS_NAMES, EVIDENCE, RECORDS
from dllr.raster.sar import SarImage
from dllr.raster.strips import opened
from dllr.raster.taken import TAG, taken
from dllr.registration import ESTIMATORS
from dllr.registration.transform import Matrix
from dllr.stages.pairs import RasterPair
from dllr.stages.registering import crops, decide, given_transforms, record
from dllr.workcache import work_dir

Map = Callable[..., Iterable[Any]]


def run(
    *, records: Path, out: Path, labels_out: Path, scenes: Scenes, coregister: Coregister
) -> None:
    """Write `out`/<scene>/{optical.tif, sar.tif, record.json, evidence.npz}, `labels_out`/<scene>.tif."""
    facts = [read_json(path) for path in sorted((records / RECORDS).glob("*.json"))]
    given = given_transforms(Path(coregister.given))
    with over_parts() as each:
        work = partial(_images, scenes=scenes, settings=coregister, given=given, each=each)
        images = over_scenes(work, facts, "coregister")
    with atomic_dir(out) as folder:
        for scene, done in zip(facts, images, strict=True):
            link_tree(done, folder / scene["scene"])
    labelled = [scene for scene in facts if scene["label"]]
    labels = over_scenes(partial(_label, scenes=scenes), labelled, "labels")
    with atomic_dir(labels_out) as folder:
        for scene, done in zip(labelled, labels, strict=True):
            link_or_copy(done, folder / f"{scene['scene']}.tif")


def _images(
    facts: dict[str, Any],
    *,
    scenes: Scenes,
    settings: Coregister,
    given: dict[str, Matrix],
    each: Map,
) -> Path:
    """The scene's folder in the work cache, made unless it is there already."""
    transform = given.get(facts["scene"])
    identity = [facts["scene"], _hashes(facts["optical"]), _hashes(facts["sar"])]
    evidence = tuple(
        ESTIMATORS[n].partition(":")[0] for n in settings.estimators if n in ESTIMATORS
    )
    identity.append(None if transform is None else transform.tolist())
    work = work_dir(
        "coregister", identity, scenes.optical, scenes.sar, settings, extra_modules=evidence
    )
    done = work / "images"
    if not done.exists():
        with atomic_dir(done, keep=True) as folder:
            _write_images(folder, facts, scenes, settings, transform, each, key=work.name)
    return done


def _write_images(
    folder: Path,
    facts: dict[str, Any],
    scenes: Scenes,
    settings: Coregister,
    given: Matrix | None,
    each: Map,
    key: str,
) -> None:
    """Record, arrays and GeoTIFFs. The arrays are co-gridded once; the GeoTIFFs, from which they can be
    remade, are written from them."""
    grid = grid_of(facts)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        image = image_of(facts["sar"], scenes.sar)
        sar = SarImage.prepared(image, scenes.sar, settings, Path(scratch) / "filtered.tif")
        _write_gridded(folder, facts, scenes, sar, grid, settings, given, each, key)


def _write_gridded(
    folder: Path,
    facts: dict[str, Any],
    scenes: Scenes,
    sar: SarImage,
    grid: Grid,
    settings: Coregister,
    given: Matrix | None,
    each: Map,
    key: str,
) -> None:
    pair = RasterPair(image_of(facts["optical"], scenes.optical), sar, grid)
    verdict = decide(pair, settings, given)
    if settings.estimators and (shown := crops(pair, verdict.matrix, list(scenes.optical.bands))):
        np.savez_compressed(folder / EVIDENCE, allow_pickle=False, **shown)
    write_json(
        folder / "record.json",
        {
            "scene": facts["scene"],
            "key": key,
            "optical_bands": list(scenes.optical.bands),
            "sar_bands": sar.names,
            "scale": scenes.optical.scale,
            "offset": scenes.optical.offset,
            "registration": record(verdict, settings, pair.size),
            "sources": {kind: _hashes(facts[kind]) for kind in ("optical", "sar")},
        },
    )
    layers = (
        _optical_layer(facts, scenes),
        Layer(sar.finished(grid, verdict.matrix), len(sar.names), "float32", float("nan")),
    )
    arrays = arrays_of(folder, lambda target: write_arrays(target, grid, *layers, each))
    reflectance = {"scale": repr(scenes.optical.scale), "offset": repr(scenes.optical.offset)}
    with opened(Path(facts["optical"]["path"])) as source:
        reflectance |= {TAG: day.isoformat()} if (day := taken(source)) else {}
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
    image = image_of(file, scenes.optical)
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


def _label(facts: dict[str, Any], *, scenes: Scenes) -> Path:
    grid, codes = grid_of(facts), scenes.label.codes
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


def image_of(file: dict[str, Any], settings: Optical | Sar) -> Image:
    """The image that a scene's record and the settings describe."""
    mask = None
    if settings.mask is not None:
        path = Path(file["mask"]["path"])
        mask = Mask(path, settings.mask.band, tuple(settings.mask.bad), settings.mask.above)
    return Image(Path(file["path"]), tuple(settings.bands.values()), settings.nodata, mask)


def grid_of(facts: dict[str, Any]) -> Grid:
    with opened(facts["optical"]["path"]) as source:
        return Grid.of(source)


def _grid_key(grid: Grid) -> list[Any]:
    """What identifies a grid, as JSON values."""
    return [grid.crs.to_string(), list(grid.transform)[:6], grid.height, grid.width]
