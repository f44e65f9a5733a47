from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rasterio.warp import transform

from dllr.report import footprints, rasters
from dllr.report.footprints import Frame


def square(west: float, north: float, side: float) -> np.ndarray:
    east, south = west + side, north - side
    return np.array([[west, north], [east, north], [east, south], [west, south]])


@st.composite
def scenes(draw: st.DrawFn) -> np.ndarray:
    """Corners (N, 4, 2) anywhere on the globe, longitudes within ±180 whatever lies between."""
    places = st.tuples(
        st.floats(-180, 180), st.floats(-70, 80), st.floats(0.001, 5, allow_subnormal=False)
    )
    found = np.stack([square(*place) for place in draw(st.lists(places, min_size=1, max_size=8))])
    found[..., 0] = (found[..., 0] + 180) % 360 - 180
    return found


@given(scenes())
def test_longitudes_move_by_whole_turns_and_tear_nothing(corners: np.ndarray) -> None:
    found = footprints.unwrapped(corners)
    turns = (found[..., 0] - corners[..., 0]) / 360
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-9)
    np.testing.assert_array_equal(found[..., 1], corners[..., 1])
    assert np.ptp(found[..., 0], axis=1).max() < 5.001
    assert np.ptp(found[..., 0].mean(axis=1)) <= 360


@given(scenes(), st.floats(-360, 360))
def test_a_turned_globe_makes_the_same_map(corners: np.ndarray, angle: float) -> None:
    turned = corners.copy()
    turned[..., 0] = (corners[..., 0] + angle + 180) % 360 - 180
    widths = [np.ptp(footprints.unwrapped(c)[..., 0].mean(axis=1)) for c in (corners, turned)]
    assert widths[0] == pytest.approx(widths[1], abs=1e-6)


def test_scenes_on_both_sides_of_the_date_line_are_neighbours() -> None:
    fiji = np.stack([square(179.5, -17, 0.4), square(-179.9, -17, 0.4)])
    assert np.ptp(footprints.unwrapped(fiji)[..., 0]) == pytest.approx(1.0)


@given(
    arrays.arrays(np.float64, (5, 4, 2), elements=st.floats(-100, 100).map(lambda v: round(v, 3))),
    st.floats(0.01, 50),
)
def test_no_shape_is_below_the_least(shapes: np.ndarray, least: float) -> None:
    sides = np.ptp(shapes, axis=1)
    found = footprints.grown(shapes, least)
    np.testing.assert_allclose(found.mean(axis=1), shapes.mean(axis=1), atol=1e-9)
    large = sides.max(axis=1) >= least
    np.testing.assert_array_equal(found[large], shapes[large])
    small = ~large & (sides.max(axis=1) > 0)
    factors = least / sides[small].max(axis=1, keepdims=True)
    np.testing.assert_allclose(np.ptp(found[small], axis=1), sides[small] * factors, atol=1e-6)


@given(scenes())
def test_the_map_holds_every_scene(corners: np.ndarray) -> None:
    turned = footprints.unwrapped(corners)
    frame = Frame.around(turned)
    placed = frame.place(turned)
    assert placed.min() >= 0
    assert placed[..., 0].max() <= footprints.WIDE
    assert placed[..., 1].max() <= frame.height <= footprints.WIDE


def raster(path: Path, crs: str, grid: Affine, height: int = 30, width: int = 30) -> Path:
    profile = {"count": 1, "dtype": "uint8", "height": height, "width": width}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=grid, **profile):
        return path


@pytest.mark.parametrize("north", [50_000, 3_400_000, 7_000_000])
def test_a_square_of_metres_is_a_square_on_the_map(north: float, tmp_path: Path) -> None:
    grid = Affine(100, 0, 500_000, 0, -100, north)
    corners = rasters.footprints([raster(tmp_path / "a.tif", "EPSG:32650", grid)])
    width, height = np.ptp(Frame.around(corners).place(corners)[0], axis=0)
    assert width == pytest.approx(height, rel=0.01)


def test_corners_of_a_rotated_grid_go_around_it(tmp_path: Path) -> None:
    grid = Affine.translation(500_000, 3_400_000) @ Affine.rotation(30) @ Affine.scale(100, -100)
    (found,) = rasters.footprints([raster(tmp_path / "a.tif", "EPSG:32650", grid, height=10)])
    xs, ys = transform("EPSG:4326", "EPSG:32650", *found.T)
    sides = np.diff([*zip(xs, ys, strict=True), (xs[0], ys[0])], axis=0)
    np.testing.assert_allclose(np.hypot(*sides.T), [3000, 1000, 3000, 1000], rtol=1e-3)


def test_longitude_comes_before_latitude(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", "EPSG:4326", Affine(0.1, 0, 20, 0, -0.1, 60))
    np.testing.assert_allclose(rasters.footprints([path]), [square(20, 60, 3)], atol=1e-9)


def test_crowds_are_what_a_mark_makes_meet() -> None:
    two = [square(x, y, 0.01) for y in (0, 4) for x in (0, 0.02, 0.04)]
    two.pop()
    alone = square(4, 1, 0.01)
    found = footprints.crowds(np.stack([*two, alone]), mark=0.1, widest=1)
    assert [group.tolist() for group in found] == [[0, 1, 2], [3, 4]]


def test_scenes_that_can_be_seen_are_no_crowd() -> None:
    tiled = np.stack([square(0.5 * x, 0, 0.5) for x in range(4)])
    assert footprints.crowds(tiled, mark=0.1, widest=10) == []


def test_a_crowd_as_wide_as_the_map_has_no_close_up() -> None:
    many = np.stack([square(0.05 * x, 0, 0.01) for x in range(80)])
    assert footprints.crowds(many, mark=0.1, widest=1) == []
    assert len(footprints.crowds(many, mark=0.1, widest=5)) == 1
