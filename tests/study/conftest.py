"""A small project that studies run in: real git, real DVC, thin stages."""

import json
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dllr import study

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SET = "demo: {}\nscenes: {root: data/scenes}\n"


@dataclass
class Project:
    """A git repository with a pipeline, scenes beside it, and the studies of one test."""

    root: Path
    log: Path

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "as it is")

    def describe(self, **study: object) -> Path:
        """Write studies/grid.yaml."""
        path = self.root / "studies" / "grid.yaml"
        with path.open("w", encoding="utf-8") as file:
            YAML().dump(study, file)
        return path

    def study(self, **described: object) -> str:
        return study.run(self.describe(**described).relative_to(self.root), self.root)

    def ran(self) -> list[dict[str, str]]:
        """A line for each stage that ran since the last call."""
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        self.log.unlink(missing_ok=True)
        return [json.loads(line) for line in text.splitlines()]

    def counts(self) -> Counter[str]:
        return Counter(line["stage"] for line in self.ran())

    def cell(self, name: str) -> Path:
        return self.root / "studies" / "work" / "grid" / name

    @property
    def table(self) -> Path:
        return self.root / "studies" / "results" / "grid.csv"


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
        "TINY_LOG": tmp_path / "ran.jsonl",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    for name in ("MLFLOW_TRACKING_URI", "DVC_STAGE", "DVC_ROOT", "PYTHONPATH"):
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
