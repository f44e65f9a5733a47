"""The chain on four small scenes from the front to `evaluate`, made once and copied for each test."""

import shutil
from pathlib import Path

import pytest

from dllr.cli import main
from dllr.params.load import read_yaml

from .small_scenes import front, project, save  # noqa: F401

R = "results"


def stage(text: str) -> None:
    assert main(text.split()) == 0


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("small_run")


@pytest.fixture
def run(project: Path, made: Path) -> Path:  # noqa: F811
    """A project with results up to results/evaluation of a warm-up alone; scenes a to d."""
    values = read_yaml(Path("params.yaml"))
    values["model"]["width"] = 8
    values["train"] |= {"batch": 2, "log_every": 1}
    values["warmup"]["steps"] = 20
    values["rounds"] = {}
    save(values)
    if not (made / R).exists():
        assert front() == 0
        stage(
            f"warmup --coregistered {R}/coregistered --tiles {R}/tiles --split {R}/split --out {R}/rounds/0"
        )
        stage(
            f"evaluate --coregistered {R}/coregistered --labels {R}/labels --split {R}/split "
            f"--trained {R}/rounds --out {R}/evaluation"
        )
        for part in (R, ".dllr"):
            shutil.copytree(part, made / part)
    else:
        for part in (R, ".dllr"):
            shutil.copytree(made / part, part)
    return project
