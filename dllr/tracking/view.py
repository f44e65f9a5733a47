"""What a run shows, read from files: params, tags, metric points, data sets and artifacts.

Names of metrics. The state's run: `miou`, `oa`, `f1`, `kappa`, `iou/<class>` of the selected
round's fused head on the test split, `optical/...` and `sar/...` of the other heads, and
`rounds/<head>/<score>`, `rounds/validation_miou` and `rounds/guard_miou` with the round as step.
A training stage's run: the columns of its history by step, `test/<head>/<score>` of its round, and
what its guard read: `validation/<head>/miou`, `validation/correlation`, `validation/entropy`, and
the verdict as tag `guard`. A pseudo-label stage's: the numbers of its summary, `before/<class>` and
the like; the tag `skipped` where it made nothing. The registration's: `scenes/<verdict>`,
`median_apart_px`.
"""

import csv
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Any

from dllr.files import digest, file_digest, read_json
from dllr.raster.products import GUARD
from dllr.tracking.identity import Stage, State

SCORES = ("miou", "oa", "f1", "kappa")
TRAINING = ("warmup", "train_round")


@dataclass(frozen=True)
class Point:
    """One value of a metric."""

    key: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class DataSet:
    """Data a run read: its path, and DVC's hash of its content."""

    path: str
    hash: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name if self.path.startswith("/") else self.path


@dataclass
class View:
    """One run. `key` is its identity; `artifacts`: file by its name in MLflow, or its text."""

    key: str
    name: str
    params: dict[str, str]
    tags: dict[str, str]
    points: list[Point] = field(default_factory=list)
    data_sets: list[DataSet] = field(default_factory=list)
    artifacts: dict[str, Path | str] = field(default_factory=dict)
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
        return digest(self.name, self.params, self.tags, points, sets, contents)


def state_view(
    root: Path, state: State, made: dict[str, Stage], tags: dict[str, str] | None = None
) -> View:
    """The run of a state of the sources.

    Args:
        root: the project's folder.
        state: what the run is about.
        made: its stages whose outputs lie in the project as dvc.lock records them.
        tags: more tags (git commit, digest of dvc.lock).
    """
    params = nested(state.params)
    tags = {"set": data_name(state), **_facts(params), **(tags or {})}
    # The digest comes first: lists of runs cut long names off.
    words = [state.key[:6], tags.get("method", "")]
    words += [f"{tags['labelled_tiles']} tiles"] if "labelled_tiles" in tags else []
    view = View(
        state.key,
        " ".join(word for word in words if word),
        flattened(params),
        tags,
        data_sets=_scene_folder(state, made),
        artifacts={"params.yaml": _yaml(params)},
    )
    for stage in made.values():
        folder = output(root, stage)
        if stage.kind == "evaluate":
            _add_evaluation(view, folder)
        elif stage.kind in TRAINING:
            miou = (_guard(folder).get("miou") or {}).get("fused")
            if miou is not None:
                view.points.append(Point("rounds/guard_miou", miou, int(stage.item or 0)))
        elif stage.kind == "report":
            files = (path for path in sorted(folder.rglob("*")) if path.is_file())
            view.artifacts |= {f"report/{path.relative_to(folder)}": path for path in files}
    # Not from the first output on: states that share it would all seem to be made at once.
    view.ended = max((_modified(output(root, stage)) for stage in made.values()), default=None)
    return view


def _add_evaluation(view: View, folder: Path) -> None:
    metrics = read_json(folder / "metrics.json")
    selected = str(metrics["selected_round"])
    view.points += _scores(metrics["rounds"][selected]["fused"])
    for head in ("optical", "sar"):
        view.points += _scores(metrics["rounds"][selected].get(head, {}), f"{head}/")
    view.points.append(Point("selected_round", float(selected)))
    for name, heads in metrics["rounds"].items():
        for head, scores in heads.items():
            view.points += _scores(scores, f"rounds/{head}/", int(name))
    selection = folder / "selection.json"
    if selection.exists():
        validation = read_json(selection)["validation_miou"]
        view.points += [
            Point("rounds/validation_miou", value, int(name))
            for name, value in validation.items()
            if value is not None
        ]
    for name in ("metrics.json", "selection.json", "confusion.csv"):
        if (folder / name).exists():
            view.artifacts[name] = folder / name


def stage_view(
    root: Path,
    state: State,
    stage: Stage,
    made: dict[str, Stage],
    planned: dict[str, Stage],
) -> View:
    """The run of one stage within a state; of a stage that still runs if it is not in `made`.

    A stage that two states share has a run under each, so that each is complete in a comparison;
    the tag `dllr.stage` is the same in both.
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
    if stage.kind in TRAINING:
        view.points += history_points(folder / "history.csv")
        guard = _guard(folder)
        view.points += guard_points(guard)
        view.tags |= {"guard": guard["verdict"]} if guard else {}
        round_name = stage.item or "0"
        for other in made.values():
            if other.kind == "evaluate":
                rounds = read_json(output(root, other) / "metrics.json")["rounds"]
                for head, scores in rounds.get(round_name, {}).items():
                    view.points += _scores(scores, f"test/{head}/")
    elif stage.kind == "pseudo_label":
        summary = read_json(folder / "summary.json")
        if summary.get("skipped"):
            view.tags["skipped"] = "true"
        else:
            view.points += _numbers(summary)
    elif stage.kind == "coregister":
        view.points += registration_points(folder)
    return view


def _is_data(path: str, names: set[str]) -> bool:
    place = PurePosixPath(path)
    return any(place.is_relative_to(n) or PurePosixPath(n).is_relative_to(place) for n in names)


def history_points(path: Path) -> list[Point]:
    """The rows of a history.csv so far; a last line that is still being written is left out."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    complete = text[: text.rfind("\n") + 1]
    points = []
    for row in csv.DictReader(complete.splitlines()):
        for name, value in row.items():
            if name not in ("round", "step") and value:
                points.append(Point(metric_name(name), float(value), int(row["step"])))
    return points


def _guard(folder: Path) -> dict[str, Any]:
    """What the guard says of a round; nothing of results from before there was one."""
    found: dict[str, Any] = read_json(folder / GUARD) if (folder / GUARD).exists() else {}
    return found


def guard_points(guard: dict[str, Any]) -> list[Point]:
    """What the guard read of a round, where it read something."""
    found = {f"{head}/miou": value for head, value in (guard.get("miou") or {}).items()}
    found |= {name: guard.get(name) for name in ("correlation", "entropy")}
    return [Point(f"validation/{key}", value) for key, value in found.items() if value is not None]


def registration_points(folder: Path) -> list[Point]:
    """Scenes of each verdict, and medians over scenes of what their records say, px."""
    found = [read_json(path)["registration"] for path in sorted(folder.glob("*/record.json"))]
    points = [
        Point(f"scenes/{word}", sum(record["verdict"] == word for record in found))
        for word in sorted({record["verdict"] for record in found})
    ]
    for key in ("shift_px", "apart_px"):
        values = [record[key] for record in found if record[key] is not None]
        if values:
            points.append(Point(f"median_{key}", median(values)))
    return points


def _numbers(summary: dict[str, Any]) -> list[Point]:
    """Every number of a summary, named by the way to it: `residual`, `target/<class>`."""
    return [
        Point("/".join(metric_name(part).replace("/", "_") for part in path), float(value))
        for path, value in _leaves(summary)
        if isinstance(value, int | float)
    ]


def _scores(scores: dict[str, Any], prefix: str = "", step: int = 0) -> list[Point]:
    points = [
        Point(f"{prefix}{name}", scores[name], step)
        for name in SCORES
        if scores.get(name) is not None
    ]
    for name, value in scores.get("iou", {}).items():
        if value is not None:
            points.append(Point(prefix + _class_metric("iou", name), value, step))
    return points


def _class_metric(kind: str, name: str) -> str:
    return f"{kind}/{metric_name(name).replace('/', '_')}"


def metric_name(name: str) -> str:
    """`name` with what MLflow does not take in names replaced by `_`."""
    return re.sub(r"[^/\w.\- :]", "_", name)


def storable(value: float) -> float:
    """`value` as MLflow's databases keep it: infinities become the largest numbers."""
    largest = 1.7976931348623157e308
    return math.copysign(largest, value) if math.isinf(value) else float(value)


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
    split = params.get("split", {})
    budget = split["labelled_tiles"] or "all" if "labelled_tiles" in split else None
    for name, value in (("method", method), ("labelled_tiles", budget)):
        if value is not None:
            tags[name] = str(value)
    for path, value in _leaves(params):
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
        for path, value in _leaves(params)
    }


def _leaves(
    tree: dict[str, Any], at: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*at, str(key)))
        else:
            yield (*at, str(key)), value


def _yaml(params: dict[str, Any]) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    text = StringIO()
    YAML().dump(params, text)  # in the order given: that of the classes counts
    return text.getvalue()
