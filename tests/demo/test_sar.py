import numpy as np
import pytest
from scipy.ndimage import affine_transform

from dllr.demo.geometry import Affine
from dllr.demo.sar import NOISE_FLOOR, image
from dllr.demo.scene import Scene

IDENTITY = Affine.of(1, 0, 0, 0, 1, 0)


@pytest.mark.parametrize("looks", [1.0, 4.0, 9.5])
def test_speckle_has_the_moments_of_a_gamma_variable(looks: float) -> None:
    truth = np.full((400, 400), 0.1, dtype=np.float32)
    amplitude = image(np.random.default_rng(0), truth, IDENTITY, truth.shape, 1.2, looks)
    speckle = amplitude.astype(float) ** 2 / (0.1 + NOISE_FLOOR)
    centred = speckle - speckle.mean()
    assert amplitude.dtype == np.float32
    assert speckle.mean() == pytest.approx(1, abs=0.01)
    assert speckle.var() == pytest.approx(1 / looks, rel=0.03)
    assert (centred**3).mean() / speckle.std() ** 3 == pytest.approx(2 / looks**0.5, rel=0.1)
    assert abs(np.corrcoef(speckle[:, 1:].ravel(), speckle[:, :-1].ravel())[0, 1]) < 0.01


def test_what_the_canvas_does_not_reach_is_missing() -> None:
    truth = np.full((50, 50), 0.1, dtype=np.float32)
    moved = Affine.of(1, 0, -5, 0, 1, 0)
    amplitude = image(np.random.default_rng(0), truth, moved, truth.shape, 1.2, 4.0)
    assert np.isnan(amplitude[:, :5]).all() and np.isfinite(amplitude[:, 5:]).all()


def on_optical_grid(scene: Scene, true_to_georeferenced: Affine) -> np.ndarray:
    """Backscatter, linear, where each optical pixel's ground is shown."""
    way = scene.optical_grid.centres().then(true_to_georeferenced)
    a, b, c, d, e, f = way.then(scene.sar_grid.centres().inverse()).row_major()
    power = scene.sar.astype(np.float64) ** 2
    return affine_transform(
        power, [[e, d], [b, a]], [f, c], output_shape=scene.label.shape, order=1
    )


def contrast(scene: Scene, power: np.ndarray) -> float:
    """Share of the variance of dB that the land cover explains."""
    level = 10 * np.log10(power + 1e-4)
    within = sum(
        level[scene.label == code].var() * np.mean(scene.label == code)
        for code in np.unique(scene.label)
    )
    return float(1 - within / level.var())


def test_under_the_known_transform_both_images_show_the_same_land_cover(clear: Scene) -> None:
    truth = clear.misregistration.true_to_georeferenced()
    right = contrast(clear, on_optical_grid(clear, truth))
    assert right > 0.15
    for east, north in ((20, 0), (-20, 0), (0, 20), (0, -20)):
        moved = truth.then(Affine.of(1, 0, east, 0, 1, north))
        assert contrast(clear, on_optical_grid(clear, moved)) < right
    assert contrast(clear, on_optical_grid(clear, Affine.of(1, 0, 0, 0, 1, 0))) < right


def test_radar_sees_water_dark_and_buildings_bright(clear: Scene) -> None:
    power = on_optical_grid(clear, clear.misregistration.true_to_georeferenced())
    mean = {code: 10 * np.log10(power[clear.label == code].mean()) for code in (10, 20, 40, 50)}
    assert mean[40] < mean[10] - 2 < mean[50] < mean[20]
