"""Which charts the page has, each with its caption and with the same in words."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dllr.report import figures
from dllr.report.page import Chart, percent
from dllr.report.tables import HEADS, READINGS
from dllr.transport.ledger import CALIBRATION, EVERY, ORACLE, REASSIGNED

# Sets of the ledger, by the names they have in charts.
SETS = {CALIBRATION: "calibration fold", ORACLE: "unlabelled pixels"}
LIKELIEST = "argmax"  # the rule of the ledger that takes the teacher's own opinion
_LOSSES = ("loss", "supervised", "unlabelled")


def of_scores(
    rounds: Mapping[str, Mapping[str, Mapping[str, Any]]],
    validation: Mapping[str, float | None],
    selected: int,
    intervals: Mapping[str, Mapping[str, Any]],
) -> list[Chart]:
    """IoU by class in the round in use, with its interval, and, where there is more than one, mean IoU by
    round."""
    iou = {head: rounds[str(selected)][head]["iou"] for head in HEADS}
    bounds = {head: intervals[head]["iou"] for head in HEADS}
    charts = [
        Chart(
            figures.svg(figures.class_iou(iou, bounds), "iou"),
            "; ".join(f"{head}: {_with_bounds(iou[head], bounds[head])}" for head in HEADS),
            f"IoU by class, round {selected}",
        )
    ]
    if len(rounds) > 1:
        miou = {head: {r: heads[head]["miou"] for r, heads in rounds.items()} for head in HEADS}
        lines = {**miou, "fused on validation": validation}
        charts.append(
            Chart(
                figures.svg(figures.miou_by_round(miou, validation, selected), "rounds"),
                "; ".join(f"{name} by round: {_in_words(line)}" for name, line in lines.items()),
                "Mean IoU by round",
            )
        )
    return charts


def of_training(history: pd.DataFrame) -> list[Chart]:
    """Losses by step, a chart a round; a loss that is nowhere but zero is not drawn."""
    charts = []
    for number, rows in history.groupby("round"):
        losses = {name: rows[name].tolist() for name in _LOSSES if rows[name].fillna(0).any()}
        first, last = rows["loss"].iloc[0], rows["loss"].iloc[-1]
        steps = rows["step"].tolist()
        charts.append(
            Chart(
                figures.svg(figures.learning_curve(steps, losses), f"training-{number}"),
                f"Round {number}: loss from {first:.3f} at step {steps[0]} "
                f"to {last:.3f} at step {steps[-1]}",
                f"Round {number}",
            )
        )
    return charts


def of_readings(history: pd.DataFrame) -> list[Chart]:
    """Readings by step, a chart for each round that has any."""
    charts = []
    for number, rows in history.groupby("round"):
        taken = {name: rows[["step", name]].dropna() for name in READINGS}
        lines = {n: (t["step"].tolist(), t[n].tolist()) for n, t in taken.items() if len(t)}
        if lines:
            words = "; ".join(
                f"{name} from {values[0]:.2f} at step {steps[0]} to {values[-1]:.2f} at step {steps[-1]}"
                for name, (steps, values) in lines.items()
            )
            drawing = figures.svg(figures.readings(lines), f"readings-{number}")
            caption = f"Readings of round {number}"
            charts.append(Chart(drawing, f"{caption}: {words}", caption))
    return charts


def of_marginals(marginals: pd.DataFrame) -> list[Chart]:
    """Class shares before and after transport beside those aimed at, a chart a round."""
    charts = []
    for number, rows in marginals.groupby("round"):
        target, before, after = (rows[name].tolist() for name in ("target", "before", "after"))
        classes = rows["class"].tolist()
        words = ", ".join(
            f"{name} target {percent(t)} before {percent(b)} after {percent(a)} %"
            for name, t, b, a in zip(classes, target, before, after, strict=True)
        )
        figure = figures.marginals(classes, target, before, after)
        charts.append(
            Chart(figures.svg(figure, f"marginals-{number}"), words, f"Labels of round {number}")
        )
    return charts


def of_rules(ledger: pd.DataFrame) -> list[Chart]:
    """Accuracy by rule over all classes, a chart for each round of which any is known, on one scale."""
    whole = ledger[ledger["class"] == EVERY]
    span = whole["accuracy"].min(), whole["accuracy"].max()
    charts = []
    for number, rows in whole.groupby("round"):
        by_set = {
            title: _values(rows[rows["set"] == s], "rule", "accuracy") for s, title in SETS.items()
        }
        known = {t: by for t, by in by_set.items() if any(v is not None for v in by.values())}
        if known:
            words = "; ".join(f"{title}: {_in_words(values)}" for title, values in known.items())
            figure = figures.accuracy_by_rule(known, REASSIGNED, span)
            drawing = figures.svg(figure, f"rules-{number}")
            charts.append(Chart(drawing, words, f"Accuracy by rule, round {number}"))
    return charts


def of_labels(ledger: pd.DataFrame) -> list[Chart]:
    """The labels that were written beside the teacher's own opinion, class by class: a chart a round
    and set that has pixels."""
    rules = [LIKELIEST, REASSIGNED]
    charts = []
    for (number, place), rows in ledger[ledger["rule"].isin(rules)].groupby(["round", "set"]):
        classes = rows[rows["class"] != EVERY]
        each = {rule: classes[classes["rule"] == rule] for rule in rules}
        pixels = _values(each[REASSIGNED], "class", "pixels")
        if total := sum(n or 0 for n in pixels.values()):
            measures = {
                name: {rule: _values(each[rule], "class", name) for rule in rules}
                for name in ("coverage", "accuracy", "share")
            }
            words = "; ".join(
                f"{name} of {rule}: {_in_words(values)}"
                for name, found in measures.items()
                for rule, values in found.items()
            )
            truth = {name: (n or 0) / total for name, n in pixels.items()}
            figure = figures.labels_by_class(measures, truth)
            drawing = figures.svg(figure, f"labels-{number}-{place}")
            words += f"; share in truth: {_in_words(truth)}"
            charts.append(Chart(drawing, words, f"Labels of round {number}, {SETS[str(place)]}"))
    return charts


def _values(rows: pd.DataFrame, by: str, measure: str) -> dict[str, float | None]:
    """A column as {name: value}, None where there is none."""
    return {
        name: float(value) if pd.notna(value) else None
        for name, value in zip(rows[by], rows[measure], strict=True)
    }


def _with_bounds(shares: Mapping[str, float | None], bounds: figures.Bounds) -> str:
    said = []
    for name, share in shares.items():
        bound = bounds[name]
        reach = f" ({percent(bound['low'])} to {percent(bound['high'])})" if bound else ""
        said.append(f"{_in_words({name: share})}{reach}")
    return ", ".join(said)


def _in_words(shares: Mapping[str, float | None]) -> str:
    return ", ".join(f"{k} {'none' if v is None else f'{percent(v)} %'}" for k, v in shares.items())
