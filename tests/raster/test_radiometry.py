"""Units of SAR values, the border of a swath, and a filtered file that equals the filtered array."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.crs import CRS

from dllr.errors import SceneError
from dllr.raster.grid import STRIP, Grid
from dllr.raster.image import Image
from dllr.raster.radiometry import border, clipped, decibel, despeckle, power, ratio
from dllr.raster.speckle import FILTERS

UNITS = ("amplitude", "power", "db")


def test_decibel_of_amplitude_and_power_agree_and_zero_is_no_data() -> None:
    amplitude = np.array([0.0, 0.1, 1.0, 10.0], np.float32)
    a, p = decibel(amplitude, "amplitude"), decibel(amplitude**2, "power")
    assert np.isnan(a[0]) and np.isnan(p[0])
    assert np.allclose(a[1:], [-20, 0, 20], atol=1e-4)
    assert np.allclose(a[1:], p[1:], atol=1e-4)
    assert np.array_equal(decibel(amplitude, "dn"), amplitude)


@pytest.mark.parametrize("unit", UNITS)
@given(values=arrays(np.float32, (3, 4), elements=st.floats(2.0**-7, 40, width=32)))
def test_units_make_the_round_trip(unit: str, values: np.ndarray) -> None:
    linear = power(values, unit)
    assert linear.dtype == np.float32
    assert np.allclose(decibel(linear, "power"), decibel(values, unit), atol=1e-4)
    assert np.allclose(power(decibel(values, unit), "db"), linear, rtol=1e-4)


def test_whole_numbers_do_not_overflow() -> None:
    assert power(np.array([65535], np.uint16), "amplitude") == np.float32(65535) ** 2


def test_digital_numbers_have_no_power() -> None:
    with pytest.raises(SceneError, match=r"dn have no linear power.*set scenes\.sar\.unit"):
        power(np.ones(3), "dn")


@given(valid=arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))), px=st.integers(0, 3))
def test_the_border_is_what_lies_near_missing_pixels(valid: np.ndarray, px: int) -> None:
    outside = np.pad(valid, px)
    height, width = valid.shape
    expected = [
        [outside[y : y + 2 * px + 1, x : x + 2 * px + 1].all() for x in range(width)]
        for y in range(height)
    ]
    assert np.array_equal(border(valid, px), expected)


def test_limits_and_ratios_of_decibels_keep_gaps() -> None:
    vv, vh = np.array([-40.0, -10, 3, np.nan]), np.array([-50.0, -17, np.nan, -9])
    assert np.array_equal(clipped(vv, -25, 0), [-25, -10, 0, np.nan], equal_nan=True)
    assert np.array_equal(ratio(vv, vh), [10, 7, np.nan, np.nan], equal_nan=True)


HEIGHT = 2 * STRIP + 3  # the last strip is shorter than any margin below
WIDTH = 40


@pytest.fixture(scope="module")
def swath(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """Two bands of amplitudes in a file whose swath is slanted; 0 = missing, and one dark pixel."""
    rng = np.random.default_rng(0)
    raw = np.sqrt(rng.gamma(3, 300, (2, HEIGHT, WIDTH))).astype(np.uint16) + 1
    raw[:, np.arange(WIDTH) < np.linspace(0, 25, HEIGHT)[:, None]] = 0
    raw[:, STRIP - 2 : STRIP + 1, 30] = 0
    raw[1, STRIP + 20, 35] = 0
    path = tmp_path_factory.mktemp("swath") / "sar.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=HEIGHT, width=WIDTH, count=2, dtype="uint16", nodata=0,
        crs=CRS.from_epsg(4326), transform=Affine(1e-4, 0, 11, 0, -1e-4, 48),
    ) as target:  # fmt: skip
        target.write(raw)
    return path, raw


@pytest.mark.parametrize("name", [*FILTERS, "none"])
@pytest.mark.parametrize("px", [0, 4])
def test_strips_make_up_the_whole_to_the_bit(
    swath: tuple[Path, np.ndarray], tmp_path: Path, name: str, px: int
) -> None:
    path, raw = swath
    target = tmp_path / "filtered.tif"
    despeckle(Image(path, (2, 1)), "amplitude", target, filter=name, window=9, looks=3.0, border=px)
    linear = raw[::-1].astype(np.float32) ** 2
    kept = (linear > 0) & border((raw > 0).any(axis=0), px)
    expected = np.where(kept, linear, np.nan)
    if name != "none":
        pairs = zip(linear, kept, strict=True)
        expected = np.stack([FILTERS[name](band, mask, 9, 3.0) for band, mask in pairs])
    with rasterio.open(path) as source, rasterio.open(target) as result:
        assert Grid.of(result) == Grid.of(source)
        assert np.isnan(result.nodata)
        found = result.read()
    assert found.dtype == np.float32
    assert np.array_equal(found, expected, equal_nan=True)
    assert 0.3 < np.isfinite(found).mean() < 0.99


def test_what_the_settings_call_missing_is_no_backscatter(tmp_path: Path) -> None:
    values = np.full((1, 20, 20), -12.0, np.float32)
    values[:, :, :5] = -99
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", height=20, width=20, count=1, dtype="float32",
        crs=CRS.from_epsg(32650), transform=Affine(5, 0, 0, 0, -5, 0),
    ) as target:  # fmt: skip
        target.write(values)
    out = tmp_path / "b.tif"
    despeckle(
        Image(tmp_path / "a.tif", (1,), -99), "db", out, filter="lee", window=5, looks=4, border=0
    )
    with rasterio.open(out) as result:
        found = result.read(1)
    assert np.isnan(found[:, :5]).all()
    assert np.allclose(found[:, 5:], 10**-1.2)


def test_digital_numbers_lose_their_border_and_nothing_else(
    swath: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, raw = swath
    out = tmp_path / "b.tif"
    despeckle(Image(path, (1, 2)), "dn", out, filter="none", window=7, looks=1, border=2)
    kept = border((raw > 0).any(axis=0), 2)
    with rasterio.open(out) as result:
        assert np.array_equal(result.read(), np.where(kept, raw, np.nan), equal_nan=True)
    with pytest.raises(SceneError, match="dn have no linear power"):
        despeckle(Image(path, (1,)), "dn", out, filter="lee", window=7, looks=1, border=2)
