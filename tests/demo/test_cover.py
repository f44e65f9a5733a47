import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, label

from dllr.demo.cover import SHARES, draw_shares, land_cover
from dllr.demo.fill import Cover
from dllr.demo.ground import CITY, CLASSES, FARMLAND, FOREST, OTHERS, ROAD, WATER
from dllr.demo.materials import Material
from dllr.demo.terrain import Terrain, terrain

SIZE = 320
CORE = (slice(32, 32 + SIZE), slice(32, 32 + SIZE))


def make(seed: int) -> tuple[Terrain, Cover, dict[int, float]]:
    rng = np.random.default_rng(seed)
    land = terrain(rng, (SIZE + 64, SIZE + 64), 5.0)
    wanted = draw_shares(rng)
    return land, land_cover(rng, land, CORE, wanted, 150), wanted


@pytest.fixture(scope="module", params=range(6))
def made(request: pytest.FixtureRequest) -> tuple[Terrain, Cover, dict[int, float]]:
    return make(request.param)


def test_classes_have_the_shares_drawn_for_the_scene(made) -> None:
    _, cover, wanted = made
    shares = np.bincount(cover.classes[CORE].ravel(), minlength=7) / SIZE**2
    assert shares.sum() == pytest.approx(1)
    # The road is laid over the rest; its own width stays within 2 to 4 px whatever was drawn.
    for index in (CITY, WATER, FOREST, OTHERS):
        assert shares[index] == pytest.approx(wanted[index], rel=0.25), CLASSES[index]
    assert 0.001 < shares[ROAD] < 0.04
    assert 0.12 < shares[FARMLAND] < 0.6


def test_shares_are_drawn_around_their_means() -> None:
    draws = [draw_shares(np.random.default_rng(seed)) for seed in range(200)]
    for index, (mean, spread) in SHARES.items():
        values = np.array([draw[index] for draw in draws])
        assert values.mean() == pytest.approx(mean, rel=0.1)
        assert values.min() >= mean * (1 - spread) and values.max() <= mean * (1 + spread)


def test_roads_are_one_thin_network(made) -> None:
    _, cover, _ = made
    road = cover.classes == ROAD
    _, parts = label(road, np.ones((3, 3)))
    assert parts == 1
    assert 1 <= distance_transform_edt(road).max() <= 4  # 4 px where two roads meet


def test_forest_lies_higher_than_farmland_and_water_lowest(made) -> None:
    land, cover, _ = made
    height = {i: land.height[cover.classes == i].mean() for i in (WATER, FARMLAND, FOREST)}
    assert height[WATER] < height[FOREST]
    assert height[FARMLAND] < height[FOREST]


def test_crops_grow_on_farmland_only(made) -> None:
    _, cover, _ = made
    assert (cover.green[cover.classes != FARMLAND] == 0).all()
    green = cover.green[cover.classes == FARMLAND]
    assert green.min() >= 0 and green.max() <= 1 and green.std() > 0.1


def test_classes_share_materials() -> None:
    _, cover, _ = make(0)
    asphalt = np.unique(cover.classes[cover.material == Material.ASPHALT])
    assert {CITY, ROAD} <= set(asphalt)
    assert len(np.unique(cover.classes[cover.material == Material.BROADLEAF])) >= 3
