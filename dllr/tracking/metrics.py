"""Metric points, read from the files that the stages write.

Names of metrics. The state's run: `miou`, `oa`, `f1`, `kappa`, `boundary_miou` (along borders) and
`iou/<class>` of the selected round's fused head on the test split, `optical/...` and `sar/...` of the
other heads. Of the fused head alone `precision/<class>`, `recall/<class>`, `class_f1/<class>`; bounds of
95 % intervals, `miou_low`, `miou_high` and so of `oa`, `f1`, `kappa`, `iou_low/<class>`,
`iou_high/<class>`; `ece`, `brier` of its probabilities (`optical/ece` and so on of the other heads)
with the `temperature`, `ece_before`, `brier_before` as they are; `seen/<part>/miou` of the pixels that
`both` images see, or one (`no optical`, `no sar`); `certificate/<condition>`, mIoU with an
image missing, hidden or moved. Then `rounds/<head>/<score>`, `rounds/validation_miou` and
`rounds/guard_miou` with the round as step,
and so `labels/<set>/<rule>/accuracy`, how right pseudo-labels are: the set is `calibration`, the
fold, or `oracle`, unlabelled pixels whose class evaluation alone knows.
A training stage's run: the columns of its history by step, `test/<head>/<score>` of its round, and
what its guard read: `validation/<head>/miou`, `validation/correlation`, `validation/entropy`, and
the verdict as tag `guard`. A pseudo-label stage's: the numbers of its summary, `before/<class>` and
the like, and `labels/calibration/<rule>/<measure>`, accuracy, coverage and mIoU over all classes;
the tag `skipped` where it made nothing. The registration's: `scenes/<verdict>`,
`median_apart_px`. A stage's, where it ran here, and, where all did, their sums or largest in the state's:
`system/wall_seconds`, `system/cpu_seconds`, `system/peak_memory_megabytes`; while a training is followed,
with the seconds since its start as step, `system/process_cpu_percentage` (100 = one core) and
`system/process_memory_megabytes`.
"""

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from dllr.costs import Cost
from dllr.files import read_json
from dllr.raster.products import CERTIFICATE, GUARD, SELECTION
from dllr.raster.products import SCORES as TABLE

SCORES = ("miou", "oa", "f1", "kappa", "boundary_miou")
BY_CLASS = ("precision", "recall", "class_f1")
SYSTEM = "system"
MEASURES = ("accuracy", "coverage", "miou")  # of a rule for labels, in the ledger


@dataclass(frozen=True)
class Point:
    """One value of a metric."""

    key: str
    value: float
    step: int = 0


def evaluation_points(folder: Path) -> list[Point]:
    """Scores of the selected round, and of all rounds with the round as step."""
    metrics = read_json(folder / TABLE)
    selected = str(metrics["selected_round"])
    fused = metrics["rounds"][selected]["fused"]
    points = score_points(fused)
    points += [p for key in BY_CLASS for p in _class_points(key, fused.get(key, {}))]
    points += _sure_points(metrics)
    for head in ("optical", "sar"):
        points += score_points(metrics["rounds"][selected].get(head, {}), f"{head}/")
    points.append(Point("selected_round", float(selected)))
    for name, heads in metrics["rounds"].items():
        for head, scores in heads.items():
            points += score_points(scores, f"rounds/{head}/", int(name))
    selection = folder / SELECTION
    if selection.exists():
        found = read_json(selection)
        points += [
            Point("rounds/validation_miou", value, int(name))
            for name, value in found["validation_miou"].items()
            if value is not None
        ]
        if "temperature" in found:
            points.append(Point("temperature", found["temperature"]))
    certificate = folder / CERTIFICATE
    if certificate.exists():
        rows = csv.DictReader(certificate.read_text(encoding="utf-8").splitlines())
        points += [
            Point(f"certificate/{row['condition']}", float(row["miou"]))
            for row in rows
            if row["miou"]
        ]
    return points


def _sure_points(metrics: dict[str, Any]) -> list[Point]:
    """How far the selected round's probabilities hold, the bounds of its scores, and its parts."""
    found: list[Point] = []
    for head, words in metrics.get("calibration", {}).items():
        place = "" if head == "fused" else f"{head}/"
        for word, end in (("after", ""), ("before", "_before")):
            scores = words[word].items()
            found += [Point(f"{place}{key}{end}", v) for key, v in scores if v is not None]
    bounds = metrics.get("intervals", {}).get("fused", {})
    for end in ("low", "high"):
        for score in ("miou", "oa", "f1", "kappa"):
            if whole := bounds.get(score):
                found.append(Point(f"{score}_{end}", whole[end]))
        each = {name: bound and bound[end] for name, bound in bounds.get("iou", {}).items()}
        found += _class_points(f"iou_{end}", each)
    for part, scores in metrics.get("seen", {}).items():
        if (miou := scores["miou"]["fused"]) is not None:
            found.append(Point(f"seen/{part}/miou", miou))
    return found


def _class_points(key: str, values: dict[str, float | None]) -> list[Point]:
    return [Point(f"{key}/{_part(name)}", v) for name, v in values.items() if v is not None]


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


def guard_of(folder: Path) -> dict[str, Any]:
    """What the guard says of a round; nothing of results from before there was one."""
    found: dict[str, Any] = read_json(folder / GUARD) if (folder / GUARD).exists() else {}
    return found


def guard_points(guard: dict[str, Any]) -> list[Point]:
    """What the guard read of a round, where it read something."""
    found = {f"{head}/miou": value for head, value in (guard.get("miou") or {}).items()}
    found |= {name: guard.get(name) for name in ("correlation", "entropy")}
    return [Point(f"validation/{key}", value) for key, value in found.items() if value is not None]


def label_points(
    ledger: str, measures: Sequence[str] = MEASURES, *, by_round: bool = False
) -> list[Point]:
    """What a ledger, as CSV, says of each rule over all classes; `by_round`: with the round as step."""
    from dllr.transport.ledger import EVERY

    return [
        Point(
            f"labels/{_part(row['set'])}/{_part(row['rule'])}/{measure}",
            float(row[measure]),
            int(row["round"]) if by_round else 0,
        )
        for row in csv.DictReader(ledger.splitlines())
        if row["class"] == EVERY
        for measure in measures
        if row[measure]
    ]


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


def summary_points(summary: dict[str, Any]) -> list[Point]:
    """Every number of a summary, named by the way to it: `residual`, `target/<class>`."""
    return [
        Point("/".join(_part(part) for part in path), float(value))
        for path, value in leaves(summary)
        if isinstance(value, int | float)
    ]


def cost_points(cost: Cost) -> list[Point]:
    """Under MLflow's prefix for what it shows as system metrics."""
    found = {
        "wall_seconds": cost.seconds,
        "cpu_seconds": cost.cpu_seconds,
        "peak_memory_megabytes": cost.peak_bytes / 1e6,
    }
    return [Point(f"{SYSTEM}/{name}", value) for name, value in found.items()]


def score_points(scores: dict[str, Any], prefix: str = "", step: int = 0) -> list[Point]:
    """Those of `SCORES` that are there, and IoU by class."""
    points = [
        Point(f"{prefix}{name}", scores[name], step)
        for name in SCORES
        if scores.get(name) is not None
    ]
    for name, value in scores.get("iou", {}).items():
        if value is not None:
            points.append(Point(f"{prefix}iou/{_part(name)}", value, step))
    return points


def metric_name(name: str) -> str:
    """`name` with what MLflow does not take in names replaced by `_`."""
    return re.sub(r"[^/\w.\- :]", "_", name)


def _part(name: str) -> str:
    """`name` as one part of a metric's name."""
    return metric_name(name).replace("/", "_")


def storable(value: float) -> float:
    """`value` as MLflow's databases keep it: infinities become the largest numbers."""
    largest = 1.7976931348623157e308
    return math.copysign(largest, value) if math.isinf(value) else float(value)


def leaves(tree: dict[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values of a tree of dicts, each with the keys on the way to it."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*at, str(key)))
        else:
            yield (*at, str(key)), value
