import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllr.demo.noise import cells, field, hashed, interpolated, normal, pixels, regions, uniform
from dllr.demo.window import Window


def correlation(values: np.ndarray, lag: int) -> float:
    return float(np.corrcoef(values[:, lag:].ravel(), values[:, :-lag].ravel())[0, 1])


def test_a_field_is_standardised_and_its_structures_grow_with_the_wavelength() -> None:
    many = [field(seed, Window(0, 0, 300, 250), 60) for seed in range(40)]
    assert np.mean(many) == pytest.approx(0, abs=0.1)
    assert np.std(many) == pytest.approx(1, abs=0.1)
    fine, coarse = (field(0, Window(0, 0, 300, 250), wavelength) for wavelength in (10, 60))
    assert fine.shape == (300, 250) and fine.dtype == np.float32
    assert correlation(fine, 1) > 0.5
    assert abs(correlation(fine, 20)) < 0.25 < correlation(coarse, 20)


def test_a_rougher_field_has_more_detail() -> None:
    smooth, rough = (field(0, Window(0, 0, 300, 300), 60, r) for r in (3.0, 1.6))
    assert np.diff(rough).std() > 2 * np.diff(smooth).std()


places = st.integers(-3000, 3000)


@given(places, places, st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 4]))
def test_a_value_follows_from_the_place_and_not_from_the_window(y, x, height, width, step) -> None:
    part = Window(y, x, height, width, step)
    around = part.grown(5)
    for made in (
        lambda w: field(3, w, 17.3, 2.1),
        lambda w: regions(3, w, 64),
        lambda w: pixels(3, w),
    ):
        assert (made(part) == part.cut(made(around), 5)).all()


def test_interpolation_keeps_the_nodes_and_straight_lines() -> None:
    grid = Window(-12, -16, 30, 40, 4)
    values = field(1, grid, 30)
    inside = Window(-4, -8, 20, 25, 4)
    assert interpolated(values, grid, inside) == pytest.approx(values[2:22, 2:27], abs=1e-6)
    plane = (2.0 * grid.rows()[:, None] - 3.0 * grid.columns()[None]).astype(np.float32)
    fine = Window(-3, 5, 40, 50)
    expected = 2.0 * fine.rows()[:, None] - 3.0 * fine.columns()[None]
    assert interpolated(plane, grid, fine) == pytest.approx(expected, abs=1e-3)


def test_uniform_and_normal_numbers_of_neighbouring_ids_are_independent() -> None:
    ids = hashed(np.arange(20_000))
    assert len(np.unique(ids)) == len(ids)
    u, other, n = uniform(ids, 1), uniform(ids, 2), normal(ids, 3)
    assert u.mean() == pytest.approx(0.5, abs=0.01)
    assert u.var() == pytest.approx(1 / 12, abs=0.003)
    assert (n.mean(), n.std()) == pytest.approx((0, 1), abs=0.03)
    for a, b in ((u[1:], u[:-1]), (u, other), (u, n)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.03


def test_cells_are_rectangles_of_about_the_size_asked_for() -> None:
    v, u = np.mgrid[:200, :300].astype(np.float32)
    found = cells(u, v, 10.0, 20.0, hashed(np.zeros((200, 300), dtype=int)))
    areas = np.unique(found.ids, return_counts=True)[1]
    assert np.median(areas) == pytest.approx(200, rel=0.3)
    assert found.edge.min() >= 0
    assert 3 < found.edge.max() <= 5
    one = found.ids == found.ids[105, 150]
    rows, columns = np.nonzero(one)
    assert one.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_regions_have_about_the_size_asked_for_and_hold_together() -> None:
    found = regions(0, Window(0, 0, 512, 512), 64)
    numbers, areas = np.unique(found, return_counts=True)
    assert 64 <= len(numbers) <= 110
    assert areas.max() < 4 * 64**2
    y, x = np.nonzero(found == found[256, 256])
    assert np.hypot(np.ptp(y), np.ptp(x)) < 4 * 64
