"""What a run shows: params, tags, data sets, artifacts, and the points that `metrics` reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dllr.costs import Cost
from dllr.files import digest, file_digest, read_json
from dllr.raster.products import (
    CARD,
    CERTIFICATE,
    CLASS_SCORES,
    CONFUSION,
    EXAMPLE,
    HISTORY,
    LEDGER,
    METRICS,
    ONNX,
    RELIABILITY,
    RULES,
    SCORES,
    SELECTION,
    SUMMARY,
)
from dllr.tracking.identity import Stage, State
from dllr.tracking.metrics import (
    Point,
    cost_points,
    evaluation_points,
    guard_of,
    guard_points,
    history_points,
    label_points,
    leaves,
    metric_name,
    registration_points,
    score_points,
    summary_points,
)

TRAINING = ("warmup", "train_round")
# Keys of section split, and in words.
BUDGETS = {"labelled_tiles": "tiles", "labelled_scenes": "scenes"}


@dataclass(frozen=True)
class DataSet:
    """Data a run read: its path, and DVC's hash of its content."""

    path: str
    hash: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name if self.path.startswith("/") else self.path


@dataclass(frozen=True)
class Model:
    """An ONNX file, an image that it takes (.npy), and its card."""

    file: Path
    example: Path
    card: Path

    def digest(self) -> str:
        return digest([file_digest(path) for path in (self.file, self.example, self.card)])


@dataclass
class View:
    """One run. `key` is its identity; `artifacts`: file by its name in MLflow, or its text; `model`: the
    trained network, which becomes a model of MLflow's."""

    key: str
    name: str
    params: dict[str, str]
    tags: dict[str, str]
    points: list[Point] = field(default_factory=list)
    data_sets: list[DataSet] = field(default_factory=list)
    artifacts: dict[str, Path | str] = field(default_factory=dict)
    model: Model | None = None
    started: float | None = None  # s since the epoch; None = as `ended`
    ended: float | None = None  # s since the epoch

    def digest(self) -> str:
        """Of everything shown: equal digests, nothing to post."""
        contents = {
            name: file_digest(value) if isinstance(value, Path) else value
            for name, value in self.artifacts.items()
        }
        points = [(point.key, repr(point.value), point.step) for point in self.points]
        sets = [(data.path, data.hash) for data in self.data_sets]
        model = self.model.digest() if self.model else ""
        return digest(self.name, self.params, self.tags, points, sets, contents, model)


def state_view(
    root: Path,
    state: State,
    made: dict[str, Stage],
    tags: dict[str, str] | None = None,
    spent: Mapping[str, Cost] | None = None,
) -> View:
    """The run of a state of the sources.

    Args:
        root: the project's folder.
        state: what the run is about.
        made: its stages whose outputs lie in the project as dvc.lock records them.
        tags: more tags (git commit, digest of dvc.lock).
        spent: what its stages cost, by name, where it is known.
    """
    params = nested(state.params)
    tags = {"set": data_name(state), **_facts(params), **(tags or {})}
    # The digest comes first: lists of runs cut long names off.
    words = [state.key[:6], tags.get("method", "")]
    words += [f"{tags[name]} {unit}" for name, unit in BUDGETS.items() if name in tags]
    view = View(
        state.key,
        " ".join(word for word in words if word),
        flattened(params),
        tags,
        data_sets=_scene_folder(state, made),
        artifacts={"params.yaml": _yaml(params)},
    )
    # What is posted first is shown first: the scores.
    evaluated = any(stage.kind == "evaluate" for stage in made.values())
    for stage in made.values():
        folder = output(root, stage)
        if stage.kind == "evaluate":
            view.points += evaluation_points(folder)
            names = (
                METRICS, SCORES, SELECTION, CERTIFICATE, CLASS_SCORES, CONFUSION, RELIABILITY, RULES,
            )  # fmt: skip
            view.artifacts |= {n: folder / n for n in names if (folder / n).exists()}
            if RULES in view.artifacts:
                ledger = (folder / RULES).read_text(encoding="utf-8")
                view.points += label_points(ledger, ("accuracy",), by_round=True)
        elif stage.kind in TRAINING and evaluated:
            miou = (guard_of(folder).get("miou") or {}).get("fused")
            if miou is not None:
                view.points.append(Point("rounds/guard_miou", miou, int(stage.item or 0)))
        elif stage.kind == "export":
            view.model = Model(folder / ONNX, folder / EXAMPLE, folder / CARD)
            view.artifacts["model_card.md"] = (folder / CARD).read_text(encoding="utf-8")
        elif stage.kind == "report":
            files = (path for path in sorted(folder.rglob("*")) if path.is_file())
            view.artifacts |= {f"report/{path.relative_to(folder)}": path for path in files}
    # Not from the first output on: states that share it would all seem to be made at once.
    view.ended = max((_modified(output(root, stage)) for stage in made.values()), default=None)
    if spent and view.ended and spent.keys() == made.keys():  # else it would be a part of it all
        known = spent.values()
        seconds = sum(cost.seconds for cost in known)
        view.points += cost_points(
            Cost(
                seconds,
                sum(cost.cpu_seconds for cost in known),
                max(cost.peak_bytes for cost in known),
                "",
            )
        )
        view.started = view.ended - seconds
    view.points.sort(key=lambda point: "/" in point.key)  # headline scores before their parts
    return view


def stage_view(
    root: Path,
    state: State,
    stage: Stage,
    made: dict[str, Stage],
    planned: dict[str, Stage],
    cost: Cost | None = None,
) -> View:
    """The run of one stage within a state; of a stage that still runs if it is not in `made`.

    cost: what it took, where that is known. A stage that two states share has a run under each, so that
    each is complete in a comparison; the tag `dllr.stage` is the same in both.
    """
    names = set().union(*(other.outs for other in planned.values())) | {_root(state)}
    view = View(
        digest(state.key, stage.key),
        stage.name,
        flattened(nested(stage.params)),
        {"stage": stage.name, "dllr.stage": stage.key},
        data_sets=[
            DataSet(path, value)
            for path, value in sorted(stage.deps.items())
            if value and _is_data(path, names)
        ],
    )
    if stage.name not in made:
        return view
    folder = output(root, stage)
    view.ended = _modified(folder)
    if cost:
        view.points += cost_points(cost)
        view.started = view.ended - cost.seconds
    if stage.kind in TRAINING:
        view.points += history_points(folder / HISTORY)
        judged = guard_of(folder)
        view.points += guard_points(judged)
        view.tags |= {"guard": judged["verdict"]} if judged else {}
        round_name = stage.item or "0"
        for other in made.values():
            if other.kind == "evaluate":
                rounds = read_json(output(root, other) / SCORES)["rounds"]
                for head, scores in rounds.get(round_name, {}).items():
                    view.points += score_points(scores, f"test/{head}/")
    elif stage.kind == "pseudo_label":
        summary = read_json(folder / SUMMARY)
        if summary.get("skipped"):
            view.tags["skipped"] = "true"
        else:
            view.points += summary_points(summary)
            if (folder / LEDGER).exists():
                ledger = _csv(folder / LEDGER)
                view.points += label_points(ledger)
                view.artifacts[RULES] = ledger
    elif stage.kind == "coregister":
        view.points += registration_points(folder)
    return view


def _is_data(path: str, names: set[str]) -> bool:
    place = PurePosixPath(path)
    return any(place.is_relative_to(n) or PurePosixPath(n).is_relative_to(place) for n in names)


def output(root: Path, stage: Stage) -> Path:
    """The folder a stage writes: its first output, or the one that its output files share."""
    path = root / next(iter(stage.outs))
    return path if path.is_dir() else path.parent


def _modified(path: Path) -> float:
    return path.stat().st_mtime


def data_name(state: State) -> str:
    """The data set's name: the last part of `scenes.root`."""
    return PurePosixPath(_root(state)).name or "scenes"


def _root(state: State) -> str:
    scenes = nested(state.params).get("scenes") or {}
    return str(PurePosixPath(str(scenes.get("root", ""))))


def _scene_folder(state: State, made: dict[str, Stage]) -> list[DataSet]:
    root = PurePosixPath(_root(state))
    for stage in made.values():
        for path, value in stage.deps.items():
            if PurePosixPath(path) == root and value:
                return [DataSet(path, value)]
    return []


def _facts(params: dict[str, Any]) -> dict[str, str]:
    """What people filter runs by."""
    tags = {}
    supervised = params.get("rounds") == {}
    method = "supervised" if supervised else params.get("train_round", {}).get("method")
    if method is not None:
        tags["method"] = str(method)
    split = params.get("split", {})
    budgets = {name: split[name] for name in BUDGETS if name in split}
    limits = {name: str(value) for name, value in budgets.items() if value is not None}
    tags |= limits or dict.fromkeys(list(budgets)[:1], "all")
    for path, value in leaves(params):
        if path[-1] == "seed":
            tags[f"seed.{path[0]}"] = str(value)
    return tags


def nested(params: dict[str, Any]) -> dict[str, Any]:
    """Values by dotted key (`train`, `split.seed`) as one tree."""
    tree: dict[str, Any] = {}
    for key, value in params.items():
        *parents, last = key.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return tree


def flattened(params: dict[str, Any]) -> dict[str, str]:
    """A tree of values as MLflow's params: dotted keys, text."""
    return {
        metric_name(".".join(path)): value if isinstance(value, str) else json.dumps(value)
        for path, value in leaves(params)
    }


def _csv(path: Path) -> str:
    """A table of a .parquet as CSV."""
    import pandas as pd  # takes its time, and few stages have one

    text: str = pd.read_parquet(path).to_csv(index=False, lineterminator="\n")
    return text


def _yaml(params: dict[str, Any]) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    text = StringIO()
    YAML().dump(params, text)  # in the order given: that of the classes counts
    return text.getvalue()
