"""Make's set-up tells what is missing before it starts, also in a path with a space."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *words], cwd=folder, env=alone, capture_output=True, text=True, check=False
    )


def python(folder: Path, script: str) -> str:
    path = folder / "fake"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return "PYTHON=./fake"


def test_an_old_python_is_told_what_to_install(project: Path) -> None:
    old = python(project, 'case "$*" in *version_info*) exit 1;; *) echo "Python 3.9.1";; esac')
    done = make(project, "test", old)
    assert done.returncode != 0
    assert "Python 3.9.1 is too old: install Python 3.11 or newer" in done.stderr
    assert not (project / ".venv").exists()


def test_a_python_without_ensurepip_is_told_what_to_install(project: Path) -> None:
    bare = python(project, 'case "$*" in *ensurepip*) exit 1;; esac')
    done = make(project, "run", bare)
    assert done.returncode != 0
    assert "apt install python3-venv" in done.stderr
    assert not (project / ".venv").exists()


def test_every_target_is_explained(project: Path) -> None:
    printed = make(project).stdout
    for target in ("run", "test", "check", "ui", "bench", "clean", "study"):
        assert f"make {target}\t" in printed


def test_set_up_is_done_once_and_again_when_the_project_file_changes(project: Path) -> None:
    venv = project / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "filled").touch()
    for name in ("pytest", "python"):
        (venv / "bin" / name).write_text(f"#!/bin/sh\necho {name} $@\n")
        (venv / "bin" / name).chmod(0o755)
    assert make(project, "test").stdout.splitlines()[-1].startswith("pytest")
    assert "install" not in make(project, "test").stdout
    (project / "pyproject.toml").touch()
    assert "python -m pip install" in make(project, "test").stdout


def test_folders_of_tests_stay_together(request: pytest.FixtureRequest) -> None:
    """What a folder's tests share is made twice where pytest-xdist does not see the groups."""
    assert request.node.nodeid.endswith("@test_make.py") == request.config.getoption(
        "loadgroup", False
    )
