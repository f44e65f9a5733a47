"""Onto one grid: exact coordinates and scipy's bilinear interpolation are the oracle."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.warp import transform
from scipy import ndimage

from dllr.errors import SceneError
from dllr.ingest.survey import survey
from dllr.raster.arrays import open_arrays
from dllr.raster.grid import IGNORE, STRIP, Grid, write_strips
from dllr.raster.gridding import gridded, gridded_classes, thinned
from dllr.raster.image import Image, Mask, strips
from dllr.raster.strips import validity

UTM = CRS.from_epsg(32650)


def grid(height: int = 96, width: int = 80, pixel: float = 10.0) -> Grid:
    return Grid(UTM, Affine(pixel, 0, 500_000, 0, -pixel, 3_300_000), height, width)


def smooth(height: int, width: int, bands: int = 1) -> NDArray[np.float32]:
    y, x = np.mgrid[:height, :width]
    return np.stack([np.sin(x / (9 + b)) + np.cos(y / 7) for b in range(bands)]).astype(np.float32)


def write(path: Path, values: NDArray[np.generic], on: Grid, nodata: float | None = None) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", crs=on.crs, transform=on.transform, height=on.height, width=on.width,
        count=len(values), dtype=values.dtype, nodata=nodata,
    ) as target:  # fmt: skip
        target.write(values)
    return path


def whole(
    path: Path, on: Grid, correction: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    return np.concatenate([v for _, v in gridded(Image(path, (1,)), on, correction)], axis=1)


def test_equal_grids_are_copied_to_the_bit(tmp_path: Path) -> None:
    values = smooth(96, 80)
    path = write(tmp_path / "a.tif", values, grid())
    assert np.array_equal(whole(path, grid()), values)


def test_other_crs_agrees_with_exact_coordinates(tmp_path: Path) -> None:
    target = grid(STRIP + 90, 300)
    source = Grid(CRS.from_epsg(4326), Affine(1.1e-4, 0, 116.99, 0, -9e-5, 29.835), 800, 500)
    values = smooth(source.height, source.width)
    path = write(tmp_path / "a.tif", values, source)
    rows, columns = np.mgrid[: target.height, : target.width] + 0.5
    xs, ys = target.transform @ (columns.ravel(), rows.ravel())
    longitude, latitude = transform(target.crs, source.crs, xs, ys)
    x, y = ~source.transform @ (np.array(longitude), np.array(latitude))
    inside = (x > 1) & (x < source.width - 1) & (y > 1) & (y < source.height - 1)
    expected = ndimage.map_coordinates(values[0].astype(float), [y - 0.5, x - 0.5], order=1)
    found = whole(path, target)[0].ravel()
    assert inside.mean() > 0.5
    assert np.isfinite(found[inside]).all()
    error = (found - expected)[inside]
    assert np.sqrt((error**2).mean()) < 5e-5 * np.ptp(values)


@settings(max_examples=25)
@given(
    height=st.integers(7, 130),
    angle=st.floats(-3, 3),
    pixel=st.floats(6, 30),
    rows=st.integers(90, 260),
)
def test_strips_of_any_height_give_the_same_pixels(
    tmp_path_factory: pytest.TempPathFactory, height: int, angle: float, pixel: float, rows: int
) -> None:
    target = grid(rows, 120)
    turned = Affine(1e-5 * pixel, 0, 116.99, 0, -0.9e-5 * pixel, 29.835) @ Affine.rotation(angle)
    source = Grid(CRS.from_epsg(4326), turned, 400, 300)
    values = smooth(source.height, source.width)
    path = write(tmp_path_factory.mktemp("strips") / "a.tif", values, source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dllr.raster.grid.STRIP", rows)
        once = whole(path, target)
        patch.setattr("dllr.raster.grid.STRIP", height)
        cut = whole(path, target)
    both = np.isfinite(once) & np.isfinite(cut)
    assert (np.isfinite(once) == np.isfinite(cut)).mean() > 0.999
    assert np.abs(once - cut)[both].max(initial=0) <= 1e-4 * np.ptp(values)


@pytest.mark.parametrize("shift", [(3.0, -5.0), (0.5, 0.25)])
def test_a_correction_moves_the_image_back(tmp_path: Path, shift: tuple[float, float]) -> None:
    dx, dy = shift
    y, x = np.mgrid[:96, :80].astype(float)
    truth = np.sin(x / 9) + np.cos(y / 7)
    moved = np.sin((x - dx) / 9) + np.cos((y - dy) / 7)  # ground of (x, y) lies at (x + dx, y + dy)
    path = write(tmp_path / "a.tif", moved[None].astype(np.float32), grid())
    correction = np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], float)
    found = whole(path, grid(), correction)[0]
    inner = (slice(10, -10),) * 2
    assert np.abs(found - truth)[inner].max() < 5e-3


def test_nodata_stays_nodata_and_does_not_bleed(tmp_path: Path) -> None:
    values = np.full((1, 60, 60), 100, np.uint8)
    values[0, :, :20] = 0
    path = write(tmp_path / "a.tif", values, grid(60, 60), nodata=0)
    found = whole(path, Grid(UTM, grid().transform @ Affine.translation(0.5, 0.5), 58, 58))
    known = np.isfinite(found)
    assert not known[0, :, :18].any() and known[0, :, 21:].all()
    assert np.allclose(found[known], 100)


def test_labels_keep_their_codes_on_another_grid(tmp_path: Path) -> None:
    raw = np.kron(np.array([[10, 20], [70, 0]], np.uint8), np.ones((30, 30), np.uint8))[None]
    path = write(tmp_path / "label.tif", raw, grid(60, 60, 20.0))
    found = np.concatenate(
        [v for _, v in gridded_classes(path, 1, {10: 0, 20: 1, 70: 2}, grid(120, 120))], axis=1
    )
    expected = np.kron(np.array([[0, 1], [2, IGNORE]], np.uint8), np.ones((60, 60), np.uint8))
    assert np.array_equal(found[0], expected)


def test_missing_means_every_band_or_not_a_number() -> None:
    bands = np.array([[[0, 0, 1, np.nan]], [[0, 5, 1, 1]]], np.float32)
    assert validity(bands, 0).tolist() == [[False, True, True, False]]
    assert validity(bands, None).tolist() == [[True, True, True, False]]


@pytest.mark.parametrize("factor", [1, 3, 7])
def test_thinning_takes_the_means_of_blocks(tmp_path: Path, factor: int) -> None:
    values = smooth(STRIP + 44, 96, 2)  # blocks lie across the strips' border
    values[:, 6:9, 9:12] = np.nan
    on = grid(STRIP + 44, 96)
    path = write(tmp_path / "a.tif", values, on)
    found = thinned(gridded(Image(path, (1, 2)), on), on, 2, factor)
    height, width = on.height // factor, on.width // factor
    cells = values[:, : height * factor, : width * factor].reshape(2, height, factor, width, factor)
    known = np.isfinite(cells).all(axis=0).mean(axis=(1, 3)) >= 0.5
    with warnings.catch_warnings(action="ignore"):  # a block without a known pixel
        expected = np.where(known, np.nanmean(cells, axis=(2, 4)), np.nan)
    assert found == pytest.approx(expected, rel=1e-5, nan_ok=True)
    assert np.isnan(found).any() == (factor < 7)


def test_patches_over_the_edge_are_missing_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "scene"
    folder.mkdir()
    optical = np.arange(1, 96 * 80 + 1, dtype=np.uint16).reshape(1, 96, 80)
    sar = smooth(96, 80)
    sar[0, :10] = np.nan
    write(folder / "optical.tif", optical, grid(), 0)
    write(folder / "sar.tif", sar, grid(), float("nan"))
    (folder / "record.json").write_text(
        '{"scene": "scene", "key": "k", "optical_bands": ["a"], "sar_bands": ["b"], "scale": 0.5, "offset": 1.0}'
    )
    scene = open_arrays(folder)
    patch = scene.read(-4, 70, 20, 20)
    assert (
        patch.valid[0, 4:, :10].all()
        and not patch.valid[0, :4].any()
        and not patch.valid[:, :, 10:].any()
    )
    assert np.allclose(patch.optical[0, 4:, :10], optical[0, :16, 70:] * 0.5 + 1)
    assert not patch.valid[1, 4:14].any() and patch.valid[1, 14:, :10].all()
    assert (patch.sar[:, ~patch.valid[1]] == 0).all() and (
        patch.optical[:, ~patch.valid[0]] == 0
    ).all()


def test_written_strips_read_back(tmp_path: Path) -> None:
    on = grid(STRIP + 30, 64)
    values = smooth(on.height, on.width, 2)
    strips = ((w, values[:, w.row_off : w.row_off + w.height]) for w in on.strips())
    write_strips(tmp_path / "a.tif", on, strips, bands=2, dtype="float32", nodata=float("nan"))
    with rasterio.open(tmp_path / "a.tif") as source:
        assert np.array_equal(source.read(), values)
        assert Grid.of(source) == on
        assert source.profile["tiled"]


def test_a_truncated_file_is_named_with_its_row(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tif",
        np.random.default_rng(0).random((1, 600, 600)).astype(np.float32),
        grid(600, 600),
    )
    path.write_bytes(path.read_bytes()[:400_000])
    with pytest.raises(SceneError, match=r"a\.tif breaks off at row .*truncated"):
        survey(Image(path, (1,)))


def test_a_dark_fourth_band_is_no_mask_unless_nobody_asked_for_it(tmp_path: Path) -> None:
    bands = np.full((4, 20, 20), 9, np.uint8)
    bands[3] = 255
    bands[3, :5] = 0
    path = write(tmp_path / "a.tif", bands, grid(20, 20))
    with rasterio.open(path) as source:
        assert source.colorinterp[3] == ColorInterp.alpha
    whole_, rgb, flagged = (
        Image(path, (1, 2, 3, 4)), Image(path, (1, 2, 3)), Image(path, (1, 2, 3), None, Mask(path, 4, (255.0,))),
    )  # fmt: skip
    assert next(strips(whole_)).valid.all()
    without = next(strips(rgb)).valid
    assert not without[:5].any() and without[5:].all()
    by_flags = next(strips(flagged)).valid
    assert by_flags[:5].all() and not by_flags[5:].any()
    beside = Grid(UTM, grid().transform @ Affine.translation(0.5, 0.5), 18, 18)
    moved = [np.concatenate([v for _, v in gridded(i, beside)], axis=1) for i in (whole_, rgb)]
    assert np.isfinite(moved[0]).all() and (moved[0][:3] == 9).all()
    assert not np.isfinite(moved[1][:, :4]).any() and np.isfinite(moved[1][:, 6:]).all()
    codes = np.concatenate([v for _, v in gridded_classes(path, 1, {9: 3}, beside)], axis=1)
    assert (codes == 3).all()


def test_missing_is_what_the_asked_bands_all_miss_on_any_grid(tmp_path: Path) -> None:
    bands = np.full((3, 20, 20), 9, np.uint8)
    bands[0, :10] = 0
    bands[1, :5] = 0
    path = write(tmp_path / "a.tif", bands, grid(20, 20), nodata=0)
    beside = Grid(UTM, grid().transform @ Affine.translation(0.5, 0.5), 18, 18)
    found = np.concatenate([v for _, v in gridded(Image(path, (2, 1)), beside)], axis=1)
    assert np.isnan(found[:, :4]).all() and np.isfinite(found[:, 5:]).all()
    assert (found[0, 5:] == 9).all() and (found[1, 5:9] == 0).all()


def test_the_product_has_no_alpha_band(tmp_path: Path) -> None:
    on = grid(20, 20)
    strips = ((w, np.zeros((4, 20, 20), np.uint8)) for w in on.strips())
    write_strips(tmp_path / "a.tif", on, strips, bands=4, dtype="uint8", nodata=None)
    with rasterio.open(tmp_path / "a.tif") as source:
        assert ColorInterp.alpha not in source.colorinterp


def test_strips_cover_the_scene(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", smooth(STRIP * 2 + 7, 20), grid(STRIP * 2 + 7, 20))
    rows = [strip.valid.shape[0] for strip in strips(Image(path, (1,)))]
    assert rows == [STRIP, STRIP, 7]


def test_codes_of_32_bits_stay_exact_on_another_grid(tmp_path: Path) -> None:
    codes = np.where(np.arange(40) < 20, 2**25 + 1, 2**25 + 2).astype(np.int32)
    path = write(tmp_path / "label.tif", np.tile(codes, (1, 40, 1)), grid(40, 40, 10.0))
    strips = gridded_classes(path, 1, {2**25 + 1: 0, 2**25 + 2: 1}, grid(80, 80, 5.0))
    found = np.concatenate([v for _, v in strips], axis=1)[0]
    assert (found == np.where(np.arange(80) < 40, 0, 1)).all()
