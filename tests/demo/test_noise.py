import numpy as np
import pytest

from dllr.demo.noise import cells, field, hashed, normal, top, uniform

RNG = np.random.default_rng


def correlation(values: np.ndarray, lag: int) -> float:
    return float(np.corrcoef(values[:, lag:].ravel(), values[:, :-lag].ravel())[0, 1])


def test_a_field_is_standardised_and_its_structures_grow_with_the_wavelength() -> None:
    fine, coarse = (field(RNG(0), (300, 250), wavelength) for wavelength in (10, 60))
    for values in (fine, coarse):
        assert values.shape == (300, 250) and values.dtype == np.float32
        assert values.std() == pytest.approx(1, abs=0.05)
    assert correlation(fine, 1) > 0.5
    assert abs(correlation(fine, 12)) < 0.25 < correlation(coarse, 12)


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


def test_top_takes_the_highest_free_pixels_counted_in_the_core() -> None:
    score = RNG(0).random((60, 60), dtype=np.float32)
    free = RNG(1).random((60, 60)) < 0.5
    core = (slice(10, 50), slice(10, 50))
    chosen = top(score, free, core, 100)
    assert chosen[core].sum() == 100
    assert not (chosen & ~free).any()
    assert score[chosen].min() > score[free & ~chosen].max()
    assert not top(score, free, core, 0).any()
    assert (top(score, free, core, 10**6)[core] == free[core]).all()
