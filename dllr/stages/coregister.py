"""Stage `coregister`: SAR onto the optical grid, with evidence; labels as class indices on it.

Images and labels are outputs of their own: training depends on the first and never on the second.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dllr.execution import threads as cores
from dllr.files import atomic_dir, link_or_copy, link_tree, read_json, write_json
from dllr.params.coregister import Coregister
from dllr.params.scenes import Optical, Sar, Scenes
from dllr.raster.arrays import Layer, array_strips, arrays_of, write_arrays
from dllr.raster.grid import IGNORE, Grid, rgb, write_strips
from dllr.raster.gridding import as_stored, decibel, gridded, gridded_classes, thinned
from dllr.raster.image import Image, Mask
from dllr.raster.parallel import over_scenes
from dllr.raster.products import RECORDS
from dllr.raster.strips import opened
from dllr.registration import mutual_information
from dllr.registration.estimate import Estimate, Verdict, judge, record
from dllr.workcache import work_dir


def run(
    *, records: Path, out: Path, labels_out: Path, scenes: Scenes, coregister: Coregister
) -> None:
    """Write `out`/<scene>/{optical.tif, sar.tif, record.json} and `labels_out`/<scene>.tif."""
    facts = [read_json(path) for path in sorted((records / RECORDS).glob("*.json"))]
    # Fewer scenes than cores: the modalities of a scene are made side by side too.
    each = 2 if cores() > len(facts) else 1
    work = partial(_images, scenes=scenes, settings=coregister, threads=each)
    images = over_scenes(work, facts, "coregister")
    with atomic_dir(out) as folder:
        for scene, done in zip(facts, images, strict=True):
            link_tree(done, folder / scene["scene"])
    with atomic_dir(labels_out) as folder:
        for scene in facts:
            if scene["label"]:
                link_or_copy(_label(scene, scenes), folder / f"{scene['scene']}.tif")


def _images(facts: dict[str, Any], *, scenes: Scenes, settings: Coregister, threads: int) -> Path:
    """The scene's folder in the work cache, made unless it is there already."""
    identity = [facts["scene"], _content(facts["optical"]), _content(facts["sar"])]
    work = work_dir("coregister", identity, scenes.optical, scenes.sar, settings)
    done = work / "images"
    if not done.exists():
        with atomic_dir(done, keep=True) as folder:
            _write_images(folder, facts, scenes, settings, threads, key=work.name)
    return done


def _write_images(
    folder: Path,
    facts: dict[str, Any],
    scenes: Scenes,
    settings: Coregister,
    threads: int,
    key: str,
) -> None:
    """Record, arrays and GeoTIFFs. The arrays are co-gridded once; the GeoTIFFs, from which they can be
    remade, are written from them."""
    grid = _grid(facts)
    estimate, verdict = _estimate(facts, scenes, settings, grid)
    registration = {"estimator": settings.estimator}
    registration |= record(estimate, verdict, (grid.height, grid.width))
    write_json(
        folder / "record.json",
        {
            "scene": facts["scene"],
            "key": key,
            "optical_bands": list(scenes.optical.bands),
            "sar_bands": list(scenes.sar.bands),
            "scale": scenes.optical.scale,
            "offset": scenes.optical.offset,
            "registration": registration,
        },
    )
    matrix = estimate.matrix if estimate and verdict.word == "applied" else None
    optical, sar = _optical_layer(facts, scenes), _sar_layer(facts, scenes, grid, matrix)
    arrays = arrays_of(folder, lambda target: write_arrays(target, grid, optical, sar, threads))
    reflectance = {"scale": repr(scenes.optical.scale), "offset": repr(scenes.optical.offset)}
    unit = {"unit": "dn" if scenes.sar.unit == "dn" else "dB"}
    for name, layer, bands, tags in (
        ("optical", optical, scenes.optical.bands, reflectance),
        ("sar", sar, scenes.sar.bands, unit),
    ):
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


def _optical_layer(facts: dict[str, Any], scenes: Scenes) -> Layer:
    file = facts["optical"]
    image = _image(file, scenes.optical)
    with opened(image.path) as source:
        missing = source.nodata if image.nodata is None else image.nodata
    empty = _empty(np.dtype(file["dtype"]), missing)
    nodata = None if missing is None and not file["nodata_share"] else empty
    return Layer(as_stored(image, empty), len(image.bands), file["dtype"], nodata)


def _sar_layer(
    facts: dict[str, Any], scenes: Scenes, grid: Grid, matrix: NDArray[np.float64] | None
) -> Layer:
    strips = _sar(facts, scenes, grid, matrix)
    return Layer(strips, len(scenes.sar.bands), "float32", float("nan"))


def _empty(dtype: np.dtype[Any], missing: float | None) -> float:
    """The value of pixels without data: the source's own where its type can hold it."""
    if not np.issubdtype(dtype, np.integer):
        return float("nan")
    limits = np.iinfo(dtype)
    fits = (
        missing is not None and limits.min <= missing <= limits.max and float(missing).is_integer()
    )
    return float(missing) if fits and missing is not None else 0.0


def _sar(
    facts: dict[str, Any], scenes: Scenes, grid: Grid, matrix: NDArray[np.float64] | None
) -> Any:
    strips = gridded(_image(facts["sar"], scenes.sar), grid, matrix)
    return ((window, decibel(values, scenes.sar.unit)) for window, values in strips)


def _estimate(
    facts: dict[str, Any], scenes: Scenes, settings: Coregister, grid: Grid
) -> tuple[Estimate | None, Verdict]:
    if settings.estimator == "none":
        return None, Verdict("none", "not asked for: the georeferencing is kept")
    optical = gridded(_image(facts["optical"], scenes.optical), grid)
    fixed, factor = thinned(optical, grid, settings.max_pixels)
    moving, _ = thinned(_sar(facts, scenes, grid, None), grid, settings.max_pixels)
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


def _label(facts: dict[str, Any], scenes: Scenes) -> Path:
    grid, codes = _grid(facts), scenes.label.codes
    identity = [facts["scene"], _content(facts["label"]), _grid_key(grid)]
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
        )
    return target


def _content(file: dict[str, Any]) -> dict[str, Any]:
    """What a file's record says of it, wherever it lies."""
    known = {key: value for key, value in file.items() if key not in ("path", "mask")}
    return known | {"mask": file["mask"]["sha256"]} if file.get("mask") else known


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
