"""Stage `coregister`: SAR onto the optical grid, with evidence; labels as class indices on it.

Images and labels are outputs of their own: training depends on the first and never on the second.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dllr.files import atomic_dir, link_or_copy, link_tree, read_json, write_json
from dllr.params.coregister import Coregister
from dllr.params.scenes import Optical, Sar, Scenes
from dllr.raster.grid import IGNORE, Grid, rgb, write_strips
from dllr.raster.gridding import gridded, gridded_classes, thinned
from dllr.raster.image import Image, Mask
from dllr.raster.parallel import over_scenes
from dllr.raster.products import RECORDS
from dllr.raster.radiometry import decibel
from dllr.raster.strips import opened
from dllr.registration import mutual_information
from dllr.registration.estimate import Estimate, Verdict, judge, record
from dllr.workcache import work_dir


def run(
    *, records: Path, out: Path, labels_out: Path, scenes: Scenes, coregister: Coregister
) -> None:
    """Write `out`/<scene>/{optical.tif, sar.tif, record.json} and `labels_out`/<scene>.tif."""
    facts = [read_json(path) for path in sorted((records / RECORDS).glob("*.json"))]
    images = over_scenes(partial(_images, scenes=scenes, settings=coregister), facts, "coregister")
    with atomic_dir(out) as folder:
        for scene, done in zip(facts, images, strict=True):
            link_tree(done, folder / scene["scene"])
    with atomic_dir(labels_out) as folder:
        for scene in facts:
            if scene["label"]:
                link_or_copy(_label(scene, scenes), folder / f"{scene['scene']}.tif")


def _images(facts: dict[str, Any], *, scenes: Scenes, settings: Coregister) -> Path:
    """The scene's folder in the work cache, made unless it is there already."""
    identity = [facts["scene"], _content(facts["optical"]), _content(facts["sar"])]
    work = work_dir("coregister", identity, scenes.optical, scenes.sar, settings)
    done = work / "images"
    if not done.exists():
        with atomic_dir(done, keep=True) as folder:
            _write_images(folder, facts, scenes, settings, key=work.name)
    return done


def _write_images(
    folder: Path, facts: dict[str, Any], scenes: Scenes, settings: Coregister, key: str
) -> None:
    grid, optical = _grid(facts), scenes.optical
    image = _image(facts["optical"], optical)
    with opened(image.path) as source:
        missing = source.nodata if optical.nodata is None else optical.nodata
    dtype = facts["optical"]["dtype"]
    empty = _empty(np.dtype(dtype), missing)
    strips = gridded(image, grid)
    write_strips(
        folder / "optical.tif",
        grid,
        ((w, np.where(np.isfinite(v), v, empty).astype(dtype)) for w, v in strips),
        bands=len(optical.bands),
        dtype=dtype,
        nodata=None if missing is None and not facts["optical"]["nodata_share"] else empty,
        descriptions=optical.bands,
        tags={"scale": repr(optical.scale), "offset": repr(optical.offset)},
    )
    estimate, verdict = _estimate(facts, scenes, settings, grid)
    write_strips(
        folder / "sar.tif",
        grid,
        _sar(
            facts, scenes, grid, estimate.matrix if estimate and verdict.word == "applied" else None
        ),
        bands=len(scenes.sar.bands),
        dtype="float32",
        nodata=float("nan"),
        descriptions=scenes.sar.bands,
        tags={"unit": "dn" if scenes.sar.unit == "dn" else "dB"},
    )
    registration = {"estimator": settings.estimator}
    registration |= record(estimate, verdict, (grid.height, grid.width))
    write_json(
        folder / "record.json",
        {
            "scene": facts["scene"],
            "key": key,
            "optical_bands": list(optical.bands),
            "sar_bands": list(scenes.sar.bands),
            "scale": optical.scale,
            "offset": optical.offset,
            "registration": registration,
            "sources": {kind: _hashes(facts[kind]) for kind in ("optical", "sar")},
        },
    )


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


def _hashes(file: dict[str, Any]) -> list[str]:
    """SHA-256 of an image, and of its mask if it has one: where the scene came from."""
    return [file["sha256"], *([file["mask"]["sha256"]] if file["mask"] else [])]


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
