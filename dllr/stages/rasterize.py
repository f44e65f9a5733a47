"""Polygons that people drew become a label file on the grid of an image: `dllr rasterize --help`."""

from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize as burn
from rasterio.windows import Window

from dllr.errors import SceneError
from dllr.params.scenes import Label
from dllr.raster.grid import Grid, raster_writer, rgb
from dllr.raster.strips import opened, read_window
from dllr.stages.drawings import Drawn, drawn_in


@dataclass
class Tally:
    """What was written: pixels by code, those of several codes, those whose code was another one before,
    and those with a code outside the polygons."""

    pixels: Counter[int] = field(default_factory=Counter)
    contested: int = 0
    changed: int = 0
    outside: int = 0


def rasterize(
    source: Path, target: Path, image: Path | None, column: str, layer: str | None, label: Label
) -> str:
    """Write the codes of polygons into a label file; returns what was done, a line a code.

    A pixel has the code of the polygons that hold its centre; where they have several it stays as it was.
    source: any vector file that GDAL reads, in any CRS; column: codes or names of classes, empty = leave
    out. target: a GeoTIFF; where it exists its values stay outside the polygons, and its grid is taken;
    where it does not, the grid of `image` is, and all else has the first of the codes to ignore.

    Raises:
        SceneError: a file, its layer or its column is not what it must be; a code that the settings do not
            know; no polygon has a code or holds a pixel.
    """
    target = target.resolve()  # a link stays one
    _refuse(source, target, image)
    with ExitStack() as stack:
        before = stack.enter_context(opened(target)) if target.exists() else None
        grid, profile = _ground(before, target, image, label)
        drawn = drawn_in(source, layer, column, grid.crs, label)
        held = np.iinfo(profile["dtype"])
        if not held.min <= drawn.codes.min() <= drawn.codes.max() <= held.max:
            raise SceneError(
                f"{source} has codes from {drawn.codes.min()} to {drawn.codes.max()}, and {target} is of "
                f"type {profile['dtype']}; convert it, for example with `gdal_translate -ot Int32`"
            )
        known = {*label.codes, *label.ignore}
        tree, tally = shapely.STRtree(drawn.polygons), Tally()
        with raster_writer(target, grid, bands=1, **profile) as file:
            for window in grid.strips():
                values = _stood(before, target, window, known, label.ignore, profile["dtype"])
                _burn(values, drawn, tree, grid, window, tally, label.ignore)
                file.write(values, 1, window=window)
            if not tally.pixels and not tally.contested:
                raise SceneError(
                    f"no polygon of {source} holds the centre of a pixel of {image or target}; expected "
                    "polygons on the same ground: look at both in QGIS, and check the CRS of the layer"
                )
    for companion in (".ovr", ".msk"):  # of the values before
        target.with_name(target.name + companion).unlink(missing_ok=True)
    return _told(target, drawn, tally)


def _refuse(source: Path, target: Path, image: Path | None) -> None:
    if target.suffix.lower() not in {".tif", ".tiff"}:
        raise SceneError(f"{target} is no name of a GeoTIFF; write to a file that ends in .tif")
    if image is not None and target.exists() and target.samefile(image):
        raise SceneError(f"{target} is the image itself; name the label file to write")
    for path in (source, *([image] if image else [])):
        if not path.exists():
            raise SceneError(f"{path} does not exist")
    if target.is_dir():
        raise SceneError(f"{target} is a folder; name a file in it")
    if image is None and not target.exists():
        raise SceneError(
            f"{target} does not exist; for a new label file name the image on whose grid it shall lie: "
            "--image optical.tif"
        )


def _ground(
    before: Any, target: Path, image: Path | None, label: Label
) -> tuple[Grid, dict[str, Any]]:
    """The grid to write on, and how."""
    grid = None
    if image is not None:
        with opened(image) as file:
            grid = _placed(file, image)
    if before is None:
        assert grid is not None
        if not label.ignore:
            raise SceneError(
                "scenes.label.ignore names no code, so that a new label file could not say what nobody "
                "drew; add one to it that is no class, such as 255"
            )
        largest = max(*label.codes, *label.ignore)
        small = largest <= np.iinfo(np.uint8).max
        ends = rgb(label.colours)
        colours = {code: ends[index] for code, index in label.codes.items()} if small else None
        kind = "uint8" if small else "uint16" if largest <= np.iinfo(np.uint16).max else "int32"
        return grid, {"dtype": kind, "nodata": label.ignore[0], "colours": colours}
    kind = before.dtypes[0]
    if before.driver != "GTiff" or before.count != 1 or np.dtype(kind).kind not in "ui":
        raise SceneError(
            f"{target} is a {before.driver} with {before.count} bands of type {kind}; expected a label "
            "file: a GeoTIFF with one band of whole numbers. `gdal_translate -b 1 -ot Byte` makes one"
        )
    own = _placed(before, target)
    if grid is not None and not own.agrees(grid):
        raise SceneError(
            f"{target} exists and does not lie on the grid of {image}; leave out --image to keep its own "
            "grid, or name another file to write"
        )
    try:
        colours = before.colormap(1)
    except ValueError:  # it has none
        colours = None
    return own, {"dtype": kind, "nodata": before.nodata, "colours": colours}


def _placed(file: Any, path: Path) -> Grid:
    if file.crs is None:
        raise SceneError(
            f"{path} has no CRS, so nobody knows where polygons lie on it; see `dllr place`"
        )
    return Grid.of(file)


def _stood(
    before: Any, target: Path, window: Window, known: Collection[int], ignore: list[int], kind: str
) -> NDArray[Any]:
    """Values (rows, columns) of a window before the polygons."""
    if before is None:
        return np.full((window.height, window.width), ignore[0], kind)
    values: NDArray[Any] = read_window(before, [1], None, window)[0][0]
    if strange := sorted({int(v) for v in np.unique(values)} - set(known)):
        raise SceneError(
            f"{target} holds {', '.join(map(str, strange[:5]))}, codes that neither scenes.label.classes "
            "nor scenes.label.ignore has; is it an image? Name a label file, or the codes in params.yaml"
        )
    return values


def _burn(
    values: NDArray[Any], drawn: Drawn, tree: shapely.STRtree, grid: Grid, window: Window,
    tally: Tally, ignore: list[int],
) -> None:  # fmt: skip
    """Write the codes into the values of a window, and count."""
    place = grid.transform @ Affine.translation(0, window.row_off)
    corners = [
        place @ c for c in ((0, 0), (window.width, 0), (window.width, window.height), (0, window.height))
    ]  # fmt: skip
    here = np.sort(tree.query(shapely.Polygon(corners)))
    claims, written = np.zeros(values.shape, np.uint8), values.copy()  # of codes; 2 = or more
    for code in np.unique(drawn.codes[here]):
        chosen = drawn.polygons[here][drawn.codes[here] == code]
        inside = burn(chosen, values.shape, transform=place, dtype="uint8") == 1
        claims += inside & (claims < 2)
        written[inside] = code
    single, had = claims == 1, ~np.isin(values, ignore)
    tally.pixels.update(dict(zip(*_counted(written[single]), strict=True)))
    tally.contested += int((claims == 2).sum())
    tally.changed += int((single & had & (values != written)).sum())
    tally.outside += int((had & (claims == 0)).sum())
    values[single] = written[single]


def _counted(values: NDArray[Any]) -> tuple[list[int], list[int]]:
    codes, counts = np.unique(values, return_counts=True)
    return codes.tolist(), counts.tolist()


def _told(target: Path, drawn: Drawn, tally: Tally) -> str:
    lines = [str(target)] + [
        f"  code {code}: {count} polygons, {tally.pixels[int(code)]} px"
        for code, count in zip(*_counted(drawn.codes), strict=True)
    ]
    for count, words in (
        (tally.contested, "px lie in polygons of several codes and stay as they were"),
        (tally.changed, "px had another code before"),
        (tally.outside, "px outside these polygons have a code from before"),
        (drawn.without["code"], "polygons without a code are left out"),
        (drawn.without["shape"], "rows without a shape are left out"),
    ):
        lines += [f"  {count} {words}"] if count else []
    return "\n".join(lines)
