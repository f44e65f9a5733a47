import json
import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pydantic import ValidationError

from dllr.demo.ground import CODES
from dllr.stages import demo
from dllr.stages.demo import run


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "country"
    run(out=out, demo={"country": small(size=160)})
    return out


def test_every_scene_has_its_files_and_only_the_last_lacks_a_label(folder: Path) -> None:
    scenes = sorted(folder.iterdir())
    assert [s.name for s in scenes] == [f"scene_{n:02d}" for n in range(1, 8)]
    for scene in scenes:
        files = {"cloud.tif", "optical.tif", "sar.tif", "truth.json"}
        if scene.name != "scene_07":
            files.add("label.tif")
        assert {p.name for p in scene.iterdir()} == files


def test_the_same_parameters_give_the_same_bytes(small, folder: Path, tmp_path: Path) -> None:
    run(out=tmp_path / "again", demo={"country": small(size=160)})
    for path in folder.rglob("*.*"):
        again = tmp_path / "again" / path.relative_to(folder)
        assert path.read_bytes() == again.read_bytes(), path


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read()


def test_a_scene_is_the_same_in_whatever_pieces_it_is_made(
    small, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "PIECE", 96)
    run(out=tmp_path / "again", demo={"country": small(size=160)})
    for name in ("optical.tif", "label.tif", "cloud.tif"):
        assert (read(folder / "scene_02" / name) == read(tmp_path / "again/scene_02" / name)).all()
    one, other = (read(at / "scene_02/sar.tif") for at in (folder, tmp_path / "again"))
    assert ((one == 0) == (other == 0)).all()
    # Speckle is drawn anew for each piece; what it falls on is the same.
    assert np.mean(one**2) == pytest.approx(np.mean(other**2), rel=0.1)


@pytest.mark.parametrize("unit", ["power", "db"])
def test_sar_files_hold_the_unit_asked_for(small, folder: Path, tmp_path: Path, unit: str) -> None:
    run(out=tmp_path / "other", demo={"country": small(size=160, sar_unit=unit)})
    with rasterio.open(tmp_path / "other/scene_01/sar.tif") as file:
        assert file.tags()["UNITS"].startswith({"power": "power", "db": "dB"}[unit])
        values, missing = file.read(1), file.nodata
    amplitude = read(folder / "scene_01/sar.tif")[0]
    seen = amplitude > 0
    assert (values[~seen] == missing).all()
    power = values[seen] if unit == "power" else 10 ** (values[seen] / 10)
    assert power == pytest.approx(amplitude[seen] ** 2, rel=1e-4)


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
        assert (file.count, file.dtypes[0], file.nodata) == (1, "float32", 0)
        assert file.crs.to_epsg() == 4326
        assert file.tags()["UNITS"].startswith("amplitude")
        assert file.tags()["LOOKS"] == "4"
        assert file.tags()["SIMULATOR"].endswith("version 1")
        assert np.isfinite(file.read()).all()
    with rasterio.open(folder / "scene_01/label.tif") as file:
        assert (file.dtypes[0], file.nodata) == ("uint8", 0)
        assert set(np.unique(file.read())) <= {0, *CODES}


def test_scenes_lie_side_by_side(folder: Path) -> None:
    bounds = defaultdict(list)
    for path in sorted(folder.glob("*/optical.tif")):
        with rasterio.open(path) as file:
            bounds[file.crs.to_epsg()].append(file.bounds)
    assert set(bounds) == {32650, 32651}
    for those in bounds.values():
        assert all(a.right < b.left for a, b in pairwise(those))


def test_truth_tells_the_hazards_and_a_transform_that_is_a_similarity(folder: Path) -> None:
    truths = [json.loads(p.read_text()) for p in sorted(folder.glob("*/truth.json"))]
    assert [t["hazard"] for t in truths] == [
        None,
        None,
        "missing",
        "zone",
        "wedge",
        "cloud",
        "unlabelled",
    ]
    for truth in truths:
        fault = truth["misregistration"]
        (a, b, c), (d, e, f) = fault["true_to_georeferenced"]
        assert (a, b) == pytest.approx((e, -d))
        assert np.hypot(a, d) == pytest.approx(fault["scale"])
        assert np.degrees(np.arctan2(d, a)) == pytest.approx(fault["rotation_degrees"])
        x, y = fault["centre"]
        moved = (a * x + b * y + c - x, d * x + e * y + f - y)
        assert moved == pytest.approx(fault["shift_m"], abs=1e-6)
    assert truths[5]["optical"]["cloud_share"] > 0.35


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sar_crs": "nonsense"}, "write one as EPSG:4326"),
        ({"sar_crs": "EPSG:4978"}, "neither geographic nor projected"),
        ({"sar_crs": "EPSG:5773"}, "neither geographic nor projected"),
        ({"sar_pixel": 50.0}, "expected 1/8 to 8 times"),
        ({"missing": "farmland"}, "missing"),
        ({"looks": 2.5}, "looks"),
    ],
)
def test_a_country_that_cannot_be_is_refused(small, change, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        small(**change)
