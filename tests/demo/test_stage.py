import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio

from dllr.demo.ground import CODES
from dllr.stages.demo import run


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "country"
    run(out=out, demo={"country": small(size=160)})
    return out


def test_every_scene_has_its_files_and_only_the_last_lacks_a_label(folder: Path) -> None:
    scenes = sorted(folder.iterdir())
    assert [s.name for s in scenes] == [f"scene_{n:02d}" for n in range(1, 6)]
    for scene in scenes:
        files = {"cloud.tif", "optical.tif", "sar.tif", "truth.json"}
        if scene.name != "scene_05":
            files.add("label.tif")
        assert {p.name for p in scene.iterdir()} == files


def test_the_same_parameters_give_the_same_bytes(small, folder: Path, tmp_path: Path) -> None:
    run(out=tmp_path / "again", demo={"country": small(size=160)})
    for path in folder.rglob("*.*"):
        again = tmp_path / "again" / path.relative_to(folder)
        assert path.read_bytes() == again.read_bytes(), path


def test_rasters_say_where_when_and_in_which_unit(folder: Path) -> None:
    with rasterio.open(folder / "scene_01/optical.tif") as file:
        assert (file.count, file.dtypes[0], file.nodata) == (4, "uint16", 0)
        assert (file.width, file.height, file.res) == (160, 160, (5, 5))
        assert file.crs.to_epsg() == 32650
        assert file.descriptions == ("blue", "green", "red", "nir")
        assert file.tags()["UNITS"] == "reflectance × 10000"
        assert re.fullmatch(r"2023-\d\d-\d\d", file.tags()["ACQUISITION_DATE"])
        longitude, latitude = file.lnglat()
        assert (longitude, latitude) == pytest.approx((114, 30), abs=0.2)
    with rasterio.open(folder / "scene_01/sar.tif") as file:
        assert (file.count, file.dtypes[0], file.nodata, file.res) == (1, "float32", 0, (6, 6))
        assert file.tags()["UNITS"].startswith("amplitude")
        assert file.tags()["LOOKS"] == "4"
        assert np.isfinite(file.read()).all()
    with rasterio.open(folder / "scene_01/label.tif") as file:
        assert (file.dtypes[0], file.nodata) == ("uint8", 0)
        assert set(np.unique(file.read())) <= {0, *CODES}


def test_scenes_lie_side_by_side(folder: Path) -> None:
    bounds = []
    for path in sorted(folder.glob("*/optical.tif")):
        with rasterio.open(path) as file:
            bounds.append(file.bounds)
    assert all(a.right < b.left for a, b in pairwise(bounds))


def test_truth_tells_the_hazards_and_a_transform_that_is_a_similarity(folder: Path) -> None:
    truths = [json.loads(p.read_text()) for p in sorted(folder.glob("*/truth.json"))]
    assert [t["hazard"] for t in truths] == [None, None, "wedge", "cloud", "unlabelled"]
    for truth in truths:
        fault = truth["misregistration"]
        (a, b, c), (d, e, f) = fault["true_to_georeferenced"]
        assert (a, b) == pytest.approx((e, -d))
        assert np.hypot(a, d) == pytest.approx(fault["scale"])
        assert np.degrees(np.arctan2(d, a)) == pytest.approx(fault["rotation_degrees"])
        x, y = fault["centre"]
        moved = (a * x + b * y + c - x, d * x + e * y + f - y)
        assert moved == pytest.approx(fault["shift_m"], abs=1e-6)
    assert truths[3]["optical"]["cloud_share"] > 0.35
