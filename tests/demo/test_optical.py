import numpy as np
import pytest

from dllr.demo.shadow import cast


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_clouds_cover_the_share_asked_for(rendered, share: float) -> None:
    made = rendered(6, heavy_cloud=share, nodata=0, unlabelled=0)
    assert made.scene.hazard == "cloud"
    assert np.mean(made.cloud == 1) == pytest.approx(share, abs=0.01)


def test_clouds_are_bright_and_their_shadows_dark(rendered) -> None:
    made = rendered(6, seed=2, heavy_cloud=0.3, nodata=0, unlabelled=0)
    blue, nir = made.optical[0].astype(float), made.optical[3].astype(float)
    clear = made.cloud == 0
    assert np.median(blue[made.cloud == 1]) > 2 * np.median(blue[clear])
    forest = made.label == 50
    assert np.median(nir[forest & (made.cloud == 2)]) < 0.8 * np.median(nir[forest & clear])


def test_vegetation_is_bright_in_the_near_infrared_and_water_dark(clear) -> None:
    red, nir = clear.optical[2].astype(float), clear.optical[3].astype(float)
    index = (nir - red) / (nir + red)
    median = {code: np.median(index[clear.label == code]) for code in (20, 40, 50)}
    assert median[40] < 0 < median[20] < median[50]
    assert median[50] > 0.5


def test_slopes_towards_the_sun_are_brighter(clear) -> None:
    window = clear.scene.plan.terrain.grid
    height = clear.scene.plan.terrain.height(window)
    row, column = -window.y // window.step, -window.x // window.step
    south, east = (g[row : row + 80, column : column + 80] for g in np.gradient(height))
    azimuth = np.radians(clear.scene.sky.sun_azimuth)
    facing = -(east * np.sin(azimuth) - south * np.cos(azimuth))
    nir = clear.optical[3, ::4, ::4].astype(float)
    forest = clear.label[::4, ::4] == 50
    assert np.corrcoef(facing[forest], nir[forest])[0, 1] > 0.3


def test_a_tower_casts_its_shadow_away_from_the_light() -> None:
    height = np.zeros((20, 20), dtype=np.float32)
    height[10, 10] = 12
    # Light from the east that falls 5 m in a pixel reaches the ground within three pixels.
    hidden = np.argwhere(cast(height, 1.0, 0.0, 5.0))
    assert hidden.tolist() == [[10, 9]]
    hidden = np.argwhere(cast(height, 0.0, 1.0, 3.0))
    assert hidden.tolist() == [[11, 10], [12, 10], [13, 10]]
