"""Bad input ends in `scenes` or `split` at the latest, with a message that says what to do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from ruamel.yaml import YAML

from dllr.cli import main
from dllr.params.load import read_yaml

ROOT = Path(__file__).parents[2]
SIDE = 128
LOCAL = 'LOCAL_CS["x",UNIT["metre",1]]'
Edit = Callable[[Path, Any], None]


def write(
    path: Path, values: np.ndarray, crs: str = "EPSG:32650", east: float | None = None
) -> None:
    """A raster of a scene; scenes a, b, c, ... lie side by side."""
    if east is None:
        east = 500_000 + 1000 * (ord(path.parent.name[0]) - ord("a"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", crs=crs, transform=Affine(5, 0, east, 0, -5, 3_300_000), height=SIDE,
        width=SIDE, count=len(values), dtype=values.dtype,
    ) as target:  # fmt: skip
        target.write(values)


def tagged(path: Path, scale: float, offset: float) -> None:
    with rasterio.open(path, "r+") as target:
        target.scales, target.offsets = (
            (scale,) * target.count,
            (offset,) * target.count,
        )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four small scenes that are taken as they are, and params for them."""
    rng = np.random.default_rng(0)
    for name in "abcd":
        folder = tmp_path / "data" / "demo" / name
        write(folder / "optical.tif", rng.integers(1, 9000, (4, SIDE, SIDE)).astype(np.uint16))
        write(folder / "sar.tif", rng.random((1, SIDE, SIDE), np.float32) + 0.1)
        write(folder / "label.tif", rng.choice([10, 20, 40, 0], (1, SIDE, SIDE)).astype(np.uint8))
    (tmp_path / "params").symlink_to(ROOT / "params")
    monkeypatch.chdir(tmp_path)
    values = read_yaml(ROOT / "params.yaml")
    values["tile"] |= {"size": 64, "stride": 64}
    values["split"] |= {"labelled_tiles": 2}
    values["coregister"]["estimator"] = "none"
    save(values)
    return tmp_path


def save(values: Any) -> None:
    with Path("params.yaml").open("w") as file:
        YAML(typ="safe").dump(values, file)


def front() -> int:
    """The stages up to `split`, as dvc.yaml runs them; the first failure's exit status."""
    r = "results"
    for words in (
        f"scenes --out {r}/scenes",
        f"coregister --records {r}/scenes --out {r}/coregistered --labels-out {r}/labels",
        f"tile --coregistered {r}/coregistered --out {r}/tiles --superpixels-out {r}/superpixels",
        f"split --records {r}/scenes --coregistered {r}/coregistered --tiles {r}/tiles --labels {r}/labels --out {r}/split",
    ):
        if status := main(words.split()):
            return status
    return 0


def scene(project: Path, file: str, name: str = "b") -> Path:
    return project / "data" / "demo" / name / file


def listed(project: Path, values: Any, text: str) -> None:
    (project / "list.csv").write_text(text)
    values["scenes"]["list"] = "list.csv"


def mask(pattern: str | None, **changes: Any) -> dict[str, Any]:
    return {"pattern": pattern, "band": 1, "bad": [1.0], "above": None} | changes


def numbers(low: int, high: int) -> np.ndarray:
    return np.random.default_rng(1).integers(low, high, (1, SIDE, SIDE)).astype(np.uint16)


def truncate(project: Path, _: Any) -> None:
    path = scene(project, "sar.tif")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def unlabel(project: Path, names: str) -> None:
    for name in names:
        scene(project, "label.tif", name).unlink()


CASES: dict[str, tuple[Edit, list[str]]] = {
    "mistyped parameter": (
        lambda _, v: v["split"].update(labeled_tiles=3),
        ["split.labeled_tiles: unknown key; did you mean `labelled_tiles`?"],
    ),
    "missing root": (
        lambda _, v: v["scenes"].update(root="data/nowhere"),
        ["data/nowhere does not exist", "set scenes.root"],
    ),
    "empty root": (
        lambda p, v: ((p / "data/empty").mkdir(), v["scenes"].update(root="data/empty")),
        ["no file under data/empty matches", "scenes.optical.pattern"],
    ),
    "SAR without optical": (
        lambda p, _: scene(p, "optical.tif").unlink(),
        ["1 scene(s) (b)", "with SAR but no optical", "add the files", "scenes.incomplete"],
    ),
    "optical without SAR": (
        lambda p, _: scene(p, "sar.tif").unlink(),
        ["1 scene(s) (b)", "with optical but no SAR"],
    ),
    "label code outside the map": (
        lambda p, _: write(scene(p, "label.tif"), np.full((1, SIDE, SIDE), 33, np.uint8)),
        ["b/label.tif", "33 (16384 px)", "scenes.label.ignore"],
    ),
    "no labelled scene": (
        lambda p, _: unlabel(p, "abcd"),
        ["none of the 4 scenes", "has a label file", "at least one"],
    ),
    "only ignored labels": (
        lambda p, _: [write(scene(p, "label.tif", n), np.zeros((1, SIDE, SIDE), np.uint8)) for n in "abcd"],
        ["every label pixel has an ignored code"],
    ),
    "truncated GeoTIFF": (truncate, ["b/sar.tif", "truncated"]),
    "not a raster": (
        lambda p, _: scene(p, "optical.tif").write_text("hello"),
        ["b/optical.tif cannot be opened as a raster"],
    ),
    "no overlap": (
        lambda p, _: write(scene(p, "sar.tif"), np.ones((1, SIDE, SIDE), np.float32), "EPSG:32633"),
        ["scene b", "EPSG:32633", "EPSG:32650", "do not overlap"],
    ),
    "label elsewhere": (
        lambda p, _: write(scene(p, "label.tif"), np.full((1, SIDE, SIDE), 10, np.uint8), east=700_000),
        ["scene b: label", "do not overlap"],
    ),
    "band that is not there": (
        lambda _, v: v["scenes"]["optical"]["bands"].update(swir=5),
        ["has 4 band(s), but band 5 is asked for"],
    ),
    "too few labelled scenes": (
        lambda p, _: unlabel(p, "ab"),
        ["2 labelled scene(s) that share no ground", "at least 3", "split.by to block"],
    ),
    "one scene twice": (
        lambda p, _: (
            [shutil.copytree(p / "data/demo/a", p / "data/demo" / n, dirs_exist_ok=True) for n in "bcd"],
        ),
        ["1 labelled scene(s) that share no ground", "at least 3"],
    ),
    "blocks of scenes that overlap": (
        lambda p, v: (
            shutil.copytree(p / "data/demo/a", p / "data/demo/a2"),
            v["split"].update(by="block", block=64, buffer=0),
        ),
        ["scenes a, a2 overlap on the ground", "set split.by to scene"],
    ),
    "labels where nothing was seen": (
        lambda p, v: (
            [write(scene(p, "optical.tif", n), np.zeros((4, SIDE, SIDE), np.uint16)) for n in "ab"],
            [write(scene(p, "sar.tif", n), np.zeros((1, SIDE, SIDE), np.float32)) for n in "ab"],
            v["scenes"]["optical"].update(nodata=0.0),
        ),
        ["2 labelled scene(s)", "at least 3"],
    ),
    "no place on the ground": (
        lambda p, _: write(scene(p, "sar.tif"), np.ones((1, SIDE, SIDE), np.float32), LOCAL),
        ["b/sar.tif has a CRS or position that cannot be related to the ground"],
    ),
    "windows larger than what is valid": (
        lambda _, v: v["tile"].update(size=1024, stride=1024, min_valid=0.5),
        ["no window of 1024 px", "check the nodata settings"],
    ),
    "an infinite number": (
        lambda _, v: v["scenes"]["optical"].update(offset=float("inf")),
        ["scenes.optical.offset", "finite number"],
    ),
    "complex SAR": (
        lambda p, _: write(scene(p, "sar.tif"), np.ones((1, SIDE, SIDE), np.complex64)),
        ["b/sar.tif holds complex values"],
    ),
    "label that is no label": (
        lambda p, _: write(scene(p, "label.tif"), np.full((1, SIDE, SIDE), 1.5, np.float32)),
        ["b/label.tif is no label file: it holds 1.5"],
    ),
    "no window worth a label": (
        lambda _, v: v["split"].update(min_labelled=0.999),
        ["no window of 64 px in the training split", "lower split.min_labelled"],
    ),
    "more labelled tiles than exist": (
        lambda _, v: v["split"].update(labelled_tiles=999),
        ["asks for 999 labelled tiles", "holds 8", "at most 8"],
    ),
    "numbers that float32 rounds": (
        lambda p, _: write(scene(p, "optical.tif"), np.full((4, SIDE, SIDE), 2**25 + 1, np.uint32)),
        ["b/optical.tif holds 33554433 as uint32", "beyond 16777216"],
    ),
    "a label that is a broken link": (
        lambda p, _: (scene(p, "label.tif").unlink(), scene(p, "label.tif").symlink_to("gone.tif")),
        ["b/label.tif is a link to gone.tif, which does not exist"],
    ),
    "an image that is a broken link": (
        lambda p, _: (scene(p, "sar.tif").unlink(), scene(p, "sar.tif").symlink_to("gone.tif")),
        ["b/sar.tif is a link to gone.tif"],
    ),
    "scale in the tags and another in the settings": (
        lambda p, _: tagged(scene(p, "optical.tif"), 0.002, -0.1),
        ["b/optical.tif declares scale 0.002 and offset -0.1", "set scenes.optical to these"],
    ),
    "SAR with a scale in the tags": (
        lambda p, _: tagged(scene(p, "sar.tif"), 0.5, 0.0),
        ["b/sar.tif declares scale 0.5", "gdal_translate -unscale"],
    ),
    "one pattern for both modalities": (
        lambda _, v: v["scenes"]["sar"].update(pattern=v["scenes"]["optical"]["pattern"]),
        ["sar.pattern", "names the files of another kind too"],
    ),
    "a pattern that leaves the folder": (
        lambda _, v: v["scenes"]["sar"].update(pattern="/data/{scene}/sar.tif"),
        ["scenes.sar.pattern", "a path below scenes.root"],
    ),
    "a pattern of any depth": (
        lambda _, v: v["scenes"]["label"].update(pattern="**/{scene}/label.tif"),
        ["scenes.label.pattern", "no /, .. or **"],
    ),
    "a list that is not there": (
        lambda _, v: v["scenes"].update(list="data/list.csv"),
        ["the list of scenes data/list.csv does not exist", "mend scenes.list"],
    ),
    "a list without the column scene": (
        lambda p, v: listed(p, v, "name\na\n"),
        ["has the columns name; expected `scene`"],
    ),
    "a list that names a scene twice": (
        lambda p, v: listed(p, v, "scene\na\na\n"),
        ["lists scene a twice"],
    ),
    "a list of files outside the root": (
        lambda p, v: listed(p, v, "scene,optical\na,/etc/hosts\n"),
        ["/etc/hosts, which lies outside scenes.root"],
    ),
    "a list of scenes that are not there": (
        lambda p, v: listed(p, v, "scene\na\nz\n"),
        ["1 scene(s) (z)", "with no files", "set scenes.incomplete to skip"],
    ),
    "a list with splits of another name": (
        lambda p, v: (listed(p, v, "scene,split\na,train\nb,dev\nc,test\nd,train\n"),
                      v["split"].update(by="given")),
        ["'dev'", "train, validation, test"],
    ),
    "a given split without a list": (
        lambda _, v: v["split"].update(by="given"),
        ["split.by is given, but the list", "set split.by to scene"],
    ),
    "a given split that leaks": (
        lambda p, v: (
            shutil.copytree(p / "data/demo/a", p / "data/demo/e"),
            listed(p, v, "scene,split\na,train\nb,train\nc,validation\nd,test\ne,test\n"),
            v["split"].update(by="given"),
        ),
        ["scenes a (train) and e (test) overlap on the ground"],
    ),
    "a group that matches nothing": (
        lambda _, v: v["split"].update(group="^NH(.)"),
        ["split.group '^NH(.)' matches the name of no scene"],
    ),
    "a group that is no expression": (
        lambda _, v: v["split"].update(group="("),
        ["split.group"],
    ),
    "a mask that is not there": (
        lambda _, v: v["scenes"]["optical"].update(mask=mask("{scene}/cloud.tif")),
        ["has no mask '{scene}/cloud.tif'", "set scenes.optical.mask to null"],
    ),
    "a mask that masks nothing": (
        lambda _, v: v["scenes"]["optical"].update(mask=mask(None, bad=[])),
        ["scenes.optical.mask", "neither bad nor above"],
    ),
    "a mask of a band that is not there": (
        lambda _, v: v["scenes"]["optical"].update(mask=mask(None, band=9)),
        ["b/optical.tif", "band 9"],
    ),
    "a mask that hides everything": (
        lambda _, v: v["scenes"]["optical"].update(mask=mask(None, bad=[], above=0.0)),
        ["no scene has a single valid optical pixel"],
    ),
    "placeholders that differ": (
        lambda _, v: v["scenes"]["sar"].update(pattern="{scene}/{part}.tif"),
        ["sar.pattern has the placeholders ['part', 'scene']"],
    ),
    "decibels declared as amplitude": (
        lambda p, _: [write(scene(p, "sar.tif", n), -numbers(50, 250).astype(np.float32) / 10) for n in "abcd"],
        ["b/sar.tif", "dB", "scenes.sar.unit"],
    ),
    "amplitudes declared as decibels": (
        lambda p, v: (
            [write(scene(p, "sar.tif", n), numbers(200, 900)) for n in "abcd"],
            v["scenes"]["sar"].update(unit="db"),
        ),
        ["b/sar.tif", "scenes.sar.unit"],
    ),
    "a filter of digital numbers": (
        lambda _, v: (v["scenes"]["sar"].update(unit="dn"), v["coregister"].update(speckle="lee")),
        ["coregister.speckle needs backscatter"],
    ),
    "a ratio of bands that are not there": (
        lambda _, v: v["coregister"].update(ratio=["VV", "VH"]),
        ["coregister.ratio names the band VH"],
    ),
    "a label band that is not there": (
        lambda _, v: v["scenes"]["label"].update(band=2),
        ["b/label.tif", "band 2"],
    ),
    "nothing but nodata": (
        lambda p, v: (
            [write(scene(p, "optical.tif", n), np.zeros((4, SIDE, SIDE), np.uint16)) for n in "abcd"],
            [write(scene(p, "sar.tif", n), np.zeros((1, SIDE, SIDE), np.float32)) for n in "abcd"],
            v["scenes"]["optical"].update(nodata=0.0),
        ),
        ["no scene has a single valid optical pixel", "check scenes.optical.nodata"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_message_says_what_to_do(
    case: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit, words = CASES[case]
    values = read_yaml(Path("params.yaml"))
    edit(project, values)
    save(values)
    assert front() == 1
    message = " ".join(capsys.readouterr().err.split())
    for word in words:
        assert word in message
    assert "Traceback" not in message


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
