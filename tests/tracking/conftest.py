"""Projects to post from."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tracked_project import Project, make

from dllr.tracking.store import Store


@pytest.fixture(autouse=True)
def _no_shared_store(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "DLLR_TRACK", "DVC_STAGE", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose pipeline has run, in a path with a space; its store holds no run."""
    project = make(tmp_path_factory.mktemp("template") / "a project")
    project.repro()
    Store(project.root)
    return project.root


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    """A copy of it of one's own."""
    return Project(shutil.copytree(template, tmp_path / "a project"))


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    return make(tmp_path / "a project")


@pytest.fixture
def wait_until() -> Callable[..., None]:
    def wait(condition: Callable[[], object], seconds: float = 30.0) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "it did not come"
            time.sleep(0.2)

    return wait
