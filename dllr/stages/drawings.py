"""Polygons that people drew, with their codes, from any vector file."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyogrio
import pyogrio.errors
import shapely
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform

from dllr.errors import SceneError
from dllr.params.scenes import Label

EDGES = 64  # pieces that a polygon's longest way is cut into: straight lines bend in another CRS
_AREAS = {"Polygon", "MultiPolygon"}
_BROKEN = (
    pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError,
    pyogrio.errors.GeometryError, pyogrio.errors.CRSError, shapely.errors.GEOSException,
    UnicodeError,
)  # fmt: skip


class Drawn(NamedTuple):
    """Polygons (N) of shapely and their codes (N) int64; how many others had no code, or no shape."""

    polygons: NDArray[np.object_]
    codes: NDArray[np.int64]
    without: Counter[str]


def drawn_in(source: Path, layer: str | None, column: str, crs: CRS, label: Label) -> Drawn:
    """The polygons of a vector file in `crs`, and their codes by the words or numbers of a column.

    Raises:
        SceneError: the file cannot be read, or its layer, column, CRS or shapes are not what they must be.
    """
    try:
        layers = [name for name, kind in pyogrio.list_layers(source) if kind is not None]
        if layer not in layers if layer is not None else len(layers) != 1:
            raise SceneError(
                f"{source} has the layers with shapes {', '.join(layers) or '(none)'}; name the one with "
                "the polygons: --layer NAME"
            )
        names = pyogrio.read_info(source, layer=layer or layers[0])["fields"]
        if column not in names:
            raise SceneError(
                f"{source} has the columns {', '.join(names) or '(none)'}, and no {column}; add it, with "
                "codes or names of scenes.label.classes, or name another: --column NAME"
            )
        meta, _, shapes, fields = pyogrio.raw.read(
            source, layer=layer or layers[0], columns=[column], force_2d=True
        )
        polygons = np.asarray(shapely.from_wkb(shapes), object)
    except _BROKEN as error:
        raise SceneError(
            f"{source} cannot be read as a file of polygons ({error}); repair or replace it, for example "
            "by exporting it from QGIS as a GeoPackage"
        ) from None
    codes = _codes(fields[0], f"{source}, column {column}", label)
    coded, shaped = ~np.isnan(codes), ~(shapely.is_missing(polygons) | shapely.is_empty(polygons))
    taken = coded & shaped
    without = Counter({"code": int((~coded).sum()), "shape": int((coded & ~shaped).sum())})
    if not taken.any():
        raise SceneError(
            f"{source} has {len(codes)} rows, {without['code']} without a code in {column} and "
            f"{without['shape']} without a shape; expected polygons with codes"
        )
    polygons = polygons[taken]
    if others := {shape.geom_type for shape in polygons} - _AREAS:
        raise SceneError(f"{source} holds {', '.join(sorted(others))}; expected polygons alone")
    return Drawn(_moved(polygons, source, meta["crs"], crs), codes[taken].astype(np.int64), without)


def _moved(
    polygons: NDArray[np.object_], source: Path, given: str | None, crs: CRS
) -> NDArray[np.object_]:
    """From the CRS of a file into another one."""
    try:
        here = CRS.from_user_input(given) if given else None
    except CRSError:
        here = None
    if here is None or not (here.is_geographic or here.is_projected):
        raise SceneError(
            f"{source} has no CRS ({given}); set the one it was drawn in, for example in QGIS"
        )
    if here == crs:
        return polygons

    def moved(places: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transform(here, crs, *places.T))

    left, bottom, right, top = shapely.bounds(polygons).T
    pieces = np.hypot(right - left, top - bottom) / EDGES
    try:
        found: NDArray[np.object_] = shapely.transform(shapely.segmentize(polygons, pieces), moved)
        ends = shapely.bounds(found)
    except (RasterioError, CPLE_BaseError):
        ends = np.array([[np.nan]])
    if not np.isfinite(ends).all():
        raise SceneError(
            f"{source} reaches from {left.min():g}, {bottom.min():g} to {right.max():g}, {top.max():g} in "
            f"{here.to_string()[:40]}, and {crs.to_string()[:40]}, the CRS of the grid, has no place for "
            "all of it; check the layer's CRS (a GeoJSON is in longitude and latitude), and leave out what "
            "lies elsewhere"
        )
    if crs.is_geographic and (ends[:, 2] - ends[:, 0] > 180).any():
        raise SceneError(
            f"{source} has polygons on both sides of the 180th meridian; cut them there"
        )
    return found


def _codes(values: NDArray[Any], where: str, label: Label) -> NDArray[np.float64]:
    """Codes that the settings know, not a number where there is none."""
    first = {name: land.codes[0] for name, land in label.classes.items()}
    told = ", ".join(f"{code} {name}" for name, code in first.items())
    expected = f"expected codes or names of scenes.label.classes ({told})"
    if values.dtype.kind in "iuf":
        found = values.astype(np.float64)
    else:
        texts = ["" if v is None or v != v else str(v).strip() for v in values.tolist()]
        strange = [t for t in texts if t and t not in first and not t.lstrip("-").isdigit()]
        if strange:
            raise SceneError(f"{where} holds {strange[0]!r}; {expected}")
        found = np.array([float(first.get(t, t) if t else "nan") for t in texts], np.float64)
    known = np.array([*label.codes, *label.ignore], np.float64)
    if (odd := found[~np.isnan(found) & ~np.isin(found, known)]).size:
        raise SceneError(f"{where} holds {odd[0]:.17g}; {expected}, or of scenes.label.ignore")
    return found
