"""The stage `map` and `dllr map` for a new scene, on the small scenes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.features import rasterize

import dllr.stages.map
from dllr.cli import main
from dllr.params.load import read_yaml
from dllr.raster.grid import read_indices
from dllr.raster.roles import Role

from .small_run import made, project, run, stage  # noqa: F401
from .small_scenes import SIDE, front, numbers, save, scene, write

R = Path("results")
CHECKPOINT = R / "evaluation/checkpoint.pt"
STAGE = (
    f"map --coregistered {R}/coregistered --superpixels {R}/superpixels --split {R}/split --checkpoint {CHECKPOINT} "
    f"--out {R}/maps"
)


def files(project: Path, name: str = "b") -> dict[str, Path]:  # noqa: F811
    return {kind: scene(project, f"{kind}.tif", name) for kind in ("optical", "sar")}


def new(out: str, **given: Any) -> int:
    return main(
        ["map", "--out", out, *(word for k, v in given.items() for word in (f"--{k}", str(v)))]
    )


def refused(capsys: pytest.CaptureFixture[str], *words: str, **given: Any) -> None:
    capsys.readouterr()
    assert new("new", **given) == 1
    printed = capsys.readouterr().err
    assert all(word in printed for word in words), printed
    assert not Path("new").exists()


@pytest.mark.usefixtures("run")
def test_every_scene_is_mapped_labelled_or_not() -> None:
    stage(STAGE)
    for name in "abcd":
        item = json.loads((R / f"maps/{name}/item.json").read_text())
        for asset in item["assets"].values():
            assert (R / "maps" / name / asset["href"]).exists()
        assert item["assets"]["model"]["href"] == "../../evaluation/checkpoint.pt"
        assert str(Path.cwd()) not in json.dumps(item)


@pytest.mark.usefixtures("run")
def test_finished_scenes_survive_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    mapped = dllr.stages.map.write_map

    def dying(arrays: Any, *arguments: Any) -> None:
        begun.append(arrays.name)
        if len(begun) == 3:
            raise OSError("the power went")
        mapped(arrays, *arguments)

    monkeypatch.setattr(dllr.stages.map, "write_map", dying)
    assert main(STAGE.split()) == 1
    assert not (R / "maps").exists()
    stage(STAGE)
    assert begun == ["a", "b", "c", "c", "d"]


def test_a_new_scene_has_the_map_that_the_chain_makes(run: Path) -> None:  # noqa: F811
    stage(STAGE)
    assert new("new", **files(run), date="2024-05-01") == 0
    for name in ("class.tif", "confidence.tif", "entropy.tif", "polygons.gpkg"):
        assert Path("new", name).read_bytes() == (R / "maps/b" / name).read_bytes()
    item = json.loads(Path("new/item.json").read_text())
    assert item["id"] == "new"
    assert item["properties"]["datetime"] == "2024-05-01T00:00:00Z"
    assert item["assets"]["model"]["href"] == f"../{CHECKPOINT}"
    chain = json.loads((R / "coregistered/b/record.json").read_text())["registration"]
    assert json.loads(Path("new/registration.json").read_text()) == chain


def test_suggested_is_ground_that_nothing_is_known_of(run: Path) -> None:  # noqa: F811
    stage(STAGE)
    suggested = 0
    for name in "abcd":
        roles = read_indices(R / f"split/roles/{name}.tif")
        _, _, outlines, _ = pyogrio.raw.read(R / f"maps/{name}/suggestions.gpkg")
        free = (roles == Role.UNLABELLED).any()
        assert bool(len(outlines)) == free
        suggested += len(outlines)
        with rasterio.open(R / f"maps/{name}/class.tif") as source:
            place, shape = source.transform, source.shape
        for outline in shapely.from_wkb(outlines):
            inside = rasterize([outline], shape, transform=place) == 1
            assert (roles[inside] == Role.UNLABELLED).all()
    assert suggested
    assert new("new", **files(run, "a")) == 0  # of a scene that is new nothing is known
    wanted = read_yaml(Path("params.yaml"))["map"]["suggestions"]
    assert pyogrio.read_info("new/suggestions.gpkg")["features"] == wanted


def test_the_day_is_that_of_the_file_where_none_is_given(run: Path) -> None:  # noqa: F811
    for path in files(run).values():
        with rasterio.open(path, "r+") as target:
            target.update_tags(ACQUISITION_DATE="2023-07-04")
    assert new("tagged", **files(run)) == 0
    assert new("said", **files(run), date="2024-05-01") == 0
    days = [
        json.loads(Path(n, "item.json").read_text())["properties"]["datetime"]
        for n in ("tagged", "said")
    ]
    assert days == ["2023-07-04T00:00:00Z", "2024-05-01T00:00:00Z"]
    assert front() == 0
    stage(STAGE)
    chain = json.loads((R / "maps/b/item.json").read_text())["properties"]
    assert chain["datetime"] == "2023-07-04T00:00:00Z"


def test_an_image_without_data_is_told_and_two_are_refused(
    run: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = files(run)
    nothing = {
        "optical": np.zeros((4, SIDE, SIDE), np.uint16),
        "sar": np.full((1, SIDE, SIDE), np.nan, np.float32),
    }
    for kind, values in nothing.items():
        write(given[kind], values)
        with rasterio.open(given[kind], "r+") as target:
            target.nodata = 0 if kind == "optical" else np.nan
        if kind == "optical":
            assert new("radar", **given) == 0
            printed = capsys.readouterr().out
            assert "mapped from sar alone" in printed and "optical.tif holds no data" in printed
    refused(capsys, "hold no data", "nodata", **given)
    refused(capsys, "hold no data", optical=given["optical"])


def test_pixels_of_another_size_are_told(run: Path, caplog: pytest.LogCaptureFixture) -> None:  # noqa: F811
    given = files(run)
    assert new("same", **given) == 0
    assert "gdalwarp -tr" not in caplog.text
    for path in given.values():
        with rasterio.open(path, "r+") as target:
            target.transform = target.transform @ Affine.scale(2)
    assert new("larger", **given) == 0
    assert "pixels of 10 m" in caplog.text and "pixels of 5 m" in caplog.text


def test_sar_that_stays_where_it_was_is_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    values = read_yaml(Path("params.yaml"))
    values["coregister"]["estimators"] = ["information", "gradients"]
    save(values)
    assert new("new", **files(run)) == 0  # noise: there is nothing that both could find
    evidence = json.loads(Path("new/registration.json").read_text())
    assert evidence["verdict"] == "unverified"
    printed = capsys.readouterr().out
    assert "unverified" in printed and evidence["reason"] in printed


def test_a_scale_that_the_file_contradicts_is_refused(
    run: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = files(run)["optical"]
    with rasterio.open(path, "r+") as target:
        target.scales = (0.5,) * target.count
    refused(capsys, "optical:", "scale", optical=path)


@pytest.mark.parametrize("kind", ["optical", "sar"])
def test_one_file_is_enough(run: Path, kind: str) -> None:  # noqa: F811
    assert new("new", **{kind: files(run)[kind]}) == 0
    with rasterio.open("new/class.tif") as found, rasterio.open(files(run)[kind]) as given:
        assert (found.crs, found.transform, found.shape) == (
            given.crs,
            given.transform,
            given.shape,
        )
        assert (found.read(1) != 255).all()
    with rasterio.open("new/confidence.tif") as source:
        assert source.tags()["head"] == kind


def test_bands_are_found_by_the_names_in_the_file(run: Path) -> None:  # noqa: F811
    assert new("plain", **files(run)) == 0
    path = files(run)["optical"]
    with rasterio.open(path) as source:
        values, profile = source.read(), source.profile
    with rasterio.open(path, "w", **profile) as target:
        target.write(values[::-1])
        target.descriptions = ("nir", "red", "green", "blue")
    assert new("turned", **files(run)) == 0
    assert np.array_equal(
        read_indices(Path("turned/class.tif")), read_indices(Path("plain/class.tif"))
    )


def test_what_is_edited_in_a_new_map_is_not_edited_in_the_cache(run: Path) -> None:  # noqa: F811
    assert new("one", **files(run)) == 0
    before = Path("one/polygons.gpkg").read_bytes()
    with Path("one/polygons.gpkg").open("r+b") as file:
        file.write(b"edited")
    assert new("two", **files(run)) == 0
    assert Path("two/polygons.gpkg").read_bytes() == before


def test_what_cannot_be_mapped_is_refused_before_work_is_lost(
    run: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = files(run)
    refused(capsys, "nothing to map", "--optical")
    refused(capsys, "cannot be opened", sar=run / "nothing.tif")
    refused(capsys, "cannot be read as a checkpoint", checkpoint=given["sar"], **given)
    refused(capsys, "1 band(s)", "scenes.optical", optical=given["sar"])
    far = scene(run, "sar.tif", "d")
    refused(capsys, "do not lie on one another", optical=given["optical"], sar=far)
    values = read_yaml(Path("params.yaml"))
    values["scenes"]["optical"]["bands"] = {"blue": 1, "green": 2, "red": 3, "near": 4}
    save(values)
    refused(capsys, "expects the optical bands", "lacks nir", optical=given["optical"])
    values["scenes"]["sar"]["unit"] = "dn"
    save(values)
    refused(capsys, "in dB", "unit is dn", sar=given["sar"])


def test_a_folder_that_holds_something_is_left_alone(
    run: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("mine").mkdir()
    Path("mine/project.qgz").write_text("work of days")
    assert new("mine", **files(run)) == 1
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in Path("mine").iterdir()] == ["project.qgz"]


def test_a_mask_inside_the_file_counts_and_one_elsewhere_is_refused(
    run: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = read_yaml(Path("params.yaml"))
    path = run / "masked" / "optical.tif"
    with rasterio.open(files(run)["optical"]) as source:
        bands = source.read()
    flags = (numbers(0, 10) == 3).astype(np.uint16)
    write(path, np.concatenate([bands, flags]), east=501_000)
    values["scenes"]["optical"]["mask"] = {"pattern": None, "band": 5, "bad": [1.0], "above": None}
    save(values)
    assert new("masked_map", optical=path) == 0
    assert np.array_equal(read_indices(Path("masked_map/class.tif")) == 255, flags[0] == 1)
    values["scenes"]["optical"]["mask"]["pattern"] = "{scene}/cloud.tif"
    save(values)
    refused(capsys, "{scene}/cloud.tif", "null", optical=path)
