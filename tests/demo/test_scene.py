import dataclasses

import numpy as np
import pytest

from dllr.demo import sar
from dllr.demo.fill import cover
from dllr.demo.geometry import whole
from dllr.demo.scene import hazards, scene
from dllr.demo.window import Window


def test_hazards_stand_at_the_end(small) -> None:
    assert hazards(small(scenes=6)) == {
        5: "unlabelled",
        4: "cloud",
        3: "wedge",
        2: "zone",
        1: "missing",
    }
    assert hazards(small(scenes=3, unlabelled=2)) == {2: "unlabelled", 1: "unlabelled", 0: "cloud"}
    assert hazards(small(scenes=3, unlabelled=4)) == dict.fromkeys(range(3), "unlabelled")
    calm = small(unlabelled=0, heavy_cloud=0, wedge=0, other_zone=False, missing=None)
    assert hazards(calm) == {}
    assert hazards(small(scenes=4, unlabelled=0, wedge=0)) == {3: "cloud", 2: "zone", 1: "missing"}


def images(made) -> list[np.ndarray]:
    return [made.optical, made.sar, made.label, made.cloud]


def test_a_scene_is_the_same_in_a_larger_country_and_another_with_another_seed(rendered) -> None:
    one, same = rendered(1, scenes=8), rendered(1, scenes=9)
    for a, b in zip(images(one), images(same), strict=True):
        assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    assert one.scene.misregistration == same.scene.misregistration
    for other in (rendered(2, scenes=8), rendered(1, scenes=8, seed=2)):
        assert (one.label != other.label).mean() > 0.3


def test_a_hazard_changes_nothing_but_what_it_hides(rendered) -> None:
    plain, hard = rendered(2, scenes=9), rendered(2, scenes=5)
    assert (plain.scene.hazard, hard.scene.hazard) == (None, "wedge")
    seen = hard.optical[0] > 0
    assert (plain.optical[:, seen] == hard.optical[:, seen]).all()
    assert np.array_equal(plain.sar, hard.sar, equal_nan=True)


def test_one_scene_lies_in_the_next_zone_and_one_lacks_a_class(small, rendered) -> None:
    zone = scene(small(), 3)
    assert zone.hazard == "zone" and zone.optical_grid.crs.to_epsg() == 32651
    assert scene(small(), 2).optical_grid.crs.to_epsg() == 32650
    lacking = rendered(2)
    assert lacking.scene.hazard == "missing"
    assert set(np.unique(lacking.label)) - {0} == {10, 30, 40, 50, 60, 70}


def test_missing_data_has_the_share_asked_for(rendered) -> None:
    made = rendered(4, nodata=0, wedge=0.3)
    assert made.scene.hazard == "wedge"
    assert np.mean(made.optical[0] == 0) == pytest.approx(0.3, abs=0.01)
    assert ((made.optical == 0).all(0) == (made.optical == 0).any(0)).all()
    assert (made.sar > 0).all()
    shares = [np.isnan(rendered(n, nodata=0.1).sar).mean() for n in range(3)]
    assert 0 < np.mean(shares) < 0.21
    assert len(set(shares)) == 3


def test_label_is_unknown_only_where_neither_sensor_saw_the_ground(rendered) -> None:
    made = rendered(4, nodata=0.3, wedge=0.95)
    unknown = made.label == 0
    assert 0 < unknown.mean() < 0.95
    assert (made.optical[:, unknown] == 0).all()


def test_windows_of_both_images_fit_together(clear) -> None:
    made = clear.scene
    window = dataclasses.replace(whole(made.optical_grid), y=50, x=70, height=130, width=99)
    part, label, cloud = made.optical(window)
    inner = np.s_[..., 50:180, 70:169]
    assert (part == clear.optical[inner]).all()
    assert (label == clear.label[inner]).all() and (cloud == clear.cloud[inner]).all()
    again = made.sar(whole(made.sar_grid))
    assert (again == clear.sar).all()


@pytest.mark.parametrize("relief", [130.0, 1000.0])
def test_the_ground_echoes_the_same_on_whatever_canvas(small, relief: float) -> None:
    made = scene(small(relief=relief), 0)
    border = sar.border(made.look, made.pixel, made.sar_pixel / made.pixel)
    window = Window(90, 110, 40, 50)
    found = []
    for by in (border, border + 21):
        found_there = cover(made.plan, window.grown(by), made.sar_day)
        power = sar.backscatter(made.plan.terrain, found_there, made.look)
        # The point spread, which comes after, needs the last few px of the border.
        found.append(window.cut(power, by))
    assert (found[0] == found[1]).all()


def test_the_land_does_not_depend_on_how_it_is_seen(rendered) -> None:
    plain = rendered(0, nodata=0)
    for other in (
        {"max_shift": 0.0},
        {"sar_crs": None},
        {"sar_pixel": 10.0},
        {"max_rotation": 0.0},
        {"heavy_cloud": 0.0},
        {"looks": 1},
    ):
        assert (rendered(0, nodata=0, **other).label == plain.label).all(), other


def test_misregistration_of_a_scene_lies_within_the_limits(clear) -> None:
    fault = dataclasses.asdict(clear.scene.misregistration)
    assert 0 < np.hypot(*fault["shift"]) <= 12 * 5
    assert 0 < abs(fault["rotation"]) <= 0.5
    assert 0 < abs(fault["scale"] - 1) <= 0.005


def test_the_smallest_scenes_hold_together_too(small) -> None:
    for seed in range(60):
        made = scene(small(seed=seed, nodata=0, size=128), 0)
        label = made.optical(whole(made.optical_grid)).label
        assert np.mean(label == 70) < 0.08 and np.mean(label == 30) < 0.15, seed
        assert np.mean(label == 50) > 0.2, seed


def test_shares_of_fifty_countries_stay_within_bounds(small) -> None:
    bounds = {
        10: (0.1, 0.65),
        20: (0.01, 0.07),
        30: (0.02, 0.1),
        40: (0.06, 0.2),
        50: (0.25, 0.5),
        60: (0.001, 0.04),
        70: (0.004, 0.04),
    }
    mean = dict.fromkeys(bounds, 0.0)
    for seed in range(50):
        made = scene(small(seed=seed, nodata=0, size=192), 0)
        label = made.optical(whole(made.optical_grid)).label
        for code, (low, high) in bounds.items():
            share = np.mean(label == code)
            assert low <= share <= high, (seed, code)
            mean[code] += share / 50
    expected = {10: 0.36, 20: 0.04, 30: 0.06, 40: 0.13, 50: 0.38, 60: 0.01, 70: 0.02}
    assert mean == pytest.approx(expected, rel=0.25)
