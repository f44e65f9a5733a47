"""Scenes are found by patterns or by a list; what is not taken is said."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dllr.errors import SceneError
from dllr.ingest.sources import Found, discover
from dllr.params.load import read_yaml
from dllr.params.scenes import Scenes
from dllr.raster.image import Mask

ROOT = Path(__file__).parents[2]
HEADER = "scene,optical,sar,label,split,group\n"


def settings(root: Path, **changes: Any) -> Scenes:
    values = read_yaml(ROOT / "params/defaults.yaml")["scenes"]
    values |= {"root": str(root), "list": str(ROOT / "params/lists/everything.csv")}
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    return Scenes.model_validate(values)


def touch(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()


def names(found: Found) -> list[str]:
    return [source.name for source in found.sources]


@pytest.mark.parametrize(
    "pattern",
    [
        "{scene}/optical.tif",
        "optical/{scene}.tif",
        "{scene}_opt*.tif",
        "[a] {scene}/{scene}_optical.tif",
    ],
)
def test_patterns_find_scenes(tmp_path: Path, pattern: str) -> None:
    patterns = {k: pattern.replace("opt", k[:3]) for k in ("optical", "sar")}
    for name in ("A-1", "b_2"):
        touch(tmp_path, *(p.replace("{scene}", name).replace("*", "x") for p in patterns.values()))
    found = discover(settings(tmp_path, **{k: {"pattern": p} for k, p in patterns.items()}))
    assert names(found) == ["A-1", "b_2"]
    assert all(source.label is None for source in found.sources)
    assert found.warnings == []


def test_placeholders_of_any_name_are_joined_to_the_scenes_name(tmp_path: Path) -> None:
    for kind in ("s1", "s2", "lc"):
        for roi, patch in ((1, 30), (1, 31), (7, 30)):
            touch(
                tmp_path,
                f"ROIs1158_spring_{kind}/{kind}_{roi}/ROIs1158_spring_{kind}_{roi}_p{patch}.tif",
            )
    pattern = "{season}_s2/s2_{roi}/{season}_s2_{roi}_p{patch}.tif"
    found = discover(settings(
        tmp_path, optical={"pattern": pattern}, sar={"pattern": pattern.replace("s2", "s1")},
        label={"pattern": pattern.replace("s2", "lc")},
    ))  # fmt: skip
    assert names(found) == [f"ROIs1158_spring_{end}" for end in ("1_30", "1_31", "7_30")]
    assert found.sources[2].sar.path.name == "ROIs1158_spring_s1_7_p30.tif"
    assert all(source.label for source in found.sources)


def test_a_list_names_files_splits_and_groups_and_patterns_fill_in(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "x/o 1.tif",
        "b/optical.tif",
        "a/sar.tif",
        "b/sar.tif",
        "c/optical.tif",
        "c/sar.tif",
    )
    table = tmp_path / "list.csv"
    table.write_text(HEADER + "a,x/o 1.tif,,,train,north\nb,,,,test,\n")
    found = discover(settings(tmp_path, list=str(table)))
    assert names(found) == ["a", "b"]
    assert found.sources[0].optical.path == tmp_path / "x/o 1.tif"
    assert [(s.split, s.group) for s in found.sources] == [("train", "north"), ("test", "")]
    assert len(found.warnings) == 1 and "1 scene(s) (c)" in found.warnings[0]
    pd.read_csv(table, dtype=str).to_parquet(tmp_path / "list.parquet")
    assert discover(settings(tmp_path, list=str(tmp_path / "list.parquet"))) == Found(
        found.sources, [found.warnings[0].replace("list.csv", "list.parquet")]
    )


def item(name: str, **hrefs: str) -> dict[str, Any]:
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None, "links": [],
        "properties": {"datetime": "2026-01-01T00:00:00Z", "split": "train"},
        "assets": {kind: {"href": href} for kind, href in hrefs.items()},
    }  # fmt: skip


def collection(path: Path, *items: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    return path


def test_a_stac_item_collection_is_a_list(tmp_path: Path) -> None:
    touch(tmp_path, "a/o.tif", "a/s.tif", "a/clouds.tif", "stac/none")
    items = item("a", optical="../a/o.tif", sar=(tmp_path / "a/s.tif").as_uri(), optical_mask="../a/clouds.tif",
                 thumbnail="https://example.org/a.png")  # fmt: skip
    listed = collection(tmp_path / "stac/items.json", items)
    mask = {"pattern": None, "band": 1, "bad": [1.0], "above": None}
    found = discover(settings(tmp_path, list=str(listed), optical={"mask": mask}))
    (source,) = found.sources
    assert (source.optical.path, source.sar.path) == (tmp_path / "a/o.tif", tmp_path / "a/s.tif")
    assert source.optical.mask == Mask(tmp_path / "a/clouds.tif", 1, (1.0,))
    assert source.split == "train"


def test_a_mask_may_be_a_band_of_the_image(tmp_path: Path) -> None:
    touch(tmp_path, "a/optical.tif", "a/sar.tif")
    mask = {"pattern": None, "band": 5, "bad": [3.0, 8.0], "above": 40.0}
    (source,) = discover(settings(tmp_path, optical={"mask": mask})).sources
    assert source.optical.mask == Mask(tmp_path / "a/optical.tif", 5, (3.0, 8.0), 40.0)


def test_incomplete_scenes_can_be_skipped_and_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "a/optical.tif", "a/sar.tif", "b/optical.tif", "c/sar.tif")
    table = tmp_path / "list.csv"
    table.write_text("scene\na\nb\nc\nd\n")
    found = discover(settings(tmp_path, incomplete="skip", list=str(table)))
    assert names(found) == ["a"]
    said = " ".join(found.warnings)
    for words in ("(b) under", "(c) under", "(d) under", "no files", "optical but no SAR"):
        assert words in said
    with pytest.raises(SceneError, match="set scenes.incomplete to skip"):
        discover(settings(tmp_path, list=str(table)))


LISTS: dict[str, tuple[str, str]] = {
    "list.csv": ("name\na\n", "has the columns name; expected `scene`"),
    "more.csv": ("scene,colour\na,red\n", "colour; expected `scene`"),
    "twice.csv": ("scene\na\na\n", "lists scene a twice"),
    "folder.csv": ("scene\n../a\n", "names become folders"),
    "none.csv": ("scene\n\"\"\n", "names become folders"),
    "binary.csv": ("\0\1\2,\n\"", "table|columns"),
    "gone.csv": ("scene,optical\na,a/gone.tif\n", "names .*gone.tif, which does not exist"),
    "outside.csv": ("scene,optical\na,../../o.tif\n", "outside scenes.root"),
    "absolute.csv": ("scene,optical\na,/etc/hosts\n", "outside scenes.root"),
    "mask.csv": ("scene,optical_mask\na,a/sar.tif\n", "scenes.optical.mask is null"),
    "no.parquet": ("scene\n", "cannot be read as a table"),
    "list.txt": ("a\n", "is no list of scenes"),
    "no.json": ("{}", "is no STAC item collection"),
    "items.json": ('{"features": [{"type": "Feature", "id": "a"}]}', "is no STAC item collection"),
    "far.json": (json.dumps({"features": [item("a", optical="s3://b/o.tif")]}), "download it"),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_a_bad_list_is_refused(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "a/optical.tif", "a/sar.tif")
    text, words = LISTS[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(SceneError, match=words):
        discover(settings(tmp_path, list=str(tmp_path / name)))


def test_a_missing_list_and_missing_masks_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/optical.tif", "a/sar.tif")
    with pytest.raises(SceneError, match="the list of scenes .* does not exist"):
        discover(settings(tmp_path, list=str(tmp_path / "gone.csv")))
    mask = {"pattern": "{scene}/cloud.tif", "band": 1, "bad": [1.0], "above": None}
    with pytest.raises(SceneError, match="scene a has no mask .*set scenes.optical.mask to null"):
        discover(settings(tmp_path, optical={"mask": mask}))


def test_a_folder_that_cannot_be_listed_is_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/optical.tif", "a/sar.tif", "b/optical.tif", "b/sar.tif")
    monkeypatch.setattr("os.access", lambda path, _: Path(path).name != "b")
    with pytest.raises(SceneError, match="b cannot be read; give yourself the right"):
        discover(settings(tmp_path))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sar": {"pattern": "{scene}/{patch}.tif"}}, "sar.pattern has the placeholders"),
        ({"sar": {"pattern": "{scene/sar.tif"}}, "with {scene} in it"),
        ({"optical": {"mask": {"pattern": None, "band": 1, "bad": [], "above": None}}}, "mask nothing"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        settings(tmp_path, **changes)
