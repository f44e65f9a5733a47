"""The MLflow store: with `dllr.tracking.model` the only module that talks to MLflow.

One file lock guards its creation (MLflow's own fails when several processes are first at once)
and every change, so that two processes never post the same point twice.
"""

import json
import os
import sqlite3
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dllr.errors import TrackingError
from dllr.tracking.metrics import SCORES, Point, storable
from dllr.tracking.model import Models
from dllr.tracking.view import DataSet, View

KEY = "dllr.key"  # identity of a run
STATE = "dllr.state"  # key of the state a run belongs to
POSTED = "dllr.posted"  # digest of the view that was posted
SEEN = "dllr.seen"  # when the follower of a running stage last wrote, s since the epoch
SILENCE = 120.0  # s after which a running stage without a sign of life counts as killed
PARENT = "mlflow.parentRunId"


class Store:
    """The store of a project, created if need be.

    Args:
        root: the project's folder.
        patience: seconds to wait for another process that is writing.

    Raises:
        TrackingError: from here and from every method, if the store cannot be reached or written.
    """

    def __init__(self, root: Path, patience: float = 60.0):
        root = root.resolve()
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"
        self._artifacts: str | None = (root / "mlartifacts").as_uri()
        lock = root / ".dllr" / "mlflow.lock"
        if self.uri.startswith("sqlite:///"):
            # Projects that share a database share its lock, and keep their files beside it.
            database = Path(self.uri.removeprefix("sqlite:///")).absolute()
            lock = database.with_name(database.name + ".lock")
            self._artifacts = (database.parent / "mlartifacts").as_uri()
        elif self.uri.startswith(("http:", "https:")):
            self._artifacts = None  # the server decides
        self._followed: dict[str, dict[tuple[str, int], float]] = {}
        self._seen: dict[str, float] = {}
        self._lock = FileLock(lock, timeout=patience)
        with self.writing():
            if self.uri.startswith("sqlite:///"):
                _probe(database)
            self._client: Any = _client(self.uri)
            self._models = Models(self._client)
            self._client.search_experiments(max_results=1)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Alone with the store, and its failures told as a TrackingError."""
        try:
            Path(self._lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                yield
        except TrackingError:
            raise
        except Timeout:
            raise TrackingError(
                f"another process has held {self._lock.lock_file} for {self._lock.timeout:.0f} s; "
                "wait for it to end, then run `dllr track`"
            ) from None
        except _failures() as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise TrackingError(
                f"the MLflow store {self.uri} cannot be used: {reason}. Check that it can be "
                "written (or that MLFLOW_TRACKING_URI names a server that answers), then run "
                "`dllr track`; nothing is lost"
            ) from None

    def experiment(self, name: str) -> str:
        """Identifier of the experiment of this name, or of MLFLOW_EXPERIMENT_NAME, created if need be."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or name
        with self.writing():
            found = self._client.get_experiment_by_name(name)
            if found is None:
                kind = {"mlflow.experimentKind": "custom_model_development"}  # which page opens
                return str(self._client.create_experiment(name, self._artifacts, kind))
            if found.lifecycle_stage != "active":
                raise TrackingError(
                    f"the MLflow experiment {name!r} was deleted; bring it back with `mlflow "
                    f"experiments restore -x {found.experiment_id}` or remove it with `mlflow gc`"
                )
            return str(found.experiment_id)

    def runs(self, experiment: str, state: str) -> dict[str, Any]:
        """The runs of a state of the sources, by their key."""
        with self.writing():
            found = self._search(experiment, f"tags.`{STATE}` = '{state}'")
            return {run.data.tags[KEY]: run for run in found if KEY in run.data.tags}

    def ensure(
        self,
        experiment: str,
        view: View,
        known: dict[str, Any],
        *,
        parent: View | None = None,
    ) -> Any:
        """The run of `view`, created empty if need be.

        Args:
            known: the state's runs as `runs` gave them; a new run is added.
            parent: the view of the run that this one is part of; that run must be there.
        """
        if view.key not in known:
            tags = {KEY: view.key, STATE: parent.key if parent else view.key}
            if parent:
                tags[PARENT] = known[parent.key].info.run_id
            start = int(1000 * (view.started or view.ended or time.time()))
            with self.writing():
                known[view.key] = self._client.create_run(experiment, start, tags, view.name)
        return known[view.key]

    def put(
        self,
        experiment: str,
        view: View,
        known: dict[str, Any],
        *,
        parent: View | None = None,
        status: str = "FINISHED",
    ) -> str:
        """Make a run show `view`: `posted` (new), `updated` or `unchanged`. Takes nothing away.

        Args:
            known, parent: as for `ensure`.
            status: what the run is to be: FINISHED, RUNNING or SCHEDULED (parts are missing yet).
        """
        run = self.ensure(experiment, view, known, parent=parent)
        run_id, posted, digest = (
            run.info.run_id,
            run.data.tags.get(POSTED),
            view.digest(),
        )
        with self.writing():
            whole = self._models.has(run_id, view.model)
            if posted == digest and run.info.status == status and whole:
                return "unchanged"
            self._add(run, view)
            if status == "FINISHED":
                ended = int(1000 * (view.ended or time.time()))
                self._client.set_terminated(run_id, status, max(ended, run.info.start_time))
            else:
                self._client.update_run(run_id, status)
            self._client.set_tag(run_id, POSTED, digest)
            known[view.key] = self._client.get_run(run_id)
        return "updated" if posted else "posted"

    def _add(self, run: Any, view: View) -> None:
        from mlflow.entities import Param, RunTag

        run_id = run.info.run_id
        params = [Param(k, v) for k, v in view.params.items() if k not in run.data.params]
        tags = [RunTag(k, v) for k, v in view.tags.items() if run.data.tags.get(k) != v]
        for part in _parts(params, 100):
            self._client.log_batch(run_id, params=part)
        for part in _parts(tags, 100):
            self._client.log_batch(run_id, tags=part)
        logged = None
        if view.model and not self._models.has(run_id, view.model):
            logged = self._models.log(run, view.model)
        self._log(
            run_id,
            view.points,
            self._history(run_id, {point.key for point in view.points}),
            logged,
        )
        if logged:
            self._models.attach(run_id, logged)
        self._log_data(run, view.data_sets)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in view.artifacts.items():
                path, _, base = name.rpartition("/")
                if isinstance(content, str):
                    text, content = content, Path(folder, base)
                    content.write_text(text, encoding="utf-8")
                self._client.log_artifact(run_id, str(content), path or None)

    def register(self, run: Any, name: str) -> str:
        """Make the run's model a version of the registered model `name`; a line that says which.

        Raises:
            TrackingError: as `Models.register`, or the registry cannot be written.
        """
        with self.writing():
            return self._models.register(run, name)

    def _log_data(self, run: Any, data_sets: list[DataSet]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = run.inputs.dataset_inputs if run.inputs else []
        there = {(item.dataset.name, item.dataset.digest) for item in inputs}
        new = [
            DatasetInput(
                Dataset(data.name, data.hash, "local", json.dumps({"uri": data.path})),
                [InputTag("mlflow.data.context", "input")],
            )
            for data in data_sets
            if (data.name, data.hash) not in there
        ]
        if new:
            self._client.log_inputs(run.info.run_id, new)

    def follow(self, run_id: str, points: list[Point]) -> None:
        """Add points to a running stage's run, with a sign of life now and then."""
        known = self._followed.setdefault(run_id, {})
        fresh = [point for point in points if _differs(known, point)]
        now = time.time()
        if fresh or now - self._seen.get(run_id, 0.0) > SILENCE / 4:
            with self.writing():
                if not known:
                    known.update(self._history(run_id, {point.key for point in points}))
                self._log(run_id, fresh, known)
                self._client.set_tag(run_id, SEEN, f"{now:.0f}")
            self._seen[run_id] = now

    def _history(self, run_id: str, keys: Iterable[str]) -> dict[tuple[str, int], float]:
        """The last value by key and step."""
        last: dict[tuple[str, int], float] = {}
        for key in sorted(keys):
            history = self._client.get_metric_history(run_id, key)
            for metric in sorted(history, key=lambda metric: metric.timestamp):
                last[key, metric.step] = metric.value
        return last

    def _log(
        self,
        run_id: str,
        points: list[Point],
        known: dict[tuple[str, int], float],
        model_id: str | None = None,
    ) -> None:
        """Post the points whose value is not the last at their step, and the scores of a new model."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        scores = SCORES if model_id else ()
        new = [point for point in points if _differs(known, point) or point.key in scores]
        metrics = [
            Metric(p.key, storable(p.value), now, p.step, model_id if p.key in scores else None)
            for p in new
        ]
        for part in _parts(metrics, 1000):
            self._client.log_batch(run_id, metrics=part)
        known.update({(point.key, point.step): storable(point.value) for point in new})

    def kill(self, run_id: str) -> None:
        """Say of a running stage that it ended without its outputs being recorded."""
        with self.writing():
            self._client.set_terminated(run_id, "KILLED")

    def settle(self, experiment: str) -> None:
        """End what nobody follows any more.

        A stage that has given no sign of life for `SILENCE` is KILLED (posting it makes it
        FINISHED again); a state none of whose stages runs is SCHEDULED: stages are missing.
        """
        with self.writing():
            running = self._search(experiment, "attributes.status = 'RUNNING'")
            alive: dict[str, int] = defaultdict(int)
            now = time.time()
            for run in running:
                parent = run.data.tags.get(PARENT)
                if parent and now - float(run.data.tags.get(SEEN, 0)) < SILENCE:
                    alive[parent] += 1
                elif parent and STATE in run.data.tags:
                    self._client.set_terminated(run.info.run_id, "KILLED")
            for run in running:
                ours = STATE in run.data.tags and PARENT not in run.data.tags
                if ours and not alive[run.info.run_id]:
                    self._client.update_run(run.info.run_id, "SCHEDULED")

    def _search(self, experiment: str, condition: str) -> list[Any]:
        found: list[Any] = []
        token = None
        while True:
            page = self._client.search_runs([experiment], condition, page_token=token)
            found += page
            token = page.token
            if not token:
                return found


def _differs(known: dict[tuple[str, int], float], point: Point) -> bool:
    """Whether `point` is not the last value at its step (NaN is one value)."""
    return repr(known.get((point.key, point.step))) != repr(storable(point.value))


def _probe(database: Path) -> None:
    """Raise at once what MLflow would try again for minutes: a database that cannot be written."""
    with closing(sqlite3.connect(database, timeout=5.0)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("PRAGMA schema_version").fetchone()


def _client(uri: str) -> Any:
    """MLflow's client: no telemetry, and a server that is away is given up soon."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")  # no lines about the making of tables
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    from mlflow import MlflowClient

    return MlflowClient(uri)


def _failures() -> tuple[type[Exception], ...]:
    """What MLflow lets through when its store is away, locked or broken."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, sqlite3.Error, OSError


def _parts(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
