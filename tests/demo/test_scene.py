import dataclasses

import numpy as np
import pytest

from dllr.demo.scene import hazards, simulate


def arrays_of(scene) -> list[np.ndarray]:
    return [scene.optical, scene.sar, scene.label, scene.cloud]


def test_hazards_stand_at_the_end(small) -> None:
    assert hazards(small(scenes=6)) == {5: "unlabelled", 4: "cloud", 3: "wedge"}
    assert hazards(small(scenes=3, unlabelled=2)) == {2: "unlabelled", 1: "unlabelled", 0: "cloud"}
    assert hazards(small(scenes=3, unlabelled=4)) == dict.fromkeys(range(3), "unlabelled")


def test_a_scene_is_the_same_in_a_larger_country_and_another_with_another_seed(small) -> None:
    one = simulate(small(scenes=6), 1)
    same = simulate(small(scenes=9), 1)
    assert all((a == b).all() for a, b in zip(arrays_of(one), arrays_of(same), strict=True))
    assert one.misregistration == same.misregistration
    for other in (simulate(small(scenes=6), 2), simulate(small(scenes=6, seed=2), 1)):
        assert (one.label != other.label).mean() > 0.3


def test_a_hazard_changes_nothing_but_what_it_hides(small) -> None:
    plain, hard = simulate(small(scenes=9), 2), simulate(small(scenes=5), 2)
    assert hazards(small(scenes=5))[2] == "wedge"
    seen = hard.optical[0] > 0
    assert (plain.optical[:, seen] == hard.optical[:, seen]).all()
    assert (plain.sar == hard.sar).all()


def test_missing_data_has_the_share_asked_for(small) -> None:
    scene = simulate(small(nodata=0, wedge=0.3), 2)
    assert np.mean(scene.optical[0] == 0) == pytest.approx(0.3, abs=0.01)
    assert ((scene.optical == 0).all(0) == (scene.optical == 0).any(0)).all()
    assert (scene.sar > 0).all()
    shares = [np.mean(simulate(small(nodata=0.1), n).sar == 0) for n in range(3)]
    assert 0 < np.mean(shares) < 0.21
    assert len(set(shares)) == 3


def test_label_is_unknown_only_where_neither_sensor_saw_the_ground(small) -> None:
    scene = simulate(small(nodata=0.3, wedge=0.95), 2)
    unknown = scene.label == 0
    assert 0 < unknown.mean() < 0.95
    assert (scene.optical[:, unknown] == 0).all()


def test_the_sar_frame_contains_the_optical_one_on_a_grid_of_its_own(clear) -> None:
    optical, sar = clear.optical_grid, clear.sar_grid
    assert sar.pixel != optical.pixel
    assert sar.left < optical.left and sar.top > optical.top
    for shape, grid in ((clear.optical.shape[1:], optical), (clear.sar.shape, sar)):
        assert shape == grid.shape
    reach = sar.left + sar.shape[1] * sar.pixel
    assert reach > optical.left + optical.shape[1] * optical.pixel


def test_misregistration_of_a_scene_lies_within_the_limits(clear) -> None:
    fault = dataclasses.asdict(clear.misregistration)
    assert 0 < np.hypot(*fault["shift"]) <= 12 * 5
    assert 0 < abs(fault["rotation"]) <= 0.5
    assert 0 < abs(fault["scale"] - 1) <= 0.005


@pytest.mark.parametrize("seed", range(8))
def test_shares_of_many_countries_stay_within_bounds(small, seed: int) -> None:
    scene = simulate(small(seed=seed, nodata=0, size=192), 0)
    share = {code: np.mean(scene.label == code) for code in (10, 20, 30, 40, 50, 60, 70)}
    bounds = {
        10: (0.1, 0.65),
        20: (0.01, 0.07),
        30: (0.02, 0.1),
        40: (0.06, 0.2),
        50: (0.25, 0.5),
        60: (0.001, 0.06),
        70: (0.004, 0.04),
    }
    for code, (low, high) in bounds.items():
        assert low <= share[code] <= high, code
