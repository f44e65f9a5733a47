"""A toy project, built once with both engines for real and copied for each test."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
NOTHING = {"snakemake": "Nothing to be done", "dvc": "Data and pipelines are up to date."}


@dataclass
class Project:
    """A git repository with a workflow in it, and the commands a person would type there."""

    root: Path
    env: Mapping[str, str]

    def __call__(self, command: str, *args: str, ok: bool = True, **env: str) -> str:
        """Everything a command printed; `ok` is whether it must succeed or must fail."""
        done = subprocess.run(
            [self._program(command), *args],
            cwd=self.root,
            env=self._environment(command, env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert (done.returncode == 0) is ok, done.stdout
        return done.stdout

    def start(self, command: str, *args: str, **env: str) -> subprocess.Popen[bytes]:
        """The same in the background, in a process group of its own."""
        return subprocess.Popen(
            [self._program(command), *args],
            cwd=self.root,
            env=self._environment(command, env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def build(self, engine: str) -> str:
        return self("snakemake") if engine == "snakemake" else self("dvc", "repro")

    def ran(self) -> set[str]:
        """The stages whose commands ran since the last call, each of them once."""
        log = self.root / "runs.log"
        stages = [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []
        log.unlink(missing_ok=True)
        assert len(stages) == len(set(stages)), f"a stage ran twice: {stages}"
        return set(stages)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} in {file}"
        path.write_text(text.replace(old, new))

    def commit(self, message: str) -> None:
        self("git", "add", "--all")
        self("git", "commit", "--quiet", "--message", message)

    def is_done(self) -> None:
        """Neither engine has anything to do, and neither did anything to find out."""
        assert NOTHING["snakemake"] in self("snakemake", "--dry-run")
        assert NOTHING["dvc"] in self("dvc", "status")
        assert self.ran() == set()

    def files(self) -> dict[str, bytes]:
        results = self.root / "results"
        return {
            str(path.relative_to(results)): path.read_bytes()
            for path in sorted(results.rglob("*"))
            if path.is_file() and path.name != ".snakemake_timestamp"
        }

    def _environment(self, command: str, env: Mapping[str, str]) -> dict[str, str]:
        """The virtual environment must be activated for DVC, and need not for Snakemake."""
        path = self.env["PATH"] if command == "snakemake" else f"{BIN}:{self.env['PATH']}"
        return {**self.env, "PATH": path, **env}

    def _program(self, command: str) -> str:
        return command if command == "git" else str(BIN / command)


def environment(home: Path) -> dict[str, str]:
    """Nothing of the person's own settings, and no network."""
    away = "http://127.0.0.1:9"
    return {
        "PATH": ":".join(p for p in os.environ["PATH"].split(":") if Path(p) != BIN),
        "HOME": str(home),
        "DVC_GLOBAL_CONFIG_DIR": str(home / "dvc"),
        "DVC_SITE_CACHE_DIR": str(home / "dvc-site"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "toy",
        "GIT_AUTHOR_EMAIL": "toy@example.org",
        "GIT_COMMITTER_NAME": "toy",
        "GIT_COMMITTER_EMAIL": "toy@example.org",
        "PYTHONDONTWRITEBYTECODE": "1",
        "http_proxy": away,
        "https_proxy": away,
    }


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The toy, built by Snakemake and committed. Its path holds a space."""
    root = tmp_path_factory.mktemp("template") / "toy project"
    shutil.copytree(HERE / "toy", root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "pipeline.yaml").rename(root / "dvc.yaml")
    shutil.copytree(ROOT / "profiles", root / "profiles")
    (root / "workflow").mkdir(exist_ok=True)
    for module in (ROOT / "workflow").glob("*.py"):
        shutil.copy(module, root / "workflow")
    shutil.copy(ROOT / ".dvcignore", root)
    project = Project(root, environment(tmp_path_factory.mktemp("home")))
    project("git", "init", "--quiet", "--initial-branch", "main")
    project("dvc", "init", "--quiet")
    shutil.copy(ROOT / ".dvc" / "config", root / ".dvc")
    project("snakemake")
    project.commit("built")
    return project


@pytest.fixture
def project(template: Project, tmp_path: Path) -> Project:
    """A copy of the built toy, with an empty record of runs."""
    root = tmp_path / "toy project"
    shutil.copytree(template.root, root, symlinks=True)
    copy = Project(root, template.env)
    copy.ran()
    return copy


@pytest.fixture(scope="session")
def built_chain(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """This project itself, run by Snakemake on six small scenes with a few steps, and committed.

    The scenes are a plain folder, as a user's would be, so that tests may change their pixels.
    """
    root = tmp_path_factory.mktemp("chain") / "real project"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    home = environment(tmp_path_factory.mktemp("home"))
    project = Project(root, {**home, "PYTHONPATH": str(root), "DLLR_TRACK": "0"})
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    params["demo"]["country"] |= {"scenes": 6, "size": 192}
    params["scenes"]["root"] = "data/own"
    params["tile"] |= {"size": 64, "stride": 64}
    params["split"] |= {"labelled_tiles": 8}
    params["model"]["width"] = 8
    params["train"] |= {"batch": 4, "checkpoint_every": 0.01, "log_every": 5}
    params["warmup"]["steps"] = 20
    params["train_round"] |= {"steps": 10, "guard": None}  # so few steps decide nothing
    yaml.dump(params, root / "params.yaml")
    project("git", "init", "--quiet", "--initial-branch", "main")
    project("dllr", "demo", "--out", "data/own")
    params["demo"] = {}
    yaml.dump(params, root / "params.yaml")
    project("snakemake", "--cores", "all")
    project.commit("built")
    return project


@pytest.fixture
def chain(built_chain: Project, tmp_path: Path) -> Project:
    """A copy of it of one's own, at another path."""
    root = tmp_path / "real project"
    shutil.copytree(built_chain.root, root, symlinks=True)
    return Project(root, {**built_chain.env, "PYTHONPATH": str(root)})
