"""The store itself: several processes at once, and a store that cannot be used."""

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from tracked_project import Project

from dllr.errors import TrackingError
from dllr.tracking import track
from dllr.tracking.store import Store

# One import for all six, so that they reach the store in the same moment.
SIX = """
import multiprocessing, pathlib
import dvc.repo, mlflow
from dllr.tracking import track

with multiprocessing.get_context("fork").Pool(6) as pool:
    print(*pool.map(track, [pathlib.Path.cwd()] * 6, chunksize=1), sep="\\n")
"""


def test_six_processes_that_come_first_at_once(project: Project) -> None:
    (project.root / "mlflow.db").unlink()
    lines = project.run(sys.executable, "-c", SIX).splitlines()
    ends = sorted(line.partition("mlflow.db: ")[2] for line in lines)
    assert ends == 5 * ["0 posted, 0 updated, 9 unchanged"] + ["9 posted, 0 updated, 0 unchanged"]
    assert len(project.dump()) == 9
    (whole,) = project.wholes()
    assert len(project.children(whole)["warmup"]["history"]["loss"]) == 400


def test_another_process_that_does_not_let_go(project: Project) -> None:
    with FileLock(project.root / "mlflow.db.lock"), pytest.raises(TrackingError) as raised:
        Store(project.root, patience=0.2)
    assert "another process has held" in str(raised.value)
    assert "run `dllr track`" in str(raised.value)


def test_a_database_that_is_locked(project: Project) -> None:
    other = sqlite3.connect(project.root / "mlflow.db")
    other.execute("BEGIN EXCLUSIVE")
    try:
        start = time.monotonic()
        with pytest.raises(TrackingError, match="locked"):
            track(project.root)
        assert time.monotonic() - start < 30
    finally:
        other.close()
    assert track(project.root).endswith("9 posted, 0 updated, 0 unchanged")


@pytest.mark.parametrize("kind", ["a folder", "not a database"])
def test_a_database_that_cannot_be_written(project: Project, kind: str) -> None:
    path = project.root / "mlflow.db"
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    else:
        path.write_text("not a database " * 100)
    with pytest.raises(TrackingError) as raised:
        track(project.root)
    assert str(path) in str(raised.value)
    assert "nothing is lost" in str(raised.value)


def test_a_server_that_is_away(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(TrackingError, match=r"http://127\.0\.0\.1:9"):
        track(project.root)
    assert time.monotonic() - start < 30


def test_a_database_named_by_the_environment(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = project.root / "shared"
    elsewhere.mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere / 'all.db'}")
    track(project.root)
    assert project.dump() == {}
    assert (elsewhere / "all.db").exists()
    assert list((elsewhere / "mlartifacts").rglob("report/index.html"))


def test_an_experiment_that_was_deleted(project: Project) -> None:
    from mlflow import MlflowClient

    track(project.root)
    client = MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("islands")
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(TrackingError, match="mlflow experiments restore"):
        track(project.root)


def test_a_folder_that_is_no_dvc_project(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="not a DVC project"):
        track(tmp_path)


def test_importing_the_package_imports_neither_mlflow_nor_dvc() -> None:
    code = "import sys, dllr.tracking; print({'mlflow', 'dvc', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
