"""Polygons tile the pixels they come from, and a GeoPackage gives back what was put in."""

from pathlib import Path

import numpy as np
import pyogrio
import pyproj
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.features import rasterize

from dllr.maps.polygons import areas, patches, write_geopackage

UTM = CRS.from_epsg(32650)
PLACE = Affine(5, 0, 500_000, 0, -5, 3_300_000)


def classes(height: int, width: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).integers(0, 3, (height, width)).astype(np.uint8)
    found[np.random.default_rng(seed + 1).random((height, width)) < 0.2] = 255
    return found


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 1000))
def test_areas_add_up_and_polygons_rasterise_to_the_map(height: int, width: int, seed: int) -> None:
    values = classes(height, width, seed)
    known = values != 255
    polygons, label = patches(values, known, PLACE)
    assert len(polygons) == len(label)
    size = areas(polygons, UTM)
    for index in range(3):
        assert size[label == index].sum() == pytest.approx(25 * (values == index).sum())
    assert shapely.is_valid(polygons).all()
    if len(polygons):
        pairs = zip(polygons, label.tolist(), strict=True)
        again = rasterize(pairs, (height, width), fill=255, transform=PLACE, dtype="uint8")
        assert np.array_equal(again, values)


def test_a_patch_is_whole_however_far_it_reaches() -> None:
    values = np.zeros((700, 900), np.uint8)
    values[300] = 1
    polygons, label = patches(values, values < 9, PLACE)
    assert label.tolist().count(1) == 1 and len(polygons) == 3


def test_square_feet_are_no_square_metres() -> None:
    polygons, _ = patches(np.zeros((2, 2), np.uint8), np.ones((2, 2), bool), Affine.scale(10, -10))
    feet = CRS.from_epsg(2263)  # New York, US survey feet
    assert areas(polygons, feet)[0] == pytest.approx(400 * 0.3048006096**2)


def test_degrees_are_measured_on_the_ellipsoid() -> None:
    place = Affine(0.001, 0, 13, 0, -0.001, 52)
    polygons, _ = patches(np.zeros((40, 60), np.uint8), np.ones((40, 60), bool), place)
    # Along a parallel, which is no geodesic: hence many points on the outline.
    fine = shapely.segmentize(polygons[0], 0.001)
    expected, _ = pyproj.Geod(ellps="WGS84").geometry_area_perimeter(fine)
    assert areas(polygons, CRS.from_epsg(4326))[0] == pytest.approx(abs(expected), rel=1e-6)


@pytest.mark.parametrize("height", [0, 20])
def test_a_geopackage_holds_the_polygons_their_attributes_and_a_style(
    height: int, tmp_path: Path
) -> None:
    values = classes(20, 20)
    polygons, label = patches(values, (values != 255) & (np.arange(20) < height)[:, None], PLACE)
    columns = {"class": np.array(["a", "b", "ü"], object)[label], "area_m2": areas(polygons, UTM)}
    for name in ("one.gpkg", "other.gpkg"):
        write_geopackage(tmp_path / name, "classes", UTM, polygons, columns, "<qgis/>")
    assert (tmp_path / "one.gpkg").read_bytes() == (tmp_path / "other.gpkg").read_bytes()
    meta, _, geometry, (names, size) = pyogrio.raw.read(tmp_path / "one.gpkg", layer="classes")
    assert CRS.from_user_input(meta["crs"]) == UTM
    # QGIS takes the newest style of those that it finds by these columns.
    style, ids, _, _ = pyogrio.raw.read(
        tmp_path / "one.gpkg", layer="layer_styles", return_fids=True
    )
    wanted = {"f_table_name", "f_geometry_column", "useAsDefault", "update_time", "styleQML"}
    assert wanted <= set(style["fields"]) and len(ids) == 1
    assert names.tolist() == columns["class"].tolist()
    assert np.array_equal(size, columns["area_m2"])
    assert all(
        shapely.from_wkb(found).equals(made) for found, made in zip(geometry, polygons, strict=True)
    )
    meta, _, _, fields = pyogrio.raw.read(tmp_path / "one.gpkg", layer="layer_styles")
    row = dict(zip(meta["fields"], (values[0] for values in fields), strict=True))
    assert (row["f_table_name"], row["styleQML"]) == ("classes", "<qgis/>")
