"""The stages up to `split` on small scenes that are unusual, and fine."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine

from dllr.cli import main
from dllr.params.load import read_yaml

from .small_scenes import (
    SIDE,
    front,
    mask,
    project,
    save,
    scene,
    tagged,
    unlabel,
    write,
)  # fmt: skip

__all__ = ["project"]


@pytest.mark.usefixtures("project")
def test_what_is_not_bad_passes() -> None:
    assert front() == 0


@pytest.mark.parametrize("nodata", [-9999.0, None])
def test_nodata_that_the_type_cannot_hold_is_no_nodata(project: Path, nodata: float | None) -> None:
    values = read_yaml(Path("params.yaml"))
    values["scenes"]["optical"]["nodata"] = nodata
    save(values)
    bands = np.full((4, SIDE, SIDE), 7, np.uint16)
    bands[:, :9] = 0
    write(scene(project, "optical.tif"), bands)
    assert front() == 0
    with rasterio.open("results/coregistered/b/optical.tif") as source:
        assert np.array_equal(source.read(), bands)


def test_a_mask_inside_the_file_counts(project: Path) -> None:
    path = scene(project, "optical.tif")
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[:32] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as target:
        target.write_mask(mask)
    assert front() == 0
    record = json.loads(Path("results/scenes/records/b.json").read_text())
    assert record["optical"]["nodata_share"] == 0.25
    with rasterio.open("results/coregistered/b/optical.tif") as source:
        assert (source.read()[:, :32] == 0).all() and (source.read()[:, 32:] > 0).all()


def test_scale_tags_that_agree_with_the_settings_are_welcome(project: Path) -> None:
    tagged(scene(project, "optical.tif"), 0.0001, 0.0)
    assert front() == 0


def test_patterns_may_name_the_scene_twice_and_rows_may_run_north(project: Path) -> None:
    for name in "abcd":
        folder = project / "data/demo" / name
        for kind in ("optical", "sar", "label"):
            path = folder / f"{kind}.tif"
            with rasterio.open(path) as source:
                values, profile = source.read()[:, ::-1], source.profile
            up = profile["transform"] @ Affine.translation(0, SIDE) @ Affine.scale(1, -1)
            with rasterio.open(
                folder / f"{name}_{kind}.tif", "w", **profile | {"transform": up}
            ) as target:
                target.write(values)
            path.unlink()
    values = read_yaml(Path("params.yaml"))
    for kind in ("optical", "sar", "label"):
        values["scenes"][kind]["pattern"] = "{scene}/{scene}_" + kind + ".tif"
    save(values)
    assert front() == 0


def test_a_scene_smaller_than_a_window_is_left_out(project: Path) -> None:
    values = read_yaml(Path("params.yaml"))
    values["tile"] |= {"min_valid": 0.3}
    save(values)
    for kind in ("optical", "sar", "label"):
        path = scene(project, f"{kind}.tif", "a")
        with rasterio.open(path) as source:
            small, profile = (
                source.read()[:, :20, :20],
                source.profile | {"height": 20, "width": 20},
            )
        with rasterio.open(path, "w", **profile) as target:
            target.write(small)
    assert front() == 0
    assert Path("results/split/roles/a.tif").exists()
    assert json.loads(Path("results/split/summary.json").read_text())["scenes"]["a"] == "none"


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("calibration", [0.0, 0.5])
def test_no_budget_labels_every_training_window_the_calibration_fold_does_not_touch(
    calibration: float,
) -> None:
    values = read_yaml(Path("params.yaml"))
    values["split"] |= {"labelled_tiles": None, "calibration": calibration}
    save(values)
    assert front() == 0
    windows = pd.read_parquet("results/split/windows.parquet")
    train = windows[windows["split"] == "train"]
    held_back = train[train["labelled"] == "calibration"]
    assert held_back.empty == (calibration == 0)
    size = int(windows["size"].iloc[0])
    for row in train.itertuples():
        near = held_back[held_back["scene"] == row.scene][["y", "x"]] - [row.y, row.x]
        touches = bool((near.abs().max(axis=1) < size).any())
        assert row.labelled != ("train" if touches else "no")


def test_scenes_without_labels_join_the_training_pool(project: Path) -> None:
    unlabel(project, "a")
    for kind in ("optical", "sar", "label"):
        with rasterio.open(scene(project, f"{kind}.tif")) as source:
            write(scene(project, f"{kind}.tif", "e"), source.read())
    assert front() == 0
    summary = json.loads(Path("results/split/summary.json").read_text())
    assert summary["scenes"]["a"] == "train"
    assert summary["labelled_tiles"] == {"no": 18, "train": 2}


def test_dark_pixels_stay_where_a_mask_takes_others(project: Path) -> None:
    values = read_yaml(Path("params.yaml"))
    values["scenes"]["optical"]["mask"] = mask("{scene}/cloud.tif")
    save(values)
    rng = np.random.default_rng(3)
    for name in "abcd":
        bands = rng.integers(0, 250, (4, SIDE, SIDE)).astype(np.uint8)
        bands[:, :40] = 0
        write(scene(project, "optical.tif", name), bands)
        cloud = np.zeros((1, SIDE, SIDE), np.uint8)
        cloud[:, 100:] = 1
        write(scene(project, "cloud.tif", name), cloud)
    assert front() == 0
    with rasterio.open("results/coregistered/b/optical.tif") as source:
        found, nodata = source.read(), source.nodata
    assert nodata == 255
    assert (found[:, 100:] == 255).all() and (found[:, :40] == 0).all()
    record = json.loads(Path("results/scenes/records/b.json").read_text())
    assert record["optical"]["masked_share"] == pytest.approx(28 / 128)


@pytest.mark.usefixtures("project")
def test_classes_in_another_order_are_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    assert front() == 0
    values = read_yaml(Path("params.yaml"))
    classes = values["scenes"]["label"]["classes"]
    values["scenes"]["label"]["classes"] = dict(reversed(classes.items()))
    Path("params.yaml").write_text(json.dumps(values))  # keeps the order
    words = (
        "split --records results/scenes --coregistered results/coregistered --tiles results/tiles"
    )
    assert main([*words.split(), "--labels", "results/labels", "--out", "results/split"]) == 1
    assert "an order alone is no change" in capsys.readouterr().err
    assert front() == 0
