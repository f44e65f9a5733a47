"""`dllr map --optical ... --sar ...`: the map of a scene that the chain has not seen.

The files are taken as the chain takes those of its scene folder: units, nodata, masks inside the files,
SAR radiometry and registration are those of params.yaml.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from dllr.errors import SceneError
from dllr.files import atomic_dir, file_digest, read_json, write_json
from dllr.ingest.audit.examine import image_findings
from dllr.ingest.survey import overlap, survey
from dllr.maps.item import Model
from dllr.models.checkpoint import Trained, load
from dllr.params.coregister import Coregister
from dllr.params.root import Params
from dllr.params.scenes import Optical, Sar, Scenes
from dllr.raster.arrays import Layer, SceneArrays, load_arrays, write_arrays
from dllr.raster.grid import Grid
from dllr.raster.gridding import gridded
from dllr.raster.image import Image, Mask
from dllr.raster.sar import SarImage
from dllr.raster.strips import opened
from dllr.raster.superpixels import write_superpixels
from dllr.raster.taken import taken as taken_when
from dllr.stages.mapping import CONFIDENCE, Ground, has_data, write_item, write_map
from dllr.stages.pairs import RasterPair
from dllr.stages.registering import decide, record
from dllr.workcache import work_dir

NAN = float("nan")
ALIKE = 1.25  # times another pixel size, from which on it is told
REGISTRATION = (
    "registration.json"  # beside a map of both images: how SAR came onto the optical grid
)
Modality = TypeVar("Modality", Optical, Sar)

log = logging.getLogger(__name__)


def map_scene(
    checkpoint: Path,
    optical: Path | None,
    sar: Path | None,
    out: Path,
    params: Params,
    taken: datetime | None = None,
) -> str:
    """Write the map of a scene into the folder `out`; returns a line on what was done.

    One of the files may be missing. The map lies on the grid of the optical file, else of the SAR file.
    taken: when the scene was, for its STAC item; None = as its file says.

    Raises:
        SceneError: no file is given, one cannot be taken as it is, they do not lie on one another, none
            holds data, or `out` holds something.
        TrainingError: the checkpoint cannot be read.
    """
    if optical is None and sar is None:
        raise SceneError("there is nothing to map: name --optical, --sar or both")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SceneError(f"{out} is there already and not empty; name a new folder with --out")
    trained = load(checkpoint)
    settings = _settings(trained, params, optical, sar)
    images = {
        kind: _image(path, chosen)
        for kind, path, chosen in (
            ("optical", optical, settings[0]),
            ("sar", sar, settings[1]),
        )
        if path is not None
    }
    facts = {kind: survey(image, f"scenes.{kind}") for kind, image in images.items()}
    _examine(
        facts, params.scenes.model_copy(update=dict(zip(("optical", "sar"), settings, strict=True)))
    )
    if optical and sar and not overlap(optical, sar):
        raise SceneError(
            f"{optical} and {sar} do not lie on one another; check their georeferences, or map each alone"
        )
    _compare(facts, trained)
    identity = file_digest(checkpoint)
    hashes = {kind: record["sha256"] for kind, record in facts.items()}
    work = work_dir(
        "newscene", hashes, identity, *settings, params.coregister, params.tile, params.map
    )
    done = work / "scene"
    if not done.exists():
        with atomic_dir(done, keep=True) as target:
            _write(target, trained, images, settings, params)
    with atomic_dir(out) as folder:
        for path in sorted(done.iterdir()):
            shutil.copyfile(
                path, folder / path.name
            )  # no link: who edits a map must not edit the cache
        model = Model(os.path.relpath(checkpoint, out), identity)
        write_item(folder, out.name, trained, model, taken or _taken(images))
    line = f"{out}: mapped from {' and '.join(images)}"
    with rasterio.open(out / CONFIDENCE) as source:
        head = source.tags()["head"]
    if len(images) > 1 and head in images:
        (other,) = images.keys() - {head}
        return f"{out}: mapped from {head} alone, for {images[other].path} holds no data there"
    if (evidence := _evidence(out)) and evidence["verdict"] == "unverified":
        line += f"; SAR lies where its georeferencing puts it, unverified: {evidence['reason']}"
    return line


def _taken(images: dict[str, Image]) -> datetime | None:
    with opened(next(iter(images.values())).path) as source:
        return taken_when(source)


def _compare(facts: dict[str, Any], trained: Trained) -> None:
    """Say it where pixels are of another size than the network has learnt from."""
    name, here = next((kind, record["pixel_size"]) for kind, record in facts.items())
    if not 1 / ALIKE <= here / trained.pixel <= ALIKE:
        log.warning(
            "%s: pixels of %.3g m, where the network has learnt from pixels of %.3g m: it does not know "
            "things of that size, and the map may be poor; resample first, for example with "
            "`gdalwarp -tr`", name, here, trained.pixel,
        )  # fmt: skip


def _evidence(folder: Path) -> dict[str, Any] | None:
    """What is said of the registration beside a map of both images."""
    path = folder / REGISTRATION
    return read_json(path) if path.exists() else None


def _examine(facts: dict[str, Any], scenes: Scenes) -> None:
    """The audit's checks of an image: errors stop, warnings are told."""
    found = [
        (kind, f) for kind, record in facts.items() for f in image_findings(kind, record, scenes)
    ]
    for kind, finding in found:
        if finding.level == "warning":
            log.warning("%s: %s", kind, finding.message)
    if errors := [f"{kind}: {f.message}" for kind, f in found if f.level == "error"]:
        raise SceneError("; ".join(errors))


def _write(
    target: Path,
    trained: Trained,
    images: dict[str, Image],
    settings: tuple[Optical, Sar],
    params: Params,
) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        scratch = Path(name)
        scene, evidence = _arrays(scratch, trained, images, settings, params.coregister)
        if evidence:
            write_json(target / REGISTRATION, evidence)
        if not any(has_data(scene)):
            raise SceneError(
                f"{' and '.join(str(image.path) for image in images.values())} hold no data: every pixel "
                "is missing; check nodata, masks and bands in section scenes of params.yaml"
            )
        ground = None
        if params.map.suggestions:
            ground = Ground(scratch / "superpixels.tif")
            write_superpixels(
                scene, ground.superpixels, params.tile.superpixel, params.tile.compactness
            )
        write_map(scene, trained, params.map, ground, target)


def _arrays(
    folder: Path,
    trained: Trained,
    images: dict[str, Image],
    settings: tuple[Optical, Sar],
    coregister: Coregister,
) -> tuple[SceneArrays, dict[str, Any]]:
    """The scene on one grid, what is not given missing everywhere; and how SAR came onto it."""
    with opened(next(iter(images.values())).path) as source:
        grid = Grid.of(source)
    layers = {
        "optical": _nothing(grid, len(trained.optical_bands)),
        "sar": _nothing(grid, len(trained.sar_bands)),
    }
    evidence: dict[str, Any] = {}
    if optical := images.get("optical"):
        layers["optical"] = Layer(gridded(optical, grid), len(optical.bands), "float32", NAN)
    if image := images.get("sar"):
        sar = SarImage.prepared(image, settings[1], coregister, folder / "filtered.tif")
        matrix = None
        if optical:
            pair = RasterPair(optical, sar, grid)
            verdict = decide(pair, coregister, None)
            matrix, evidence = verdict.matrix, record(verdict, coregister, pair.size)
        layers["sar"] = Layer(sar.finished(grid, matrix), len(sar.names), "float32", NAN)
    write_arrays(folder, grid, layers["optical"], layers["sar"])
    scale, offset = settings[0].scale, settings[0].offset
    bands = trained.optical_bands, trained.sar_bands
    return SceneArrays("new", grid, *bands, scale, offset, *load_arrays(folder)), evidence


def _nothing(grid: Grid, bands: int) -> Layer:
    def strips() -> Iterator[tuple[Window, NDArray[Any]]]:
        for window in grid.strips():
            yield window, np.full((bands, window.height, grid.width), np.float32(NAN))

    return Layer(strips(), bands, "float32", NAN)


def _settings(
    trained: Trained, params: Params, optical: Path | None, sar: Path | None
) -> tuple[Optical, Sar]:
    """Settings of both modalities with the bands that the network expects, in its order."""
    scenes, ratio = params.scenes, params.coregister.ratio
    if sar and trained.decibels == (scenes.sar.unit == "dn"):
        unit = "dB" if trained.decibels else "dn, numbers without radiometric meaning"
        raise SceneError(
            f"the network was trained on SAR values in {unit}, but scenes.sar.unit is {scenes.sar.unit}; "
            "declare what the file holds in params.yaml"
        )
    joined = ["/".join(ratio)] if ratio else []
    plain = [band for band in trained.sar_bands if "/" not in band]
    if sar and trained.sar_bands != plain + joined:
        raise SceneError(
            f"the network expects the SAR bands {', '.join(trained.sar_bands)}, and coregister.ratio in "
            f"params.yaml is {ratio}; set it as it was in training"
        )
    return (
        _with_bands(scenes.optical, "optical", optical, trained.optical_bands),
        _with_bands(scenes.sar, "sar", sar, plain),
    )


def _with_bands(settings: Modality, kind: str, path: Path | None, names: list[str]) -> Modality:
    """Band numbers by the names that the file gives its bands, else by those of params.yaml."""
    if path is None:
        return settings
    with opened(path) as source:
        told = {name: number for number, name in enumerate(source.descriptions, 1) if name}
    numbers = told if set(names) <= told.keys() else settings.bands
    if missing := [name for name in names if name not in numbers]:
        raise SceneError(
            f"the network expects the {kind} bands {', '.join(names)}; {path} does not name its bands so, "
            f"and scenes.{kind}.bands in params.yaml lacks {', '.join(missing)}: write their numbers there"
        )
    return settings.model_copy(update={"bands": {name: numbers[name] for name in names}})


def _image(path: Path, settings: Optical | Sar) -> Image:
    """The file, with the mask inside it where the settings have one."""
    mask = None
    if (told := settings.mask) is not None:
        if told.pattern is not None:
            raise SceneError(
                f"params.yaml looks for masks in files of their own ({told.pattern}), and a new scene has "
                "none; set that mask to null, or put the bad pixels to no data"
            )
        mask = Mask(path, told.band, tuple(told.bad), told.above)
    return Image(path, tuple(settings.bands.values()), settings.nodata, mask)
