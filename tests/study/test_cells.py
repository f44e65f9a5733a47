"""Studies run for real: git worktrees, DVC, its run-cache."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from tiny_project import Project

from dllr import study
from dllr.errors import StudyError
from dllr.study import results
from dllr.study.description import Cell

GRID = {
    "set": "tiny",
    "jobs": 2,
    "values": {"split.labelled_tiles": [2, 4]},
    "seeds": {"train.seed": [0, 1]},
}


def test_a_grid_is_run_once_gathered_and_extended(project: Project) -> None:
    summary = project.study(**GRID)

    ran = project.ran()
    stages = [line["stage"] for line in ran]
    counts = {name: stages.count(name) for name in set(stages)}
    assert counts == {"scenes": 1, "split": 2, "warmup": 4, "evaluate": 4}
    assert {line["threads"] for line in ran} == {"2"}
    assert all(line["code"] == str(project.cell(line["cell"])) for line in ran)
    assert {line["store"] for line in ran} == {f"sqlite:///{project.root / 'mlflow.db'}"}

    table = pd.read_csv(project.table)
    assert len(table) == 4 * 2 * 2  # cells, rounds, heads
    for _, row in table.iterrows():
        gain = 0.05 * (row["round"] == 1 and row["head"] == "fused")
        expected = 0.01 * row["split.labelled_tiles"] + 0.1 * row["train.seed"] + gain
        assert row["miou"] == pytest.approx(expected)
        assert row["selected"] == (row["round"] == 1)
    assert table["iou/water"].eq(0.5).all()
    assert table["iou/road"].isna().all()
    assert table.groupby("cell")["dvc_lock"].nunique().eq(1).all()
    assert table["dvc_lock"].nunique() == 4
    # 2 tiles: 7 % and 17 %, hence 12 ± 7.1
    assert "| 2 | 2 | 7.0 ± 7.1 | 12.0 ± 7.1 |" in summary
    page = project.table.with_suffix(".md").read_text()
    assert summary.splitlines()[0] in page
    assert (
        "| 2 | 2 | 30.0 ± 0.0 | 40.0 ± 0.0 | 50.0 ± 0.0 | +10.0 (+10.0 to +10.0) over threshold |"
        in page
    )

    made = project.table.read_bytes()
    (project.root / "README.md").write_text("a later commit\n")
    project.commit()
    assert project.git("ls-files", "studies").split() == [
        "studies/grid.yaml",
        "studies/results/grid.csv",
        "studies/results/grid.html",
        "studies/results/grid.md",
        "studies/results/grid_scenes.csv",
    ]
    project.study(**GRID)
    assert project.ran() == []
    assert project.table.read_bytes() == made
    assert not list(project.root.glob("studies/cells/grid/*/.dllr"))
    assert (
        project.git("status", "--porcelain") == ""
    )  # the page names the commit that made the cells

    project.study(
        **GRID | {"values": {"split.labelled_tiles": [2]}, "seeds": {"train.seed": [0, 1, 2]}}
    )
    assert project.counts() == {"warmup": 1, "evaluate": 1}


def test_two_grids_are_compared_at_equal_budget_and_seed(project: Project) -> None:
    """In the tiny project a cell scores a hundredth a labelled tile and a tenth a seed, .05 more in round 1."""
    compare = {"parameter": "train_round.method", "reference": "dllr"}
    project.study(
        set="tiny",
        values=[
            {"train_round.method": ["fixmatch", "dllr"], "split.labelled_tiles": [2, 4]},
            {
                "train_round.method": ["supervised"],
                "split.labelled_tiles": [10],
                "rounds": [{"1": 0}],
            },
        ],
        seeds=GRID["seeds"],
        compare=compare,
    )
    made = sorted(path.name for path in project.table.parent.iterdir())
    assert made == [
        "grid.csv", "grid.html", "grid.md", "grid_budget.svg", "grid_differences.svg", "grid_scenes.csv",
    ]  # fmt: skip
    scenes = pd.read_csv(project.table.with_name("grid_scenes.csv"))
    assert len(scenes) == 10 * 2 * 2  # cells, test scenes, classes; of the round in use
    assert set(scenes["scene"]) == {"a", "b"}
    first = scenes[scenes["cell"].str.startswith("train_round.method=dllr,split.labelled_tiles=4")]
    water = first[first["class"] == "water"].iloc[0]
    assert (water["hits"], water["actual"], water["predicted"]) == (90, 1000, 90)
    page = project.table.with_suffix(".md").read_text()
    assert "| 2 | fixmatch | +0.0 | +0.0 to +0.0 | +0.0 to +0.0 | 1 of 2 | +0.0 +0.0 |" in page
    assert "| dllr | 1.50 | 0 of 4 |" in page
    assert page.index("How much must be annotated?") < page.index("## Scores")
    assert "| 10 | supervised | 2 | 15.0 ± 7.1 |" in page
    assert 'supervised is run with rounds {"1": 0}.' in page


def test_values_in_a_table_stay_as_they_are_beside_others(tmp_path: Path) -> None:
    """Kept rows are texts, new ones numbers: which is which must not show."""
    cells = [Cell(name, {}, {}) for name in "ab"]
    rows = [{"cell": name, "peak": 600, "miou": 0.1 + 0.2, "selected": True} for name in "ab"]
    rows[1]["peak"] = None
    found = {row["cell"]: results.Found([row], [{"cell": row["cell"], "hits": 1}]) for row in rows}
    path = tmp_path / "table.csv"
    results.write(path, cells, found)
    made = path.read_bytes()
    assert made.splitlines()[1] == b"a,600,0.30000000000000004,True"
    (kept,) = results._texts(path)["a"]
    results.write(path, cells, found | {"a": results.Found([kept], found["a"].scenes)})
    assert path.read_bytes() == made


def test_cells_of_other_code_are_told_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cells = [Cell(name, {}, {}) for name in "abc"]
    found = {
        cell.name: results.Found(
            [{"cell": cell.name, "recipe": f"was {cell.name}"}], [{"cell": cell.name, "hits": 1}]
        )
        for cell in cells
    }
    path = tmp_path / "table.csv"
    results.write(path, cells, found)
    now = {"a": "was a", "b": "is b"}  # and c is no cell of the study any more
    assert results.kept(path, now).keys() == {"a"}
    assert f"{path}: 1 of its cells were made by other code" in caplog.text
    caplog.clear()
    assert results.kept(path, {"a": "was a"}).keys() == {"a"}
    assert not caplog.text


def test_cells_are_runs_of_one_experiment(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.delenv("DLLR_TRACK")
    project.study(**GRID | {"values": {"split.labelled_tiles": [2, 4]}, "seeds": {}, "jobs": 1})
    client = MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name != "Default"]
    assert experiment.name == "grid"
    runs = client.search_runs([experiment.experiment_id])
    wholes = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert {run.info.status for run in wholes} == {"FINISHED"}
    found = {run.data.params["split.labelled_tiles"]: run.data.metrics["miou"] for run in wholes}
    assert found == pytest.approx({"2": 0.07, "4": 0.09})


def test_a_killed_study_goes_on(project: Project) -> None:
    described = GRID | {"jobs": 1, "values": {}}
    file = project.describe(**described)
    command = [sys.executable, "-m", "dllr", "study", str(file.relative_to(project.root))]
    hanging = os.environ | {"TINY_HANG": "evaluate train.seed=1"}
    process = subprocess.Popen(command, env=hanging, start_new_session=True)
    try:
        until = time.monotonic() + 60
        while not project.log.exists() or '"evaluate", "cell": "train.seed=1"' not in (
            project.log.read_text()
        ):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        with pytest.raises(StudyError, match="is being run already"):
            project.study(**described)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert set(pd.read_csv(project.table)["train.seed"]) == {0}
    assert "1 of 2 cells finished" in project.table.with_suffix(".md").read_text()
    project.ran()

    project.study(**described)

    assert [(line["stage"], line["cell"]) for line in project.ran()] == [
        ("evaluate", "train.seed=1")
    ]
    assert set(pd.read_csv(project.table)["train.seed"]) == {0, 1}


def test_what_a_committed_table_has_is_not_made_again_elsewhere(project: Project) -> None:
    described = GRID | {"values": {}}
    project.study(**described)
    made = project.table.read_bytes()
    project.commit()
    shutil.rmtree(project.root / ".dvc" / "cache")
    elsewhere = project.root.with_name("elsewhere")
    project.git("clone", "--quiet", ".", str(elsewhere))
    (elsewhere / "data").symlink_to(project.root / "data")
    project.ran()

    file = Path("studies/grid.yaml")
    with contextlib.chdir(elsewhere):
        study.run(file, elsewhere)
        assert project.ran() == []
        assert (elsewhere / "studies/results/grid.csv").read_bytes() == made

        code, own = elsewhere / "stage.py", elsewhere / "params.yaml"
        own.write_text("rounds: {}\n")  # the project's own, which no cell uses
        subprocess.run(["git", "commit", "-qam", "other parameters"], check=True)
        study.run(file, elsewhere)
        assert project.ran() == []

        code.write_text(code.read_text() + "# edited\n")
        subprocess.run(["git", "commit", "-qam", "other code"], check=True)
        study.run(file, elsewhere)
    assert project.counts() == {"scenes": 1, "split": 1, "warmup": 2, "evaluate": 2}
    table = pd.read_csv(elsewhere / "studies/results/grid.csv")
    assert len(table) == 8
    assert table["commit"].nunique() == 1


def test_scenes_that_were_changed_are_run_again(project: Project) -> None:
    project.study(**GRID | {"values": {}})
    scene = project.root / "data" / "scenes" / "a.txt"
    scene.write_text("the same scene, mended")
    project.ran()
    project.study(**GRID | {"values": {}})
    assert project.counts()["scenes"] == 1


def test_a_sitting_that_ended_after_a_row_was_written_is_tidied_up_after(project: Project) -> None:
    described = GRID | {"values": {}, "seeds": {}}
    project.study(**described)
    work = project.cell("tiny") / ".dllr"
    work.mkdir()
    project.study(**described)
    assert not work.exists()


def test_a_failed_cell_is_told_and_stops_no_other(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = GRID | {"set": "quick", "jobs": 1, "values": {}}  # scenes are simulated
    monkeypatch.setenv("TINY_FAIL", "warmup train.seed=0")
    with pytest.raises(StudyError, match="1 of 2 cells failed") as failure:
        project.study(**described)
    (log,) = re.findall(r"train\.seed=0: see (.+\.log)", str(failure.value))
    assert "no convergence" in Path(log).read_text()
    assert set(pd.read_csv(project.table)["train.seed"]) == {1}
    assert "Cell `train.seed=0` failed." in project.table.with_suffix(".md").read_text()
    assert project.counts() == {"demo": 1, "scenes": 1, "split": 1, "warmup": 2, "evaluate": 1}

    monkeypatch.delenv("TINY_FAIL")
    project.study(**described)
    assert project.counts() == {"warmup": 1, "evaluate": 1}
    assert set(pd.read_csv(project.table)["train.seed"]) == {0, 1}
    assert "failed" not in project.table.with_suffix(".md").read_text()
    for seed in (0, 1):
        assert (project.cell(f"train.seed={seed}") / "data/demo/a.txt").read_text() == "simulated"


def test_changed_files_are_refused_before_anything_runs(project: Project) -> None:
    (project.root / "stage.py").write_text("raise SystemExit('edited')\n")
    (project.root / "params.yaml").write_text("rounds: {}\n")  # cells have their own
    with pytest.raises(StudyError, match=r"commit them.*\n M stage\.py$"):
        project.study(**GRID)
    assert not project.cell("").exists()


def test_a_folder_below_the_project_is_no_project(project: Project) -> None:
    file = project.describe(set="quick")
    with pytest.raises(StudyError, match=f"run the study from {project.root}"):
        study.run(file, project.root / "params")
