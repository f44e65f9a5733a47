"""A pair read from rasters shows what the same pair in memory shows, whole or by windows."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from registration.patchwork import pair as patchwork

import dllr.stages.pairs
from dllr.params.load import load
from dllr.raster.grid import Grid
from dllr.raster.image import Image
from dllr.raster.sar import SarImage
from dllr.registration.pair import ArrayPair, Box
from dllr.registration.transform import distance, similarity
from dllr.stages.pairs import RasterPair
from dllr.stages.registering import decide

from .small_scenes import ROOT

HEIGHT, WIDTH = 512, 640
ON = Affine(5, 0, 500_000, 0, -5, 3_300_000)


def write(path: Path, values: np.ndarray, where: Affine) -> Image:
    with rasterio.open(
        path, "w", driver="GTiff", crs="EPSG:32650", transform=where, height=values.shape[1],
        width=values.shape[2], count=len(values), dtype=values.dtype, nodata=0,
    ) as target:  # fmt: skip
        target.write(values)
    return Image(path, tuple(range(1, len(values) + 1)))


def smooth(bands: int, phase: float) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    waves = [2 + np.sin(x / (7 + b) + phase) + np.cos(y / (9 + b)) for b in range(bands)]
    return np.stack(waves).astype(np.float32) + 0.1


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[RasterPair, ArrayPair]:
    optical, sar = smooth(2, 0), smooth(1, 1)
    optical[:, :40, :50] = 0
    settings = load(ROOT / "params.yaml").coregister
    grid = Grid(CRS.from_epsg(32650), ON, HEIGHT, WIDTH)
    image = write(tmp_path / "sar.tif", sar, ON)
    raster = RasterPair(
        write(tmp_path / "optical.tif", optical, ON),
        SarImage(image, "power", ["VV"], settings),
        grid,
    )
    optical[:, :40, :50] = np.nan
    return raster, ArrayPair(optical, 10 * np.log10(sar), True)


BOXES = {1: [Box(100, 200, 64, 64), Box(440, 560, 64, 64)], 2: [Box(60, 90, 64, 64)]}


@pytest.mark.parametrize("factor", BOXES)
@pytest.mark.parametrize("least", [1, 2, 4])
def test_both_show_the_same(
    pairs: tuple[RasterPair, ArrayPair], monkeypatch: pytest.MonkeyPatch, factor: int, least: int
) -> None:
    raster, arrays = pairs
    monkeypatch.setattr(dllr.stages.pairs, "factors", lambda _: [4, 2, 1])
    monkeypatch.setattr(dllr.stages.pairs, "whole", lambda size: size[0] <= HEIGHT // least)
    assert raster.least == least
    matrix = similarity((HEIGHT, WIDTH), (3.5, -2.25), 0.4)
    found = raster.views(factor, matrix, BOXES[factor])
    expected = arrays.views(factor, matrix, BOXES[factor])
    assert np.array_equal(found.fixed_valid, expected.fixed_valid)
    assert found.fixed == pytest.approx(expected.fixed, abs=1e-4)
    inner = np.s_[
        :, 8:-8, 8:-8
    ]  # a window smooths what it holds, the whole image also what lies beyond
    assert found.moving_valid[inner].all() and expected.moving_valid[inner].all()
    # Smoothed and then moved, or moved and then smoothed: not the same, and near enough.
    assert np.abs(found.moving - expected.moving)[inner].mean() < 0.06
    assert raster.size == arrays.size == (HEIGHT, WIDTH)


def test_an_overview_is_thinned_in_power(pairs: tuple[RasterPair, ArrayPair]) -> None:
    raster, _ = pairs
    assert raster.least == 1 and raster.decibel
    assert raster.overview.moving[0, 100, 100] == pytest.approx(
        10 * np.log10(smooth(1, 1)[0, 100, 100]), abs=1e-3
    )
    assert np.isnan(raster.overview.fixed[:, :40, :50]).all()


@pytest.mark.parametrize("degrees", [0, 25])
def test_a_georeference_that_is_off_is_found_on_rotated_grids_too(
    tmp_path: Path, degrees: float
) -> None:
    images = patchwork(np.eye(3))
    side = images.size[0]
    where = ON @ Affine.rotation(degrees)
    optical = write(tmp_path / "optical.tif", images.fixed, where)
    # What lies at p is said to lie at p + (3, -2).
    sar = write(tmp_path / "sar.tif", 10 ** (images.moving / 10), where @ Affine.translation(3, -2))
    settings = load(ROOT / "params.yaml").coregister
    grid = Grid(CRS.from_epsg(32650), where, side, side)
    verdict = decide(
        RasterPair(optical, SarImage(sar, "power", ["VV"], settings), grid), settings, None
    )
    assert verdict.word == "applied" and verdict.matrix is not None
    assert distance(verdict.matrix, similarity((side, side), (3, -2)), (side, side)) < 0.6
