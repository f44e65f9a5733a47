"""Posting everything that dvc.lock records: at the end of a pipeline, or by hand."""

import subprocess
from collections import Counter
from pathlib import Path

from pydantic import ValidationError

from dllr import costs
from dllr.costs import Cost
from dllr.errors import TrackingError
from dllr.files import file_digest
from dllr.params.root import Params
from dllr.tracking.identity import Stage, State, planned_stages, recorded_stages, settled, state_of
from dllr.tracking.store import Store
from dllr.tracking.view import data_name, nested, stage_view, state_view


def post(
    root: Path,
    *,
    patience: float = 60.0,
    until: str | None = None,
    register: str | None = None,
) -> str:
    """Make MLflow show what dvc.lock records; a line that says how much was missing.

    One run for the state of the sources, one below it for each stage. Only stages whose entry in
    dvc.lock belongs to that state, and whose outputs lie in the project as recorded, are posted.
    A store that is not there yet is made, even when there is nothing to post. The run is finished when
    every stage is made, or `until` is. register: name in the registry for the state's model.
    """
    store = Store(root, patience)
    planned = planned_stages(root, outs=True)
    state, current = settled(recorded_stages(root), planned)
    made = {name: stage for name, stage in current.items() if stage.outs == planned[name].outs}
    if not made:
        if register:
            raise TrackingError("there is no model to register yet: run the chain first")
        return f"nothing to post to {store.uri} yet: dvc.lock records no stage that is current"
    spent = _spent(root, state, made)
    whole = state_view(root, state, made, _tags(root, state, planned), spent)
    children = [
        stage_view(root, state, stage, made, planned, spent.get(stage.name))
        for stage in made.values()
    ]
    with store.writing():
        experiment = store.experiment(data_name(state))
        known = store.runs(experiment, state.key)
        before = store.ensure(experiment, whole, known).info.status
        counts: Counter[str] = Counter()
        for child in children:
            counts[store.put(experiment, child, known, parent=whole)] += 1
        # The whole comes last: a crash before leaves it to be posted.
        status = "FINISHED" if len(made) == len(planned) or until in made else before
        counts[store.put(experiment, whole, known, status=status)] += 1
        store.settle(experiment)
    done = ", ".join(f"{counts[word]} {word}" for word in ("posted", "updated", "unchanged"))
    line = f"runs in {store.uri}: {done}"
    return f"{line}; {store.register(known[whole.key], register)}" if register else line


def _spent(root: Path, state: State, made: dict[str, Stage]) -> dict[str, Cost]:
    """What the stages cost, of those that ran here with these parameters."""
    try:
        values = Params.model_validate(nested(state.params)).model_dump(mode="json")
    except ValidationError:  # the parameters of another version
        return {}
    return costs.of(root, values, {name: stage.sections for name, stage in made.items()})


def _tags(root: Path, state: State, planned: dict[str, Stage]) -> dict[str, str]:
    """Where the state is written down: dvc.lock's digest and git's commit, if there is one and the sources
    are still those of the state."""
    tags = {"dvc.lock": file_digest(root / "dvc.lock")[:16]}
    now = state_of(planned.values())
    if now is None or now.key != state.key:
        return tags | {"git": "sources changed since they were run"}
    commit = _git(root, "rev-parse", "HEAD")
    if commit:
        changes = _git(root, "status", "--porcelain", "--untracked-files=no")
        tags["mlflow.source.git.commit"] = commit
        tags["git"] = "changed since the commit" if changes else "as in the commit"
    return tags


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", root, *arguments], capture_output=True, text=True, check=False
        )
    except OSError:  # no git here
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
