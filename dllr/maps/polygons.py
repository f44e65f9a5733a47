"""Patches of a raster as polygons, and GeoPackages of them."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import shapes
from rasterio.warp import transform

from dllr.files import atomic_file

EQUAL_AREA = CRS.from_epsg(6933)  # cylindrical: lines of latitude and longitude stay straight
# A GeoPackage notes when it was written; the same map would otherwise never give the same bytes.
DATE = "1970-01-01T00:00:00Z"
STYLES = "layer_styles"  # the table that QGIS looks for
Polygons = NDArray[np.object_]
logging.getLogger("pyogrio").setLevel(logging.WARNING)  # else it counts its records in every log


def patches(
    values: NDArray[np.uint8], known: NDArray[np.bool_], place: Affine
) -> tuple[Polygons, NDArray[np.uint8]]:
    """Polygons of the patches of one value, connected through pixel edges, and their values (N).

    values, known (H, W); where `known` is false there is no patch. place: (column, row) → (x, y).
    """
    polygons, found = [], []
    for outline, value in shapes(values, mask=known, connectivity=4, transform=place):
        polygons.append(shapely.geometry.shape(outline))  # at once: outlines as lists are large
        found.append(value)
    return np.array(polygons, object), np.array(found, np.uint8)


def areas(polygons: Polygons, crs: CRS) -> NDArray[np.float64]:
    """m², in the plane of the CRS; of longitudes and latitudes, on the ellipsoid."""
    if not crs.is_geographic:
        plane: NDArray[np.float64] = shapely.area(polygons) * crs.linear_units_factor[1] ** 2
        return plane

    def flat(places: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transform(crs, EQUAL_AREA, *places.T))

    ground: NDArray[np.float64] = shapely.area(shapely.transform(polygons, flat))
    return ground


def write_geopackage(
    path: Path,
    layer: str,
    crs: CRS,
    polygons: Polygons,
    columns: Mapping[str, Sequence[Any] | NDArray[Any]],
    style: str | None = None,
    kind: str = "Polygon",
) -> None:
    """One layer of polygons and their attributes; style: a QGIS style that the layer opens with; kind: of
    geometry, `MultiPolygon` where one may have several pieces."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": DATE})
    with atomic_file(path) as temporary:
        pyogrio.raw.write(
            temporary,
            np.asarray(shapely.to_wkb(polygons), object),
            [np.asarray(values) for values in columns.values()],
            list(columns),
            driver="GPKG",
            layer=layer,
            crs=crs.to_wkt(),
            geometry_type=kind,
        )
        if style is not None:
            row = {
                "f_table_catalog": "", "f_table_schema": "", "f_table_name": layer,
                "f_geometry_column": "geom", "styleName": layer, "styleQML": style, "styleSLD": "",
                "useAsDefault": True, "description": "", "owner": "",
                "update_time": np.datetime64(DATE.removesuffix("Z"), "ms"),
            }  # fmt: skip
            pyogrio.raw.write(
                temporary, None, [np.array([value]) for value in row.values()], list(row),
                driver="GPKG", layer=STYLES, geometry_type=None, append=True,
                layer_options={"FID": "id"},
            )  # fmt: skip
