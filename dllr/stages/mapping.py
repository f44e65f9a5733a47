"""What is written of a scene's map, be it one of the chain's scenes or a new one."""

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.features import sieve
from rasterio.windows import Window

from dllr.execution import device, threads
from dllr.files import atomic_file, write_json
from dllr.maps import item
from dllr.maps.certainty import certainty, probabilities
from dllr.maps.polygons import areas, patches, write_geopackage
from dllr.maps.styles import category_names, polygon_style, raster_style
from dllr.maps.suggestions import Regions
from dllr.models.checkpoint import Trained
from dllr.models.predict import SYMMETRIES, logits, sections
from dllr.params.map import Map
from dllr.raster.arrays import SceneArrays
from dllr.raster.cog import to_cog
from dllr.raster.grid import IGNORE, Grid, raster_writer, read_indices, rgb
from dllr.raster.roles import Role

CLASS = "class.tif"
CONFIDENCE = "confidence.tif"
ENTROPY = "entropy.tif"
PROBABILITIES = "probabilities.tif"
POLYGONS = "polygons.gpkg"
SUGGESTIONS = "suggestions.gpkg"
ITEM = "item.json"
FIELD = "class"  # of both GeoPackages: the class name

OVERVIEWS = {CLASS: "mode", CONFIDENCE: "average", ENTROPY: "average", PROBABILITIES: "average"}
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_GPKG = "application/geopackage+sqlite3"
FILES = {
    item.CLASSES: item.File(CLASS, _COG, "land cover, class index", ["data"]),
    "confidence": item.File(CONFIDENCE, _COG, "largest class probability, %", ["metadata"]),
    "entropy": item.File(ENTROPY, _COG, "entropy of the class probabilities, %", ["metadata"]),
    "probabilities": item.File(PROBABILITIES, _COG, "probability of each class, %", ["metadata"]),
    "polygons": item.File(POLYGONS, _GPKG, "land cover, polygons", ["data"]),
    "suggestions": item.File(SUGGESTIONS, _GPKG, "regions to label next", ["metadata"]),
}


class Ground(NamedTuple):
    """Where labels may be suggested: superpixels (uint32 ids on the scene's grid, 0 = none), and what each
    pixel is used for already (None: for nothing)."""

    superpixels: Path
    roles: Path | None = None


def has_data(scene: SceneArrays) -> tuple[bool, bool]:
    """Whether any pixel of the optical image has data, and of the SAR image."""
    optical, sar = (
        any(valid[window.toslices()[0]].any() for window in scene.grid.strips())
        for valid in scene.valid
    )
    return optical, sar


def head_for(scene: SceneArrays) -> str:
    """The head that maps a scene: that of its only modality, where it has but one, else the fused one."""
    optical, sar = has_data(scene)
    return "fused" if optical == sar else "optical" if optical else "sar"


def write_map(
    scene: SceneArrays, trained: Trained, settings: Map, ground: Ground | None, target: Path
) -> None:
    """Fill the folder `target` with the scene's map; `write_item` adds the STAC item.

    ground: for suggestions, where they are asked for.
    Memory does not follow the scene's size, except for sieve and polygons, which see the class raster
    whole, and a little for suggestions, which see its rows.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        scratch = Path(name)
        _predict(scene, trained, settings, scratch)
        if settings.sieve:
            _sieve(scratch / CLASS, settings.sieve)
        written = sorted(scratch.glob("*.tif"))
        with ThreadPoolExecutor(threads()) as pool:
            list(
                pool.map(
                    lambda path: to_cog(path, target / path.name, OVERVIEWS[path.name]), written
                )
            )
    names, colours = trained.classes, trained.colours
    _write_text(target / f"{CLASS}.aux.xml", category_names(names))
    _write_text((target / CLASS).with_suffix(".qml"), raster_style(names, colours))
    if settings.polygons:
        style = polygon_style(FIELD, names, colours)
        _write_polygons(target, names, style)
        _write_text((target / POLYGONS).with_suffix(".qml"), style)
    if ground is not None:
        _write_suggestions(target, ground, names, settings.suggestions)


def write_item(
    folder: Path, name: str, trained: Trained, model: item.Model, taken: datetime | None = None
) -> None:
    """Describe a map's files in item.json beside them."""
    with rasterio.open(folder / CONFIDENCE) as source:
        grid, head = Grid.of(source), source.tags()["head"]
    files = {key: file for key, file in FILES.items() if (folder / file.name).exists()}
    write_json(folder / ITEM, item.item(name, grid, files, trained, model, taken, head))


def _predict(scene: SceneArrays, trained: Trained, settings: Map, folder: Path) -> None:
    head, where = head_for(scene), device()
    temperature = trained.temperatures[head]
    network = trained.teacher.to(where)
    names = {f"class_{i}": name for i, name in enumerate(trained.classes)}
    scale = {"unit": "%", "head": head, "temperature": repr(round(temperature, 6))}
    with ExitStack() as files:

        def writer(name: str, bands: int, tags: Mapping[str, str], **facts: Any) -> Any:
            opened = raster_writer(
                folder / name, scene.grid, bands=bands, dtype="uint8", nodata=IGNORE, tags=tags,
                compress="none", **facts,
            )  # fmt: skip
            return files.enter_context(opened)

        label = writer(CLASS, 1, names, colours=rgb(trained.colours))
        confidence, entropy = (writer(name, 1, scale) for name in (CONFIDENCE, ENTROPY))
        each = None
        if settings.probabilities:
            each = writer(PROBABILITIES, len(trained.classes), scale, descriptions=trained.classes)
        for columns in sections(scene.grid.width):
            bands = logits(
                trained,
                network,
                scene,
                settings.overlap,
                where,
                (head,),
                SYMMETRIES[settings.augmentation],
                # Windows lie where they lie in every scene of this grid: where scenes overlap, maps agree.
                scene.grid.origin(),
                columns,
            )
            for y, z in bands:
                rows = slice(y, y + z.shape[2])
                window = Window.from_slices(rows, (columns.start, columns.stop))
                valid = scene.valid[:, rows, columns.start : columns.stop]
                missing = np.asarray(~valid.any(axis=0))
                found = certainty(z[0], temperature, missing)
                label.write(found.label, 1, window=window)
                confidence.write(found.confidence, 1, window=window)
                entropy.write(found.entropy, 1, window=window)
                if each:
                    each.write(probabilities(z[0], temperature, missing), window=window)


def _sieve(path: Path, size: int) -> None:
    """Patches smaller than `size` px take the class of their largest neighbour; no data stays."""
    with rasterio.open(path, "r+") as target:
        values = target.read(1)
        target.write(sieve(values, size, mask=values != IGNORE, connectivity=4), 1)


def _write_polygons(folder: Path, names: list[str], style: str) -> None:
    with rasterio.open(folder / CLASS) as source:
        values, crs, place = source.read(1), source.crs, source.transform
    polygons, label = patches(values, values != IGNORE, place)
    columns = {FIELD: np.array(names, object)[label], "area_m2": areas(polygons, crs)}
    write_geopackage(folder / POLYGONS, "classes", crs, polygons, columns, style)


def _write_suggestions(folder: Path, ground: Ground, names: list[str], count: int) -> None:
    with (
        rasterio.open(ground.superpixels) as regions,
        rasterio.open(folder / CLASS) as label,
        rasterio.open(folder / ENTROPY) as entropy,
    ):
        grid = Grid.of(label)
        largest = max(int(regions.read(1, window=window).max()) for window in grid.strips())
        sums = Regions(largest, len(names))
        for window in grid.strips():
            ids, classes, unsure = (f.read(1, window=window) for f in (regions, label, entropy))
            share = unsure.astype(np.float32) / 100
            sums.add(window.row_off, ids, classes, share, _free(label, ground.roles, window))
        found = sums.best(count)
        outlines = []
        for suggestion in found:
            window = Window(0, suggestion.first, grid.width, suggestion.last - suggestion.first)
            inside = regions.read(1, window=window) == suggestion.region
            inside &= _free(label, ground.roles, window)
            place = grid.transform @ grid.transform.translation(0, suggestion.first)
            pieces, _ = patches(inside.astype(np.uint8), inside, place)
            outlines.append(shapely.multipolygons(pieces))
    polygons = np.array(outlines, object)
    columns = {
        "rank": np.arange(1, len(found) + 1),
        "score": np.array([s.score for s in found]),
        FIELD: np.array([names[s.label] for s in found], object),
        "entropy": np.array([100 * s.entropy for s in found]),
        "area_m2": areas(polygons, grid.crs),
    }
    write_geopackage(
        folder / SUGGESTIONS, "suggestions", grid.crs, polygons, columns, kind="MultiPolygon"
    )


def _free(label: Any, roles: Path | None, window: Window) -> NDArray[np.bool_]:
    """Which pixels of a window are mapped and used for nothing."""
    found: NDArray[np.bool_] = label.read(1, window=window) != IGNORE
    if roles:
        found &= read_indices(roles, window) == Role.UNLABELLED
    return found


def _write_text(path: Path, text: str) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
