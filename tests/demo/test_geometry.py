import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.warp import transform

from dllr.demo.geometry import (
    Misregistration,
    draw_edge,
    draw_misregistration,
    frame_around,
    positions,
    whole,
)
from dllr.demo.window import Window
from dllr.raster.grid import Grid

CENTRE = (213_000.0, 3_324_000.0)
UTM = CRS.from_epsg(32650)
OPTICAL = Grid(UTM, Affine(5, 0, 212_000, 0, -5, 3_325_000), 400, 300)
metres = st.floats(-1000, 1000)


@given(
    metres, metres, st.floats(-30, 30), st.floats(-30, 30), st.floats(-1, 1), st.floats(0.99, 1.01)
)
def test_there_and_back_again(x, y, east, north, rotation, scale) -> None:
    there = Misregistration(CENTRE, (east, north), rotation, scale).true_to_georeferenced()
    place = (CENTRE[0] + x, CENTRE[1] + y)
    assert ~there @ (there @ place) == pytest.approx(place, abs=1e-5)


def test_misregistration_turns_stretches_and_shifts_about_the_centre() -> None:
    turned = Misregistration(CENTRE, (3.0, -2.0), 90.0, 2.0).true_to_georeferenced()
    assert turned @ CENTRE == pytest.approx((CENTRE[0] + 3, CENTRE[1] - 2))
    # A quarter turn counter-clockwise takes east to north.
    east_of_it = (CENTRE[0] + 10, CENTRE[1])
    assert turned @ east_of_it == pytest.approx((CENTRE[0] + 3, CENTRE[1] + 18))


def test_draws_stay_within_the_limits() -> None:
    rng = np.random.default_rng(0)
    draws = [draw_misregistration(rng, CENTRE, 30.0, 0.5, 0.005) for _ in range(300)]
    assert 20 < max(np.hypot(*d.shift) for d in draws) <= 30
    assert 0.4 < max(abs(d.rotation) for d in draws) <= 0.5
    assert 0.004 < max(abs(d.scale - 1) for d in draws) <= 0.005


@pytest.mark.parametrize("epsg", [32650, 32651, 4326, 3857])
def test_positions_on_another_grid_are_those_of_an_exact_transform(epsg: int) -> None:
    there = frame_around(OPTICAL, CRS.from_epsg(epsg), 6.0, 8, (0.3, 0.7))
    window = Window(-20, 37, 150, 90)
    at = positions(there, window, OPTICAL)
    for i, j in ((0, 0), (149, 89), (77, 13)):
        x, y = there.transform @ (37 + j + 0.5, -20 + i + 0.5)
        (x,), (y,) = transform(there.crs, UTM, [x], [y])[:2]
        column, row = ~OPTICAL.transform @ (x, y)
        assert (at.y[i, j], at.x[i, j]) == pytest.approx((row - 0.5, column - 0.5), abs=1e-3)


def test_positions_take_a_move_on_the_way() -> None:
    plain = positions(OPTICAL, Window(0, 0, 20, 20), OPTICAL)
    assert plain.y[:, 0] == pytest.approx(np.arange(20), abs=1e-6)
    moved = positions(OPTICAL, Window(0, 0, 20, 20), OPTICAL, Affine.translation(10, -15))
    assert moved.x - plain.x == pytest.approx(2)
    assert moved.y - plain.y == pytest.approx(3)


@pytest.mark.parametrize("epsg", [32650, 32651, 4326])
def test_a_frame_holds_the_other_grid_with_pixels_of_the_size_asked_for(epsg: int) -> None:
    frame = frame_around(OPTICAL, CRS.from_epsg(epsg), 6.0, 8, (0.3, 0.7))
    at = positions(OPTICAL, whole(OPTICAL), frame)
    assert at.y.min() > 7 and at.x.min() > 7
    assert at.y.max() < frame.height - 7 and at.x.max() < frame.width - 7
    # 5 m pixels, seen on a grid of 6 m
    assert np.diff(at.x, axis=1).mean() == pytest.approx(5 / 6, rel=0.01)
    assert np.diff(at.y, axis=0).mean() == pytest.approx(5 / 6, rel=0.01)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6])
def test_an_edge_cuts_off_its_share(share: float) -> None:
    edge = draw_edge(np.random.default_rng(0), OPTICAL, share)
    at = positions(OPTICAL, whole(OPTICAL), OPTICAL)
    assert edge.beyond(at).mean() == pytest.approx(share, abs=0.01)
