"""Snakemake and DVC build the same, and after either the other has nothing to do."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import NOTHING, Project

ENGINES = ["snakemake", "dvc"]
ALL = {"prepare", "stats", "warmup", "train_round@1", "train_round@2", "evaluate", "report"}
both = pytest.mark.parametrize("engine", ENGINES)


def metrics(project: Project) -> dict[str, object]:
    return json.loads((project.root / "results/evaluation/metrics.json").read_text())


def test_after_snakemake_dvc_has_nothing_to_do(template: Project, project: Project) -> None:
    built = {line.split()[0] for line in (template.root / "runs.log").read_text().splitlines()}
    assert built == ALL
    assert NOTHING["dvc"] in project("dvc", "repro")
    assert NOTHING["snakemake"] in project("snakemake")
    project.is_done()


def test_after_dvc_snakemake_has_nothing_to_do(project: Project) -> None:
    made = project.files()
    for trace in ("results", ".snakemake", ".dvc/cache", "logs"):
        shutil.rmtree(project.root / trace)
    (project.root / "dvc.lock").unlink()
    project("dvc", "repro")
    assert project.ran() == ALL
    project.is_done()
    assert project.files() == made


@both
@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        ("params.yaml", "bins: 4", "bins: 5", {"evaluate", "report"}),
        ("data/raw/b.txt", "7.0", "7.1", {"prepare", "stats", "warmup", "report"}),
        ("stages/train_round.py", "* section", "* 1 * section", {"train_round@1", "train_round@2"}),
    ],
    ids=["parameter of a late stage", "byte of the data", "code of a stage"],
)
def test_an_edit_runs_what_depends_on_it(
    project: Project, engine: str, file: str, old: str, new: str, stages: set[str]
) -> None:
    """Where a stage ran and made the same as before, what follows it stands: `warmup` counts the
    values and `stats` alone sees them; the edited code computes the same."""
    project.edit(file, old, new)
    project.build(engine)
    assert project.ran() == stages
    project.is_done()


@both
def test_an_added_round_runs_alone(project: Project, engine: str) -> None:
    project.edit("params.yaml", '"2": 1}', '"2": 1, "3": 2}')
    project.build(engine)
    assert project.ran() == {"train_round@3", "evaluate", "report"}
    assert list(metrics(project)["loss"]) == ["0", "1", "2", "3"]
    project.is_done()


@both
def test_a_removed_round_leaves_no_trace(project: Project, engine: str) -> None:
    project.edit("params.yaml", ', "2": 1}', "}")
    project.build(engine)
    assert project.ran() == {"evaluate", "report"}
    assert list(metrics(project)["loss"]) == ["0", "1"]
    assert not (project.root / "results/rounds/2").exists()
    project.is_done()


def test_an_edit_elsewhere_runs_nothing(project: Project) -> None:
    project.edit("stages/params.py", "The toy's", "All the toy's")
    project.edit("params.yaml", "# {country", "# Or: {country")
    project.is_done()


def test_no_rounds_at_all(project: Project) -> None:
    project.edit("params.yaml", '{"1": 0, "2": 1}', "{}")
    project("snakemake")
    assert project.ran() == {"evaluate", "report"}
    assert list(metrics(project)["loss"]) == ["0"]
    project.is_done()


def test_a_family_whose_key_is_in_no_path(project: Project) -> None:
    project.edit("params.yaml", "demo: {}", "demo: {country: {rows: 3}}")
    project.edit("params.yaml", "root: data/raw", "root: data/demo")
    project("snakemake", "results/prepared")
    assert project.ran() == {"demo@country", "prepare"}
    status = project("dvc", "status")
    assert "demo@country" not in status
    assert "prepare:" not in status


@both
def test_deleted_outputs_come_back_without_a_run(project: Project, engine: str) -> None:
    made = project.files()
    shutil.rmtree(project.root / "results/rounds/1")
    (project.root / "results/stats.json").unlink()
    project.build(engine)
    assert project.ran() == set()
    assert project.files() == made
    project.is_done()


def test_an_older_commit_needs_no_run(project: Project) -> None:
    old = project.files()
    project.edit("params.yaml", "start: 1.0", "start: 2.0")
    project.edit("params.yaml", ', "2": 1}', "}")
    project("snakemake")
    project.commit("new")
    new = project.files()
    project.ran()
    for commit, files in (("main~1", old), ("main", new)):
        project("git", "checkout", "--quiet", commit)
        project("dvc", "checkout")
        project.is_done()
        assert project.files() == files


def test_a_fresh_clone_needs_no_run(project: Project, tmp_path: Path) -> None:
    project("dvc", "remote", "add", "--default", "local", str(tmp_path / "remote"))
    project("dvc", "push")
    project.commit("remote")
    clone = Project(tmp_path / "a clone", project.env)
    project("git", "clone", "--quiet", str(project.root), str(clone.root))
    clone("dvc", "pull")
    clone.is_done()
    assert clone.files() == project.files()
    clone.edit("stages/prepare.py", "from pathlib", "# no change\nfrom pathlib")
    clone("snakemake")  # all that is downstream is looked at, and taken from what was pulled
    assert clone.ran() == {"prepare"}
    clone.is_done()


def test_a_partial_run_leaves_the_rest_stale(project: Project) -> None:
    project.edit("params.yaml", "scale: 2.0", "scale: 3.0")
    project.edit("params.yaml", "start: 1.0", "start: 2.0")
    project("snakemake", "results/stats.json")
    assert project.ran() == {"prepare", "stats"}
    status = project("dvc", "status")
    assert "warmup" in status
    assert "stats:" not in status
    project("snakemake")
    assert project.ran() == ALL - {"prepare", "stats"}
    project.is_done()


def test_experiments_and_their_differences(project: Project) -> None:
    project("dvc", "exp", "run", "--set-param", "train_round.gain=0.25")
    assert project.ran() == {"train_round@1", "train_round@2", "evaluate", "report"}
    project.is_done()
    changed = json.loads(project("dvc", "params", "diff", "--json"))
    assert changed["params.yaml"]["train_round.gain"] == {"old": 0.5, "new": 0.25, "diff": -0.25}
    scores = json.loads(project("dvc", "metrics", "diff", "--json"))
    assert set(scores["results/evaluation/metrics.json"]) == {"loss.1", "loss.2"}
    project("dvc", "plots", "diff", "--out", "plots", "HEAD")
    page = (project.root / "plots/index.html").read_text()
    assert '"loss"' in page
    assert '"rev": "HEAD"' in page
    assert '"rev": "workspace"' in page


def test_a_killed_run_is_finished_by_the_next(project: Project, tmp_path: Path) -> None:
    project.edit("params.yaml", "start: 1.0", "start: 2.0")
    run = project.start("snakemake", TOY_HANG="train_round@1")
    wait_for(project.root / "hanging")
    assert "is busy" in project("snakemake", "--dry-run", ok=False)
    kill(run)
    assert (project.root / "results/rounds/1/half").exists()
    project.ran()
    project("snakemake")
    assert project.ran() == {"train_round@1", "train_round@2", "evaluate", "report"}
    project.is_done()
    project("snakemake", "--report", str(tmp_path / "report.html"))
    assert "train_round" in (tmp_path / "report.html").read_text()


def test_a_failed_stage_fails_the_run_and_stays_stale(project: Project) -> None:
    project.edit("params.yaml", "digits: 3", "digits: three")
    printed = project("snakemake", ok=False)
    assert "TypeError" in printed
    assert "TypeError" in (project.root / "logs/stats.log").read_text()
    assert "stats:" in project("dvc", "status")
    project.edit("params.yaml", "digits: three", "digits: 3")
    project.ran()
    project("snakemake")
    assert project.ran() == set()
    project.is_done()


def test_independent_stages_run_side_by_side(project: Project) -> None:
    project.edit("params.yaml", "scale: 2.0", "scale: 3.0")
    project.edit("params.yaml", "start: 1.0", "start: 2.0")
    project("snakemake", "--cores", "2", TOY_MEET="stats,warmup")
    log = (project.root / "runs.log").read_text().splitlines()
    assert {"stats threads=1", "train_round@1 threads=2"} <= set(log)
    project.ran()
    project.is_done()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


def kill(run: subprocess.Popen[bytes]) -> None:
    """Power cut: every process of a run at once; DVC holds locks for as long as one is listed."""
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 60
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(run.pid, 0)
            time.sleep(0.05)
        pytest.fail("the killed processes were never reaped by their new parent")
