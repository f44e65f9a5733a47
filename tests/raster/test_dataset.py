"""A co-registered scene in a notebook: what is plotted is what training sees."""

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

import dllr
from dllr.errors import SceneError
from dllr.files import write_json
from dllr.raster.arrays import open_arrays
from dllr.raster.grid import IGNORE, STRIP, Grid, write_strips


def test_a_dataset_holds_what_training_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    grid = Grid(CRS.from_epsg(32650), Affine(5, 0, 500_000, 0, -5, 3_300_000), STRIP + 40, 70)
    rng = np.random.default_rng(0)
    optical = rng.integers(1, 9000, (3, grid.height, grid.width)).astype(np.uint16)
    optical[:, :7] = 0
    optical[1, 20, 20] = 0  # one dark band is no missing pixel
    sar = rng.normal(-12, 3, (1, grid.height, grid.width)).astype(np.float32)
    sar[:, -5:] = np.nan
    for name, values, nodata, tags in (
        ("optical", optical, 0, {}),
        ("sar", sar, float("nan"), {"unit": "dB"}),
    ):
        strips = ((w, values[:, w.row_off : w.row_off + w.height]) for w in grid.strips())
        write_strips(
            tmp_path / "s" / f"{name}.tif", grid, strips, bands=len(values), dtype=str(values.dtype),
            nodata=nodata, tags=tags,
        )  # fmt: skip
    facts = {"scale": 0.0001, "offset": 0.1, "registration": {"verdict": "none"}, "sources": {}}
    write_json(
        tmp_path / "s/record.json", {"optical_bands": list("bgr"), "sar_bands": ["VV"], **facts}
    )
    scene = dllr.open_scene(tmp_path / "s")
    patch = open_arrays(tmp_path / "s").read(0, 0, grid.height, grid.width)
    assert scene.optical.chunks is not None
    assert np.array_equal(scene.valid.values, patch.valid)
    assert np.array_equal(np.isfinite(scene.optical.values).all(axis=0), patch.valid[0])
    assert np.array_equal(np.isfinite(scene.sar.values).all(axis=0), patch.valid[1])
    assert np.allclose(np.nan_to_num(scene.optical.values), patch.optical)
    assert np.allclose(np.nan_to_num(scene.sar.values), patch.sar)
    assert scene.sel(optical_band="g").optical.shape == (grid.height, grid.width)
    assert (float(scene.x[0]), float(scene.y[0])) == (500_002.5, 3_299_997.5)
    assert scene.attrs["crs"] == "EPSG:32650" and scene.sar.attrs["unit"] == "dB"


def test_a_label_comes_along_and_must_lie_on_the_grid(tmp_path: Path) -> None:
    grid = Grid(CRS.from_epsg(32650), Affine(5, 0, 500_000, 0, -5, 3_300_000), STRIP + 20, 30)
    codes = np.random.default_rng(0).choice([0, 1, IGNORE], (1, STRIP + 20, 30)).astype(np.uint8)
    for name, values in (("s/optical", codes), ("s/sar", codes), ("label", codes)):
        strips = ((w, values[:, w.row_off : w.row_off + w.height]) for w in grid.strips())
        write_strips(
            tmp_path / f"{name}.tif",
            grid,
            strips,
            bands=1,
            dtype="uint8",
            nodata=IGNORE,
            tags={"unit": "dB"},
        )
    facts = {"scale": 1.0, "offset": 0.0, "registration": {"verdict": "none"}, "sources": {}}
    write_json(tmp_path / "s/record.json", {"optical_bands": ["b"], "sar_bands": ["VV"], **facts})
    scene = dllr.open_scene(tmp_path / "s", tmp_path / "label.tif")
    assert scene.label.dtype == np.uint8 and scene.label.chunks is not None
    assert np.array_equal(scene.label.values, codes[0])
    small = [(w, codes[:, :20]) for w in Grid(grid.crs, grid.transform, 20, 30).strips()]
    write_strips(
        tmp_path / "other.tif", Grid(grid.crs, grid.transform, 20, 30), small, bands=1, dtype="uint8",
        nodata=IGNORE,
    )  # fmt: skip
    with pytest.raises(SceneError, match="is not on the grid of"):
        dllr.open_scene(tmp_path / "s", tmp_path / "other.tif")


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="no co-registered scene; name a folder such as"):
        dllr.open_scene(tmp_path)


def test_a_rotated_grid_has_coordinates_of_two_dimensions(tmp_path: Path) -> None:
    turned = Affine.translation(500_000, 3_300_000) @ Affine.rotation(30) @ Affine.scale(5, -5)
    grid = Grid(CRS.from_epsg(32650), turned, 20, 30)
    for name in ("optical", "sar"):
        strips = [(w, np.ones((1, 20, 30), np.float32)) for w in grid.strips()]
        write_strips(
            tmp_path / f"{name}.tif", grid, strips, bands=1, dtype="float32", nodata=None,
            tags={"unit": "dB"},
        )  # fmt: skip
    facts = {"scale": 1.0, "offset": 0.0, "registration": {"verdict": "none"}, "sources": {}}
    write_json(tmp_path / "record.json", {"optical_bands": ["b"], "sar_bands": ["VV"], **facts})
    scene = dllr.open_scene(tmp_path)
    expected = turned @ (12.5, 7.5)
    found = float(scene.easting[7, 12]), float(scene.northing[7, 12])
    assert found == pytest.approx(expected)
    assert (float(scene.y[7]), float(scene.x[12])) == (7.5, 12.5)
