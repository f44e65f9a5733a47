"""The front of the chain on real Sentinel scenes: OMBRIA (floods) and TerraMesh (four UTM zones)."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from dllr.cli import main
from dllr.params import use

from .small_scenes import front

ROOT = Path(__file__).parents[2]
SHARED = os.environ.get("DLLR_SHARED_DATA")
pytestmark = pytest.mark.skipif(not SHARED, reason="DLLR_SHARED_DATA does not name the real scenes")


@pytest.fixture(params=["ombria", "terramesh"])
def real(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    shutil.copytree(ROOT / "params", tmp_path / "params")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / request.param).symlink_to(Path(SHARED or "") / request.param)
    monkeypatch.chdir(tmp_path)
    use.use(request.param)
    return str(request.param)


def test_real_scenes_pass_the_front_of_the_chain(real: str) -> None:
    assert front() == 0
    index = pd.read_csv("results/scenes/index.csv")
    summary = json.loads(Path("results/split/summary.json").read_text())
    labelled = summary["labelled_tiles"]
    if real == "ombria":
        assert len(index) == 11
        assert summary["min_distance_px"] is None
        assert labelled["train"] + labelled["calibration"] == 32
    else:
        assert index["crs"].nunique() == 4
        assert summary["min_distance_px"] >= 8
        assert labelled["train"] + labelled["calibration"] == 12
    windows = pd.read_parquet("results/split/windows.parquet")
    assert set(windows["split"]) == {"train", "validation", "test"}
    assert (windows.loc[windows["labelled"] != "no", "split"] == "train").all()


def test_scenes_off_the_params_are_told_apart(
    real: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use.use("quick")
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("root: data/demo ", f"root: data/{real} "))
    assert main(["scenes", "--out", "results/scenes"]) == 1
    printed = capsys.readouterr().err
    assert "outside the map" in printed or "band(s), but band" in printed
