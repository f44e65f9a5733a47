"""A training that is killed again and again ends with the numbers of one that was not."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from ruamel.yaml import YAML

from .conftest import Project

KILLS = 10  # of each training
STEPS = 200  # long enough that ten kills, each within a moment of new steps, leave some to do
MOMENT = 0.2  # s after the first new checkpoint, at most


@pytest.fixture(scope="module")
def whole(built_chain: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The chain of one round, run to its scores without a disturbance."""
    root = tmp_path_factory.mktemp("killed") / "real project"
    shutil.copytree(built_chain.root, root, symlinks=True)
    project = Project(root, {**built_chain.env, "PYTHONPATH": str(root), "DLLR_THREADS": "1"})
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    params["warmup"]["steps"] = params["train_round"]["steps"] = STEPS
    params["train_round"]["method"] = "fixmatch"
    params["rounds"] = {"1": 0}
    yaml.dump(params, root / "params.yaml")
    project("dvc", "repro", "evaluate")
    return project


def commands(project: Project) -> dict[str, list[str]]:
    """What DVC ran: the words of each stage's command."""
    lock = YAML(typ="safe").load(project.root / "dvc.lock")
    return {name: stage["cmd"].split()[1:] for name, stage in lock["stages"].items()}


def start(project: Project, words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dllr", *words],
        cwd=project.root,
        env={**project.env, "DLLR_TRACK": "0"},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def last_checkpoint(project: Project, stage: str) -> float:
    """When the newest one was written, 0 = none is there."""
    found = project.root.glob(f".dllr/{stage}/*/last.pt")
    return max((path.stat().st_mtime for path in found), default=0.0)


def killed(project: Project, stage: str, words: list[str], dice: random.Random) -> None:
    """Start a training, and kill it some moment after it has gone on from where it was."""
    before = last_checkpoint(project, stage)
    running = start(project, words)
    until = time.monotonic() + 120
    while last_checkpoint(project, stage) <= before:
        assert running.poll() is None, "it ended before it was killed"
        assert time.monotonic() < until
        time.sleep(0.005)
    time.sleep(dice.uniform(0, MOMENT))
    assert running.poll() is None, "it ended before it was killed"
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def test_trainings_killed_at_ten_moments_give_the_same_scores(whole: Project) -> None:
    results, dice, todo = whole.root / "results", random.Random(), commands(whole)
    files = [results / "rounds/0/checkpoint.pt", results / "rounds/1/checkpoint.pt"]
    files += [results / "rounds/1/history.csv", results / "evaluation/metrics.json"]
    before = [path.read_bytes() for path in files]
    shutil.rmtree(whole.root / ".dllr")
    for folder in ("rounds", "pseudo_labels", "evaluation"):
        shutil.rmtree(results / folder)

    for name in ("warmup", "pseudo_label@1", "train_round@1", "evaluate"):
        if name in ("warmup", "train_round@1"):
            for _ in range(KILLS):
                killed(whole, name.partition("@")[0], todo[name], dice)
            assert not list(results.glob(f"rounds/{int(name != 'warmup')}/*"))
        assert start(whole, todo[name]).wait() == 0

    assert [path.read_bytes() for path in files] == before
