"""The runs as the page of MLflow shows them."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tracked_project import Project

from dllr.tracking import track


@pytest.fixture
def address(project: Project) -> Iterator[str]:
    """Of a server of the project's store, as `make ui` starts it."""
    track(project.root)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = f"sqlite:///{project.root / 'mlflow.db'}"
    command = [
        str(Path(sys.executable).with_name("mlflow")), "ui", "--backend-store-uri", store,
        "--artifacts-destination", str(project.root / "mlartifacts"), "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1",
    ]  # fmt: skip
    off = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    server = subprocess.Popen(
        command, cwd=project.root, env=project.environment(**off),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    found = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{found}/health", timeout=5).close()
            break
        except OSError:
            assert server.poll() is None and time.monotonic() < until, (
                "MLflow's server did not start"
            )
            time.sleep(0.5)
    yield found
    server.terminate()
    server.wait()


def seen(browser: Any, *words: str) -> str:
    """The text of the page once it holds all words."""
    until = time.monotonic() + 60
    while True:
        text: str = browser.execute_script("return document.body.innerText")
        if all(word in text for word in words):
            return text
        assert time.monotonic() < until, f"the page does not show {words}: {text[:2000]}"
        time.sleep(0.5)


def test_runs_and_their_scores_are_there_to_be_compared(
    browser: Any, project: Project, address: str
) -> None:
    (whole,) = project.wholes()
    (run_id,) = (i for i, run in project.dump().items() if run["tags"] == whole["tags"])
    experiment = project.experiment(run_id)
    size = {"width": 1500, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(f"{address}/#/experiments/{experiment}/runs")
    seen(browser, whole["name"])
    browser.get(f"{address}/#/experiments/{experiment}/runs/{run_id}")
    seen(browser, whole["name"], "miou", "0.6", "train.learning_rate", "self_training")
    browser.get(f"{address}/#/experiments/{experiment}/runs/{run_id}/model-metrics")
    seen(browser, "rounds/fused", "Model metrics")
    browser.get(f"{address}/#/experiments/{experiment}/runs/{run_id}/artifacts")
    seen(browser, "ledger.csv", "report", "model")
