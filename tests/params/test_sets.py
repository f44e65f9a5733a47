"""Every ready set goes through the front of the chain on its replica, with the commands of docs/data.md."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from expected import EXPECTED, Expected
from rasterio.errors import NotGeoreferencedWarning

from dllr.cli import main
from dllr.params import use
from dllr.params.load import PARAMS_FILE, load, read_yaml

ROOT = Path(__file__).parents[2]
DOWNLOADS = Path("downloads")
STAGES = ("scenes", "coregister", "tile", "split")
GUIDE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
OFFICIAL = {
    "pie_rgb_sar": {"1": "train", "3": "test", "5": "test"},
    "sen12ms": {
        "ROIs1158_spring_63_p100": "test",
        "ROIs1158_spring_112_p31": "validation",
        "ROIs1970_fall_5_p7": "train",
    },
    "dfc2020": {"ROIs0000_validation_p985": "test"},
}
pytestmark = pytest.mark.filterwarnings(
    f"ignore::rasterio.errors.{NotGeoreferencedWarning.__name__}"
)


def front() -> int:
    """The stages up to `split`, by their commands in dvc.yaml; the first failure's exit status."""
    pipeline = read_yaml(ROOT / "dvc.yaml")
    folders = {k: v for part in pipeline["vars"] for k, v in part.items()}["results"]
    for stage in STAGES:
        command = pipeline["stages"][stage]["cmd"]
        for name, folder in folders.items():
            command = command.replace(f"${{results.{name}}}", folder)
        if status := main(shlex.split(command)[1:]):
            return status
    return 0


def command(start: str, holds: str) -> str | None:
    """The line of the guide that a user would copy."""
    lines = [line for line in GUIDE.splitlines() if line.startswith(start) and holds in line]
    assert len(lines) < 2, lines
    return lines[0] if lines else None


def placed(name: str) -> Path:
    """Folder of a set's scenes: its replica's download, or what the guide's command makes of it."""
    if line := command("dllr place", f"data/{name}"):
        assert main(shlex.split(line)[1:]) == 0
        return Path("data") / name
    return DOWNLOADS / name


def overridden(root: Path, **sections: dict[str, Any]) -> None:
    """params.yaml of the set in use: this root, small windows and a small budget, and what is given."""
    values = read_yaml(PARAMS_FILE)
    values["scenes"]["root"] = str(root)
    values["split"]["labelled_tiles"] = 2
    if values["tile"]["size"] > 64:
        values["tile"] |= {"size": 32, "stride": 32}
    for section, changes in sections.items():
        values[section] |= changes
    PARAMS_FILE.write_text(json.dumps(values))  # JSON is YAML, and keeps the order of classes


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "params", tmp_path / "params")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def replica(request: pytest.FixtureRequest, project: Path) -> tuple[str, Expected]:
    """The set is in use, and its replica lies in downloads/."""
    name = str(request.param)
    use.use(name)
    EXPECTED[name].write(project / DOWNLOADS / name)
    return name, EXPECTED[name]


EVERY = pytest.mark.parametrize("replica", EXPECTED, indirect=True)


def test_every_set_that_is_not_simulated_has_a_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = {
        name for name in use.names() if not read_yaml(use.SETS / f"{name}.yaml").get("demo", True)
    }
    assert found == set(EXPECTED)


@EVERY
def test_a_set_lands(replica: tuple[str, Expected]) -> None:
    name, expected = replica
    root = placed(name)
    overridden(root)
    assert front() == 0
    assert load().scenes.label.names == list(expected.classes)
    index = pd.read_csv("results/scenes/index.csv", dtype={"scene": str})
    assert set(index["scene"]) == set(expected.scenes)
    _check_images(expected)
    _check_labels(root, expected)
    _check_splits(expected)


def _check_images(expected: Expected) -> None:
    """Each band is the one of that number in the scene's file, unchanged where there is data."""
    for scene in expected.scenes:
        folder = Path("results/coregistered") / scene
        record = json.loads((folder / "record.json").read_text())
        facts = json.loads(Path(f"results/scenes/records/{scene}.json").read_text())
        for kind, bands in (("optical", expected.optical), ("sar", expected.sar)):
            assert record[f"{kind}_bands"] == list(bands)
            missing = expected.missing.get((scene, kind), 0)
            assert facts[kind]["nodata_share"] == missing
            with rasterio.open(folder / f"{kind}.tif") as image:
                found = image.read()
            with rasterio.open(facts[kind]["path"]) as source:
                raw = source.read(list(bands.values()))
            same = np.isclose(found, raw, rtol=1e-6).all(axis=0)
            assert same.mean() >= 1 - missing


def _check_labels(root: Path, expected: Expected) -> None:
    """The codes of a scene's label file, looked up one by one, are its classes."""
    scene, path = expected.label
    with rasterio.open(root / path) as source:
        raw = source.read(1)
    with rasterio.open(f"results/labels/{scene}.tif") as source:
        found = source.read(1)
    assert set(np.unique(raw).tolist()) <= set(expected.meaning)
    for code, meaning in expected.meaning.items():
        index = 255 if meaning is None else list(expected.classes).index(meaning)
        assert (found[raw == code] == index).all()


def _check_splits(expected: Expected) -> None:
    splits = json.loads(Path("results/split/summary.json").read_text())["scenes"]
    assert set(splits) == set(expected.scenes)
    assert set("+".join(splits.values()).split("+")) >= {"train", "validation", "test"}
    assert {s: w for s, w in splits.items() if s in expected.fixed} == expected.fixed
    if expected.fixed:
        others = {word for scene, word in splits.items() if scene not in expected.fixed}
        assert others == {"train", "validation"}
    for group in expected.together:
        assert len({splits[scene] for scene in group}) == 1


@pytest.mark.parametrize(
    "replica", [name for name, r in EXPECTED.items() if r.unplaced], indirect=True
)
def test_files_without_a_position_are_refused(
    replica: tuple[str, Expected], capsys: pytest.CaptureFixture[str]
) -> None:
    name, expected = replica
    overridden(DOWNLOADS / name)
    assert front() == 1
    assert expected.unplaced in capsys.readouterr().err


@pytest.mark.parametrize("replica", OFFICIAL, indirect=True)
def test_the_guide_writes_the_official_lists(replica: tuple[str, Expected]) -> None:
    name, expected = replica
    target = f"params/lists/{name}.csv"
    line = next(line for line in GUIDE.splitlines() if line.endswith(f"> {target}"))
    root = placed(name)
    assert line.startswith(("awk", "find"))
    subprocess.run(["bash", "-euo", "pipefail", "-c", line], check=True)
    listed = pd.read_csv(target, dtype=str)
    assert sorted(listed["scene"]) == sorted(expected.scenes)
    overridden(root, scenes={"list": target}, split={"by": "given"})
    assert front() == 0
    splits = json.loads(Path("results/split/summary.json").read_text())["scenes"]
    assert {scene: splits[scene] for scene in OFFICIAL[name]} == OFFICIAL[name]
