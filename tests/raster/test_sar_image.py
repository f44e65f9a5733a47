"""A SAR image on its way to the optical grid: filtered before it is resampled, finished after."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from dllr.errors import ParamsError
from dllr.params.coregister import Coregister
from dllr.params.load import check, read_yaml
from dllr.params.scenes import Sar
from dllr.raster.grid import Grid
from dllr.raster.image import Image, Mask
from dllr.raster.radiometry import decibel
from dllr.raster.sar import SarImage
from dllr.raster.speckle import lee

ROOT = Path(__file__).parents[2]
DEFAULTS = read_yaml(ROOT / "params/defaults.yaml")
GRID = Grid(CRS.from_epsg(32650), Affine(5, 0, 500_000, 0, -5, 3_300_000), 60, 50)


@pytest.fixture
def amplitude(tmp_path: Path) -> np.ndarray:
    values = np.random.default_rng(0).gamma(4.0, 0.25, (2, 60, 50)).astype(np.float32)
    values[:, :, :5] = 0
    with rasterio.open(
        tmp_path / "sar.tif", "w", driver="GTiff", crs=GRID.crs, transform=GRID.transform, height=60, width=50,
        count=2, dtype="float32", nodata=0,
    ) as target:  # fmt: skip
        target.write(values)
    return values


def made(folder: Path, **changes: Any) -> tuple[list[str], np.ndarray]:
    """Names and values of the finished bands on the image's own grid."""
    settings = Coregister.model_validate(DEFAULTS["coregister"] | changes)
    sar = Sar.model_validate(DEFAULTS["scenes"]["sar"] | {"bands": {"VV": 1, "VH": 2}})
    image = Image(folder / "sar.tif", (1, 2))
    ready = SarImage.prepared(image, sar, settings, folder / "scratch.tif")
    strips = [values for _, values in ready.finished(GRID, None)]
    return ready.names, np.concatenate(strips, axis=1)


def test_by_default_values_become_db_and_nothing_else(
    amplitude: np.ndarray, tmp_path: Path
) -> None:
    names, found = made(tmp_path)
    assert names == ["VV", "VH"]
    assert np.array_equal(found, decibel(amplitude, "amplitude"), equal_nan=True)
    assert not (tmp_path / "scratch.tif").exists()


def test_the_ratio_is_taken_before_the_clip(amplitude: np.ndarray, tmp_path: Path) -> None:
    names, found = made(tmp_path, ratio=["VV", "VH"], clip=[-3.0, 3.0])
    db = decibel(amplitude, "amplitude")
    assert names == ["VV", "VH", "VV/VH"]
    assert np.array_equal(found[:2], np.clip(db, -3, 3), equal_nan=True)
    assert np.array_equal(found[2], db[0] - db[1], equal_nan=True)
    assert np.nanmax(found[2]) > 3


def test_filters_work_on_power_before_the_grid_and_borders_go_first(
    amplitude: np.ndarray, tmp_path: Path
) -> None:
    _, found = made(tmp_path, speckle="lee", window=5, looks=4.0, border=2)
    known = np.zeros((60, 50), bool)
    known[2:-2, 7:-2] = True
    expected = [lee(band**2, known, 5, 4.0) for band in amplitude]
    assert np.allclose(found, decibel(np.stack(expected), "power"), atol=1e-4, equal_nan=True)
    assert np.nanstd(found) < np.nanstd(made(tmp_path)[1])


@pytest.mark.parametrize(
    ("section", "changes", "words"),
    [
        ("coregister", {"window": 4}, "has no centre pixel"),
        ("coregister", {"clip": [5.0, -5.0]}, "is empty"),
        ("coregister", {"ratio": ["VV", "HH"]}, "names the band HH; scenes.sar.bands has VV"),
        ("sar", {"unit": "dn"}, "coregister.speckle needs backscatter"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    section: str, changes: dict[str, Any], words: str
) -> None:
    values = read_yaml(ROOT / "params/defaults.yaml")
    if section == "sar":
        values["scenes"]["sar"] |= changes
        changes = {"speckle": "lee"}
    values["coregister"] |= changes
    with pytest.raises(ParamsError, match=words):
        check(values, "params.yaml")


def test_what_a_mask_or_an_alpha_band_hides_does_not_bleed(tmp_path: Path) -> None:
    values = np.full((4, 60, 50), 100, np.uint8)
    values[:2, 20:40, 20:40] = 250
    values[3] = 1  # GDAL's alpha, by default; nearly transparent
    values[3, 20:40, 20:40] = 0
    with rasterio.open(
        tmp_path / "sar.tif", "w", driver="GTiff", crs=GRID.crs, height=60, width=50, count=4, dtype="uint8",
        transform=GRID.transform @ Affine.translation(0.5, 0.5),
    ) as target:  # fmt: skip
        target.write(values)
    sar = Sar.model_validate(DEFAULTS["scenes"]["sar"] | {"bands": {"VV": 1, "VH": 2}})
    settings = Coregister.model_validate(DEFAULTS["coregister"])
    for mask in (None, Mask(tmp_path / "sar.tif", 4, (0.0,))):
        image = Image(tmp_path / "sar.tif", (1, 2), None, mask)
        ready = SarImage.prepared(image, sar, settings, tmp_path / "scratch.tif")
        found = np.concatenate([v for _, v in ready.finished(GRID, None)], axis=1)
        known = np.isfinite(found)
        assert np.allclose(found[known], 40, atol=1e-3)
        assert known[:, 2:19, 2:19].all() and not known[:, 22:38, 22:38].any()
