"""Watching a stage that trains, and its ends: recorded, killed, or nobody there to see."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tracked_project import Project

from dllr.tracking import post_when_done, track, watch
from dllr.tracking.live import Follower, Life

Wait = Callable[..., None]


def child(project: Project, name: str) -> dict[str, Any]:
    """The run of a stage by name, or one without anything; two fail."""
    runs = [run for run in project.dump().values() if run["name"] == name]
    assert len(runs) < 2
    return runs[0] if runs else {"status": None, "history": {}, "tags": {}}


def processes(word: str, root: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if word in process.cmdline() and process.cwd() == str(root):
                found.append(process)
    return found


def test_watched_then_posted_is_one_run(project: Project, wait_until: Wait) -> None:
    project.change("seed: 0", "seed: 1")
    work = project.root / ".dllr" / "train_round@1"
    dvc = project.start("dvc", "repro", "-q", WATCH="train_round@1")
    try:
        wait_until(lambda: len(child(project, "train_round@1")["history"].get("loss", [])) == 200)
        watched = child(project, "train_round@1")
        assert watched["status"] == "RUNNING"
        assert 0 < watched["history"]["system/process_memory_megabytes"][0][1] < 1e5
        assert 0 < watched["history"]["system/process_cpu_percentage"][0][1] < 1e4
        assert [whole["status"] for whole in project.wholes()] == ["RUNNING"]
    finally:
        work.mkdir(parents=True, exist_ok=True)
        (work / "go").touch()
        output, _ = dvc.communicate(timeout=60)
    assert (dvc.returncode, output) == (0, "")
    wait_until(lambda: child(project, "train_round@1")["status"] == "FINISHED")
    wait_until(lambda: not processes("dllr.tracking", project.root))
    project.run("git", "add", "dvc.lock")
    track(project.root)
    (whole,) = project.wholes()
    assert whole["status"] == "FINISHED"
    posted = project.children(whole)["train_round@1"]
    assert [step for step, *_ in posted["history"]["loss"]] == list(range(0, 4000, 10))
    assert posted["history"]["loss"][:200] == watched["history"]["loss"]
    assert posted["times"][0] < posted["times"][1]
    before = project.dump()
    track(project.root)
    assert project.dump() == before


def test_a_killed_stage_is_killed_and_takes_its_run_up_again(
    project: Project, wait_until: Wait
) -> None:
    project.change("seed: 0", "seed: 1")
    work = project.root / ".dllr" / "warmup"
    dvc = project.start("dvc", "repro", "-q", WATCH="warmup")
    wait_until(lambda: child(project, "warmup")["history"])
    (stage,) = (p for p in processes("warmup", project.root) if "dllr.tracking" not in p.cmdline())
    stage.kill()
    dvc.communicate(timeout=60)
    assert dvc.returncode != 0
    wait_until(lambda: child(project, "warmup")["status"] == "KILLED")
    wait_until(lambda: [whole["status"] for whole in project.wholes()] == ["SCHEDULED"])
    wait_until(lambda: not processes("dllr.tracking", project.root))
    (work / "go").touch()
    project.repro("warmup", WATCH="warmup")
    wait_until(lambda: child(project, "warmup")["status"] == "FINISHED")
    history = child(project, "warmup")["history"]["loss"]
    assert [step for step, *_ in history] == list(range(0, 4000, 10))
    wait_until(lambda: not processes("dllr.tracking", project.root))


def test_a_run_that_nobody_follows_any_more_is_ended(project: Project) -> None:
    from mlflow import MlflowClient

    track(project.root)
    project.change("seed: 0", "seed: 1")
    own = Life.of(psutil.Process())
    history = project.root / "history.csv"
    history.write_text("round,step,loss\n0,0,nan\n0,10,inf\n0,20,0.5\n")
    follower = Follower(project.root, "warmup", own, own)
    _, run_id = follower._run
    track(project.root)
    assert project.dump()[run_id]["status"] == "RUNNING"  # although it has posted nothing yet
    assert follower._send(history)
    assert follower._send(history)
    running = project.dump()[run_id]
    assert running["status"] == "RUNNING"
    assert [step for step, *_ in running["history"]["loss"]] == [0, 10, 20]
    track(project.root)
    assert project.dump()[run_id]["status"] == "RUNNING"
    client = MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    client.set_tag(run_id, "dllr.seen", f"{time.time() - 3600:.0f}")
    track(project.root)
    assert project.dump()[run_id]["status"] == "KILLED"
    assert {whole["status"] for whole in project.wholes()} == {"FINISHED", "SCHEDULED"}


def test_after_the_last_stage_everything_is_posted(project: Project, wait_until: Wait) -> None:
    project.change("pictures: 4", "pictures: 5")
    project.repro(WATCH="report")
    wait_until(lambda: [whole["status"] for whole in project.wholes()] == ["FINISHED"])
    assert len(project.dump()) == 9
    wait_until(lambda: not processes("dllr.tracking", project.root))


def test_a_server_that_is_away_neither_stops_nor_slows_a_stage(
    project: Project, wait_until: Wait
) -> None:
    (project.root / ".dllr/warmup").mkdir(parents=True)
    (project.root / ".dllr/warmup/go").touch()
    project.change("seed: 0", "seed: 1")
    away = "http://127.0.0.1:9"
    assert project.repro("warmup", WATCH="warmup", MLFLOW_TRACKING_URI=away) == ""
    wait_until(lambda: not processes("dllr.tracking", project.root), seconds=60)
    assert away in (project.root / ".dllr/tracking.log").read_text()
    track(project.root)
    assert len(child(project, "warmup")["history"]["loss"]) == 400


def test_a_follower_is_started_at_once_and_is_nobodys_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    start = time.monotonic()
    watch("warmup", tmp_path / "history.csv")
    assert time.monotonic() - start < 0.5

    def started() -> list[psutil.Process]:  # past the shell, which is not niced
        return [p for p in processes("dllr.tracking", tmp_path) if p.nice() >= 10]

    wait_until(started)
    (follower,) = started()
    assert os.getpid() not in [parent.pid for parent in follower.parents()]
    follower.kill()


def test_it_can_be_turned_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("DLLR_TRACK", "0")
    watch("warmup", tmp_path / "history.csv")
    post_when_done("report")
    time.sleep(0.3)
    assert not processes("dllr.tracking", tmp_path)


def test_a_project_that_cannot_be_written_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "gone"))
    watch("warmup", tmp_path / "history.csv")


def test_a_process_is_not_taken_for_another_with_its_number() -> None:
    own = Life.of(psutil.Process())
    assert own.lasts()
    assert Life.parse(str(own)) == own
    assert not Life(own.pid, own.started - 60).lasts()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    life = Life.of(psutil.Process(ended.pid))
    time.sleep(0.5)
    assert not life.lasts()  # a zombie until it is waited for
    ended.wait()
