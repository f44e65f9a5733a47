"""The place of a cell: made, mended, and never taken from a process that still works there."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_project import Project

from dllr.params.load import read_yaml
from dllr.study import description, worktree


@pytest.fixture
def settled(project: Project) -> tuple[Project, Path, description.Cell]:
    file = project.describe(set="quick")
    (cell,) = description.cells(description.read(file)[1], file, project.root)
    folder = project.cell(cell.name)
    settle(project, folder, cell)
    return project, folder, cell


def settle(project: Project, folder: Path, cell: description.Cell) -> None:
    cache = project.root / ".dvc" / "cache"
    worktree.settle(project.root, folder, worktree.commit(project.root), cell.params, cache)


def test_the_parameters_arrive_and_the_order_of_the_classes(
    settled: tuple[Project, Path, description.Cell],
) -> None:
    _, folder, cell = settled
    found = read_yaml(folder / "params.yaml")
    assert found == cell.params
    defaults = read_yaml(folder / "params" / "defaults.yaml")
    classes = list(defaults["scenes"]["label"]["classes"])
    assert list(found["scenes"]["label"]["classes"]) == classes != sorted(classes)


def test_a_later_commit_arrives_and_what_was_made_stays(
    settled: tuple[Project, Path, description.Cell],
) -> None:
    project, folder, cell = settled
    (folder / "dvc.lock").write_text("what was made\n")
    (folder / "results").mkdir()
    (folder / "stage.py").write_text("an edit in the cell\n")
    (project.root / "stage.py").write_text("the next version\n")
    project.git("commit", "--quiet", "--all", "--message", "next")
    settle(project, folder, cell)
    assert (folder / "stage.py").read_text() == "the next version\n"
    assert (folder / "dvc.lock").read_text() == "what was made\n"
    assert (folder / "results").is_dir()
    assert read_yaml(folder / "params.yaml") == cell.params


def test_a_worktree_left_half_made_is_made_again(
    settled: tuple[Project, Path, description.Cell],
) -> None:
    project, folder, cell = settled
    (folder / ".git").write_text("gitdir: nowhere\n")
    (folder / "dvc.yaml").unlink()
    settle(project, folder, cell)
    assert (folder / "dvc.yaml").read_bytes() == (project.root / "dvc.yaml").read_bytes()


def test_a_process_that_outlives_its_study_is_waited_for(tmp_path: Path) -> None:
    folder, end = tmp_path / "cell", tmp_path / "end"
    script = "import sys, time, pathlib; time.sleep(1); pathlib.Path(sys.argv[1]).touch()"
    with worktree.alone(folder) as output:
        process = subprocess.Popen([sys.executable, "-c", script, str(end)], stdout=output)
    with worktree.alone(folder):
        assert end.exists()
    process.wait()
    begin = time.monotonic()
    with worktree.alone(folder):
        assert time.monotonic() - begin < 0.5
