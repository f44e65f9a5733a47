"""A small DVC project with thin stages, run for real, and the store read back with MLflow."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class Project:
    """A folder with a pipeline: run it, change its params, read its MLflow store."""

    def __init__(self, root: Path):
        self.root = root

    def environment(self, **more: str) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        package = str(HERE.parents[1])
        return os.environ | {"PATH": path, "PYTHONPATH": package, "DVC_NO_ANALYTICS": "1"} | more

    def start(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str, **environment: str) -> str:
        process = self.start(*command, **environment)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        return output

    def repro(self, *options: str, **environment: str) -> str:
        return self.run("dvc", "repro", "-q", *options, **environment)

    def change(self, old: str, new: str) -> None:
        path = self.root / "params.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def dump(self) -> dict[str, dict[str, Any]]:
        """Everything in the store by run id: tags, params, whole metric histories, data, files."""
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{self.root / 'mlflow.db'}")
        runs = {}
        for experiment in client.search_experiments():
            for run in client.search_runs([experiment.experiment_id]):
                run_id = run.info.run_id
                history = {
                    key: [(p.step, p.value, p.timestamp) for p in points]
                    for key in run.data.metrics
                    if (points := client.get_metric_history(run_id, key))
                }
                runs[run_id] = {
                    "experiment": experiment.name,
                    "name": run.info.run_name,
                    "status": run.info.status,
                    "times": (run.info.start_time, run.info.end_time),
                    "tags": dict(run.data.tags),
                    "params": dict(run.data.params),
                    "metrics": dict(run.data.metrics),
                    "history": history,
                    "inputs": sorted(
                        (item.dataset.name, item.dataset.digest)
                        for item in run.inputs.dataset_inputs
                    ),
                    "artifacts": sorted(_files(client, run_id, "")),
                }
        return runs

    def experiment(self, run_id: str) -> str:
        """Identifier of a run's experiment."""
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{self.root / 'mlflow.db'}")
        return str(client.get_run(run_id).info.experiment_id)

    def wholes(self) -> list[dict[str, Any]]:
        """The runs of states of the sources, first come first."""
        runs = [run for run in self.dump().values() if "mlflow.parentRunId" not in run["tags"]]
        return sorted(runs, key=lambda run: run["times"][0])

    def children(self, whole: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The runs below a run, by stage; two of one stage fail."""
        runs = self.dump()
        (run_id,) = (i for i, run in runs.items() if run["tags"] == whole["tags"])
        below = [run for run in runs.values() if run["tags"].get("mlflow.parentRunId") == run_id]
        named = {run["name"]: run for run in below}
        assert len(named) == len(below)
        return named


def _files(client: Any, run_id: str, folder: str) -> list[str]:
    found = []
    for item in client.list_artifacts(run_id, folder or None):
        found += _files(client, run_id, item.path) if item.is_dir else [item.path]
    return found


def make(root: Path) -> Project:
    """A new project: git, DVC, scenes; nothing run."""
    (root / "data/islands").mkdir(parents=True)
    (root / "data/islands/one.tif").write_bytes(b"pixels")
    # Under their own names they would be a part of the pipeline that the tests belong to.
    shutil.copy(HERE / "pipeline.yaml", root / "dvc.yaml")
    shutil.copy(HERE / "pipeline_params.yaml", root / "params.yaml")
    shutil.copy(HERE / "thin.py", root)
    project = Project(root)
    ignored = "/results/\n/data/\n/mlflow.db*\n/mlartifacts/\n/.dllr/\n__pycache__/\n"
    (root / ".gitignore").write_text(ignored)
    project.run("git", "init", "-q")
    project.run("dvc", "init", "-q")
    project.run("dvc", "config", "core.analytics", "false")
    project.run("git", "add", ".")
    commit(project, "start")
    return project


def commit(project: Project, message: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    project.run("git", *who, "commit", "-qam", message)
    return project.run("git", "rev-parse", "HEAD").strip()
