import numpy as np
import pytest
from affine import Affine
from scipy.ndimage import map_coordinates

from dllr.demo.geometry import Positions, positions, whole
from dllr.demo.sar import NOISE_FLOOR, OVERSAMPLING, Look, _laid_over, image, speckle
from dllr.demo.window import Window


def plain(side: int) -> tuple[Window, Positions]:
    y, x = np.mgrid[:side, :side].astype(np.float64)
    return Window(0, 0, side, side), Positions(y, x)


@pytest.mark.parametrize("looks", [1, 4, 9])
def test_speckle_has_the_moments_of_a_gamma_variable(looks: int) -> None:
    noise = speckle(np.random.default_rng(0), (900, 700), looks)
    assert noise.shape == (900, 700) and noise.dtype == np.float32
    centred = noise.astype(float) - noise.mean()
    assert noise.mean() == pytest.approx(1, abs=0.01)
    assert centred.var() == pytest.approx(1 / looks, rel=0.03)
    assert (centred**3).mean() / centred.std() ** 3 == pytest.approx(2 / looks**0.5, rel=0.1)
    # As strong at the border, and shared by neighbours only.
    assert noise[:3].var() == pytest.approx(1 / looks, rel=0.2)
    near, far = (
        np.corrcoef(noise[:, lag:].ravel(), noise[:, :-lag].ravel())[0, 1] for lag in (1, 6)
    )
    assert near == pytest.approx(np.exp(-1 / (2 * OVERSAMPLING**2)), abs=0.03)
    assert abs(far) < 0.02


def test_an_image_is_the_ground_under_speckle() -> None:
    window, at = plain(300)
    truth = np.full(window.shape, 0.1, dtype=np.float32)
    power = image(np.random.default_rng(0), truth, window, at, 1.2, 4)
    noise = speckle(np.random.default_rng(0), window.shape, 4)
    assert power == pytest.approx((0.1 + NOISE_FLOOR) * noise, rel=1e-5)
    assert power.dtype == np.float32


def test_what_stands_higher_is_shown_nearer_to_the_radar() -> None:
    look = Look(0, 90.0, 45.0, 0.0, 0.0, 0.0)  # looks east; 5 m of height are 1 px of 5 m
    power = np.full((9, 20), 0.1, dtype=np.float32)
    height = np.zeros_like(power)
    height[4, 12], power[4, 12] = 15, 7
    moved = _laid_over(power, height * look.offset(5.0), look)
    assert np.unravel_index(moved.argmax(), moved.shape) == (4, 9)
    assert moved[4, 9] == pytest.approx(7.1, abs=1e-4)
    assert moved[4, 12] == pytest.approx(0, abs=1e-4)
    assert moved.sum() == pytest.approx(power.sum(), rel=1e-5)
    other_way = _laid_over(power, height * look.offset(5.0), Look(0, 270.0, 45.0, 0.0, 0.0, 0.0))
    assert np.unravel_index(other_way.argmax(), moved.shape) == (4, 15)


def on_optical_grid(made, moved: Affine) -> np.ndarray:
    """Backscatter, linear, where each optical pixel's ground is shown."""
    scene = made.scene
    at = positions(scene.optical_grid, whole(scene.optical_grid), scene.sar_grid)
    assert scene.sar_grid.crs == scene.optical_grid.crs
    # The move acts on map coordinates, before they become SAR pixels.
    to_pixels = ~(scene.sar_grid.transform @ Affine.translation(0.5, 0.5))
    step = to_pixels @ moved @ ~to_pixels
    x, y = step.a * at.x + step.b * at.y + step.c, step.d * at.x + step.e * at.y + step.f
    return map_coordinates(made.sar.astype(np.float64), [y, x], order=1)


def contrast(made, power: np.ndarray) -> float:
    """Share of the variance of dB that the land cover explains."""
    level = 10 * np.log10(power + 1e-4)
    within = sum(
        level[made.label == code].var() * np.mean(made.label == code)
        for code in np.unique(made.label)
    )
    return float(1 - within / level.var())


@pytest.fixture(scope="module")
def beside(rendered):
    """A flat scene whose SAR image lies in the CRS of the optical one."""
    return rendered(
        0,
        cloud=0,
        heavy_cloud=0,
        nodata=0,
        wedge=0,
        relief=0,
        max_shift=12.0,
        size=320,
        sar_crs=None,
    )


def test_under_the_known_transform_both_images_show_the_same_land_cover(beside) -> None:
    truth = beside.scene.misregistration.true_to_georeferenced()
    right = contrast(beside, on_optical_grid(beside, truth))
    assert right > 0.15
    for east, north in ((30, 0), (-30, 0), (0, 30), (0, -30)):
        moved = Affine.translation(east, north) @ truth
        assert contrast(beside, on_optical_grid(beside, moved)) < right
    assert contrast(beside, on_optical_grid(beside, Affine.identity())) < right


def test_radar_sees_water_dark_and_buildings_bright(beside) -> None:
    power = on_optical_grid(beside, beside.scene.misregistration.true_to_georeferenced())
    mean = {code: 10 * np.log10(power[beside.label == code].mean()) for code in (10, 20, 40, 50)}
    assert mean[40] < mean[10] - 2 < mean[50] < mean[20]


def test_all_units_and_grids_show_the_same_ground(clear, beside) -> None:
    """Another CRS of the SAR image changes where its pixels lie, not what they show."""
    levels = []
    for made in (clear, beside):
        scene = made.scene
        at = positions(scene.sar_grid, whole(scene.sar_grid), scene.optical_grid)
        inside = (abs(at.y - 160) < 150) & (abs(at.x - 160) < 150)
        levels.append(np.log10(made.sar[inside]).mean())
    assert levels[0] == pytest.approx(levels[1], abs=0.05)
