"""The stage `map` and `dllr map` for a new scene, on the small scenes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

import dllr.stages.map
from dllr.cli import main
from dllr.params.load import read_yaml
from dllr.raster.grid import read_indices

from .small_run import made, project, run, stage  # noqa: F401
from .small_scenes import numbers, save, scene, write

R = Path("results")
CHECKPOINT = R / "evaluation/checkpoint.pt"
STAGE = (
    f"map --coregistered {R}/coregistered --superpixels {R}/superpixels --checkpoint {CHECKPOINT} "
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
    for name in ("class.tif", "confidence.tif", "entropy.tif", "polygons.gpkg", "suggestions.gpkg"):
        assert Path("new", name).read_bytes() == (R / "maps/b" / name).read_bytes()
    item = json.loads(Path("new/item.json").read_text())
    assert item["id"] == "new"
    assert item["properties"]["datetime"] == "2024-05-01T00:00:00Z"
    assert item["assets"]["model"]["href"] == f"../{CHECKPOINT}"
    chain = json.loads((R / "coregistered/b/record.json").read_text())["registration"]
    assert json.loads(Path("new/registration.json").read_text()) == chain


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
