"""Polygons that people drew become a label file on the grid of an image: `dllr rasterize --help`."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import rasterize as burn
from rasterio.warp import transform

from dllr.errors import SceneError
from dllr.raster.grid import Grid, raster_writer
from dllr.raster.strips import opened

_AREAS = {"Polygon", "MultiPolygon"}


class Drawn(NamedTuple):
    """Polygons (N) of shapely, their codes (N) int64, and how many others had none."""

    polygons: NDArray[np.object_]
    codes: NDArray[np.int64]
    without: int


def rasterize(
    source: Path, target: Path, image: Path | None, column: str, layer: str | None
) -> str:
    """Write the codes of polygons into a label file; returns what was done, a line a code.

    A pixel has the code of the polygons that hold its centre; where they have several it stays as it was.
    source: any vector file that GDAL reads, in any CRS; column: whole numbers, empty = leave out.
    target: where it exists its values stay outside the polygons, and its grid is taken; where it does not,
    the grid of `image` is, and all else is 0.

    Raises:
        SceneError: a file, its layer or its column is not what it must be; a code that the file cannot
            hold; no polygon has a code or holds a pixel.
    """
    grid, label, profile = _before(target, image)
    drawn = _read(source, layer, column, grid.crs)
    lowest, highest = int(drawn.codes.min()), int(drawn.codes.max())
    if label is None:
        kind = np.dtype(np.uint8 if highest <= np.iinfo(np.uint8).max else np.uint16)
        label = np.zeros((grid.height, grid.width), kind)
    held = np.iinfo(label.dtype)
    if lowest < held.min or highest > held.max:
        raise SceneError(
            f"{source} has codes from {lowest} to {highest}, and {target} holds {held.min} to {held.max}; "
            "use other codes, or convert it to a wider type, for example with `gdal_translate -ot Int32`"
        )
    claims, written = np.zeros(label.shape, np.uint8), label.copy()  # claims: of codes, 2 = or more
    for code in np.unique(drawn.codes):
        inside = _inside(drawn.polygons[drawn.codes == code], grid)
        claims += inside & (claims < 2)
        written[inside] = code
    if not claims.any():
        raise SceneError(
            f"no polygon of {source} holds the centre of a pixel of {image or target}; expected polygons "
            "on the same ground: look at both in QGIS, and check the CRS of the layer"
        )
    written[claims == 2] = label[claims == 2]
    with raster_writer(target, grid, bands=1, dtype=label.dtype.name, **profile) as file:
        file.write(written, 1)
    return _told(target, drawn, written[claims == 1], int((claims == 2).sum()))


def _before(target: Path, image: Path | None) -> tuple[Grid, NDArray[Any] | None, dict[str, Any]]:
    """The grid to write on, what is there already, and what else to keep of it."""
    if not target.exists():
        if image is None:
            raise SceneError(
                f"{target} does not exist; for a new label file name the image on whose grid it "
                "shall lie: --image optical.tif"
            )
        with opened(image) as file:
            return _placed(file, image), None, {"nodata": 0}
    with opened(target) as file:
        grid, kind = _placed(file, target), file.dtypes[0]
        if file.count != 1 or np.dtype(kind).kind not in "ui":
            raise SceneError(
                f"{target} has {file.count} bands of type {kind}; expected a label file: one band of whole "
                "numbers"
            )
        try:
            colours = file.colormap(1)
        except ValueError:  # it has none
            colours = None
        label, nodata = file.read(1), file.nodata
    if image is not None:
        with opened(image) as file:
            if not grid.agrees(_placed(file, image)):
                raise SceneError(
                    f"{target} exists and does not lie on the grid of {image}; leave out --image to "
                    "keep its own grid, or name another file to write"
                )
    return grid, label, {"nodata": nodata, "colours": colours}


def _placed(file: Any, path: Path) -> Grid:
    if file.crs is None:
        raise SceneError(
            f"{path} has no CRS, so nobody knows where polygons lie on it; see `dllr place`"
        )
    return Grid.of(file)


def _read(source: Path, layer: str | None, column: str, crs: CRS) -> Drawn:
    """Polygons in `crs`."""
    try:
        layers = [name for name, kind in pyogrio.list_layers(source) if kind is not None]
    except pyogrio.errors.DataSourceError as error:
        raise SceneError(
            f"{source} cannot be opened as a vector file ({error}); replace it"
        ) from None
    if layer not in layers if layer is not None else len(layers) != 1:
        found = ", ".join(layers) or "none"
        raise SceneError(
            f"{source} has the layers {found}; name the one with the polygons: --layer NAME"
        )
    meta, _, shapes, fields = pyogrio.raw.read(source, layer=layer or layers[0], force_2d=True)
    values = dict(zip(meta["fields"], fields, strict=True))
    if column not in values:
        raise SceneError(
            f"{source} has the columns {', '.join(values) or 'none'}, and no {column}; add it, with the "
            "codes of scenes.label.classes as whole numbers, or name another: --column NAME"
        )
    codes = _whole(values[column], f"{source}, column {column}")
    if meta["crs"] is None:
        raise SceneError(f"{source} has no CRS; set the one it was drawn in, for example in QGIS")
    polygons = np.asarray(shapely.from_wkb(shapes), object)
    taken = ~np.isnan(codes) & ~shapely.is_missing(polygons) & ~shapely.is_empty(polygons)
    if not taken.any():
        raise SceneError(
            f"{source} has {len(codes)} polygons, none of them with a code in {column}"
        )
    polygons = polygons[taken]
    if others := {shape.geom_type for shape in polygons} - _AREAS:
        raise SceneError(f"{source} holds {', '.join(sorted(others))}; expected polygons alone")
    here = CRS.from_user_input(meta["crs"])

    def moved(places: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.column_stack(transform(here, crs, *places.T))
        if not np.isfinite(found).all():
            raise SceneError(
                f"{source} lies in part where {crs.to_string()[:60]}, the CRS of the grid, has no places; "
                "leave those polygons out, or check the CRS of the layer"
            )
        return found

    if here != crs:
        polygons = shapely.transform(polygons, moved)
    return Drawn(polygons, codes[taken].astype(np.int64), int((~taken).sum()))


def _whole(values: NDArray[Any], where: str) -> NDArray[np.float64]:
    """Whole numbers, not a number where there is none."""
    if values.dtype.kind not in "iuf":
        some = ", ".join(sorted({str(v) for v in values})[:3])
        raise SceneError(
            f"{where} holds {some or 'nothing'}; expected whole numbers, the codes of classes"
        )
    found = values.astype(np.float64)
    broken = found[~np.isnan(found) & (found != np.floor(found))]
    if broken.size:
        raise SceneError(
            f"{where} holds {broken[0]:g}; expected whole numbers, the codes of classes"
        )
    return found


def _inside(polygons: NDArray[np.object_], grid: Grid) -> NDArray[np.bool_]:
    """Pixels whose centre lies in one of the polygons, (H, W)."""
    size = grid.height, grid.width
    filled = burn(polygons, size, transform=grid.transform, dtype="uint8")
    return np.asarray(filled, bool)


def _told(target: Path, drawn: Drawn, written: NDArray[Any], contested: int) -> str:
    lines = [str(target)] + [
        f"  code {code}: {count} polygons, {np.count_nonzero(written == code)} px"
        for code, count in zip(*np.unique(drawn.codes, return_counts=True), strict=True)
    ]
    if contested:
        lines.append(f"  {contested} px lie in polygons of several codes and stay as they were")
    if drawn.without:
        lines.append(f"  {drawn.without} polygons without a code are left out")
    return "\n".join(lines)
