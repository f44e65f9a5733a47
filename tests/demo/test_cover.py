from typing import NamedTuple

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, label
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from dllr.demo.cover import SHARES
from dllr.demo.fill import Cover, cover
from dllr.demo.ground import CITY, CLASSES, FARMLAND, FOREST, OTHERS, ROAD, VILLAGE, WATER
from dllr.demo.materials import Material
from dllr.demo.plan import Plan, draw_shares, plan
from dllr.demo.window import Window

SIZE = 320
CORE = Window(0, 0, SIZE, SIZE)
FRAME = CORE.grown(40)


class Made(NamedTuple):
    plan: Plan
    cover: Cover


def make(seed: int, missing: str | None = None) -> Made:
    drawn = plan(np.random.default_rng(seed), CORE, FRAME, 5.0, 130.0, missing)
    return Made(drawn, cover(drawn, CORE, 150))


@pytest.fixture(scope="module", params=range(6))
def made(request: pytest.FixtureRequest) -> Made:
    return make(request.param)


def test_classes_have_the_shares_drawn_for_the_scene(made: Made) -> None:
    shares = np.bincount(made.cover.classes.ravel(), minlength=7) / SIZE**2
    assert shares.sum() == pytest.approx(1)
    # The plan looks at one pixel in sixteen, and the road is laid over the rest.
    for index in (CITY, VILLAGE, WATER, FOREST, OTHERS):
        assert shares[index] == pytest.approx(made.plan.shares[index], abs=0.012), CLASSES[index]
    assert 0.12 < shares[FARMLAND] < 0.6


def test_shares_are_drawn_around_their_means() -> None:
    draws = [draw_shares(np.random.default_rng(seed), None) for seed in range(200)]
    for index, (mean, spread) in SHARES.items():
        values = np.array([draw[index] for draw in draws])
        assert values.mean() == pytest.approx(mean, rel=0.1)
        assert values.min() >= mean * (1 - spread) and values.max() <= mean * (1 + spread)


@pytest.mark.parametrize("missing", ["city", "village", "water", "forest", "road", "others"])
def test_a_scene_can_do_without_any_class_but_farmland(missing: str) -> None:
    here = set(np.unique(make(0, missing).cover.classes))
    assert here == set(range(7)) - {CLASSES.index(missing)}


def test_windows_fit_together(made: Made) -> None:
    for window in (Window(-40, -40, 90, 70), Window(100, 37, 64, 130), Window(300, 300, 60, 60)):
        part = cover(made.plan, window, 150)
        around = cover(made.plan, FRAME, 150)
        inner = np.s_[window.y + 40 :, window.x + 40 :]
        for name in ("classes", "material", "green", "objects", "height"):
            large = getattr(around, name)[inner][: window.height, : window.width]
            assert (getattr(part, name) == large).all(), name


def test_roads_are_one_thin_network(made: Made) -> None:
    wide = cover(made.plan, FRAME, 150)
    road = wide.classes == ROAD
    _, parts = label(road, np.ones((3, 3)))
    assert parts == 1
    assert 1 <= distance_transform_edt(road).max() <= 5  # where two roads meet
    assert 2 <= 2 * made.plan.roads.half_width <= 4


@pytest.mark.parametrize("seed", range(12))
def test_every_road_leads_to_every_other(seed: int) -> None:
    core = Window(0, 0, 512, 512)
    axis = plan(np.random.default_rng(seed), core, core.grown(40), 5.0, 130.0, None).roads.axis
    near = cKDTree(axis).query_pairs(1.0, output_type="ndarray")
    links = csr_array((np.ones(len(near)), near.T), shape=(len(axis), len(axis)))
    parts, _ = connected_components(links, directed=False)
    assert parts == 1


def test_forest_lies_higher_than_farmland_and_water_lowest(made: Made) -> None:
    height = made.plan.terrain.height(CORE)
    mean = {i: height[made.cover.classes == i].mean() for i in (WATER, FARMLAND, FOREST)}
    assert mean[WATER] < mean[FOREST]
    assert mean[FARMLAND] < mean[FOREST]


def test_crops_grow_on_farmland_only(made: Made) -> None:
    classes, green = made.cover.classes, made.cover.green
    assert (green[classes != FARMLAND] == 0).all()
    fields = green[classes == FARMLAND]
    assert fields.min() >= 0 and fields.max() <= 1 and fields.std() > 0.1


def test_classes_share_materials() -> None:
    found = make(0).cover
    asphalt = np.unique(found.classes[found.material == Material.ASPHALT])
    assert {CITY, ROAD} <= set(asphalt)
    assert len(np.unique(found.classes[found.material == Material.BROADLEAF])) >= 3


def test_a_larger_scene_has_more_rivers_and_towns() -> None:
    core = Window(0, 0, 3200, 3200)
    drawn = plan(np.random.default_rng(0), core, core.grown(40), 5.0, 130.0, None)
    _, valleys = label(drawn.terrain.river < 12)
    assert valleys == 3
    _, towns = label(drawn.places.city > -0.3)
    assert 3 <= towns <= 5
