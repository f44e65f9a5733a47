"""The project of a test."""

import shutil
from pathlib import Path

import pytest
from tiny_project import Project

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SET = "demo: {}\nscenes: {root: data/scenes}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Committed, nothing made yet. Its path holds a space and a comma."""
    home = tmp_path / "home"
    settings = {
        "HOME": home,
        "GIT_CONFIG_GLOBAL": home / "gitconfig",
        "GIT_CONFIG_NOSYSTEM": 1,
        "DVC_GLOBAL_CONFIG_DIR": home / "dvc",
        "DVC_SITE_CACHE_DIR": home / "dvc-site",
        "DLLR_THREADS": 4,
        "DLLR_TRACK": 0,
        "TINY_LOG": tmp_path / "ran.jsonl",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    for name in (
        "MLFLOW_TRACKING_URI",
        "MLFLOW_EXPERIMENT_NAME",
        "DVC_STAGE",
        "DVC_ROOT",
        "PYTHONPATH",
    ):
        monkeypatch.delenv(name, raising=False)
    home.mkdir()
    (home / "gitconfig").write_text("[user]\n\tname = t\n\temail = t@example.org\n")
    root = tmp_path / "a project, tiny"
    (root / ".dvc").mkdir(parents=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    shutil.copy(HERE / "tiny" / "pipeline.yaml", root / "dvc.yaml")
    shutil.copy(HERE / "tiny" / "stage.py", root)
    (root / "params").mkdir()
    for name in ("defaults.yaml", "quick.yaml"):
        shutil.copy(ROOT / "params" / name, root / "params")
    (root / "params" / "tiny.yaml").write_text(SET)
    (root / "params.yaml").write_text("{}\n")
    (root / "studies").mkdir()
    (root / "data" / "scenes").mkdir(parents=True)
    (root / "data" / "scenes" / "a.txt").write_text("a scene")
    project = Project(root, tmp_path / "ran.jsonl")
    project.git("init", "--quiet", "--initial-branch", "main")
    project.commit()
    monkeypatch.chdir(root)
    return project
