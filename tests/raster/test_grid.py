"""Where a grid lies among the pixels of its CRS."""

from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from dllr.raster.grid import Grid

far = st.integers(-(10**6), 10**6)
phases = st.sampled_from([0.0, 0.25, 0.5, 0.9])


@given(far, far, st.sampled_from([1e-4, 0.3, 5.0, 10.0]), phases, st.sampled_from([0, 0, 30]))
def test_a_crop_begins_as_many_pixels_later_as_were_cut(
    row: int, column: int, pixel: float, phase: float, turn: float
) -> None:
    lattice = Affine.rotation(turn) @ Affine.scale(pixel, -pixel) @ Affine.translation(phase, phase)
    grid = Grid(CRS.from_epsg(32650), lattice @ Affine.translation(column, row), 10, 10)
    assert grid.origin() == (row, column)


def test_a_grid_without_a_place_begins_at_zero() -> None:
    assert Grid(CRS(), Affine.identity(), 10, 10).origin() == (0, 0)
