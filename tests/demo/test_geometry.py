import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllr.demo.geometry import Affine, Grid, Misregistration, draw_misregistration

CENTRE = (213_000.0, 3_324_000.0)
metres = st.floats(-1000, 1000)


@given(
    metres, metres, st.floats(-30, 30), st.floats(-30, 30), st.floats(-1, 1), st.floats(0.99, 1.01)
)
def test_there_and_back_again(x, y, east, north, rotation, scale) -> None:
    there = Misregistration(CENTRE, (east, north), rotation, scale).true_to_georeferenced()
    place = (CENTRE[0] + x, CENTRE[1] + y)
    assert there.inverse()(*there(*place)) == pytest.approx(place, abs=1e-5)


def test_misregistration_turns_stretches_and_shifts_about_the_centre() -> None:
    turned = Misregistration(CENTRE, (3.0, -2.0), 90.0, 2.0).true_to_georeferenced()
    assert turned(*CENTRE) == pytest.approx((CENTRE[0] + 3, CENTRE[1] - 2))
    # A quarter turn counter-clockwise takes east to north.
    assert turned(CENTRE[0] + 10, CENTRE[1]) == pytest.approx((CENTRE[0] + 3, CENTRE[1] + 18))


def test_draws_stay_within_the_limits() -> None:
    rng = np.random.default_rng(0)
    draws = [draw_misregistration(rng, CENTRE, 30.0, 0.5, 0.005) for _ in range(300)]
    assert 20 < max(np.hypot(*d.shift) for d in draws) <= 30
    assert 0.4 < max(abs(d.rotation) for d in draws) <= 0.5
    assert 0.004 < max(abs(d.scale - 1) for d in draws) <= 0.005


def test_a_grid_counts_rows_southwards_from_its_corner() -> None:
    grid = Grid(100.0, 200.0, 10.0, (4, 5))
    assert grid.centres()(0, 0) == (105, 195)
    assert grid.centres()(4, 3) == (145, 165)
    assert Affine.of(*grid.corners())(0, 0) == (100, 200)
