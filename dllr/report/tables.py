"""Rows of the page's tables, and its sentences, from plain values."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dllr.costs import Cost
from dllr.report.page import count, percent, rounds
from dllr.report.registration import worst_precision
from dllr.transport.ledger import CALIBRATION, EVERY, ORACLE, REASSIGNED

HEADS = ("fused", "optical", "sar")
FACTS = {  # column of the index → its title
    "optical_nodata": "Optical without data, %",
    "optical_masked": "Optical masked, %",
    "sar_nodata": "SAR without data, %",
    "sar_overlap": "Covered by SAR, %",
}
READINGS = {  # column of the history → what it is
    "gate": "how much of what the optical and the SAR branch offer each other is let in; 0 is nothing, "
    "1 all of it",
    "apart": "how far the teacher’s optical and SAR head differ where both see; 0 is alike, 1 nothing "
    "in common",
    "flipped": "the share of the written labels that the teacher, which goes on learning, would give "
    "another class by now",
    "used": "the share of the unlabelled pixels that the teacher is sure enough of to teach, or that the "
    "plan labels",
}
_ROWS = 40  # of a level of the audit; all are in its file
_FEW = 5  # test scenes below which a mean over them says little about others


def scene_rows(
    index: pd.DataFrame, splits: Mapping[str, str], evidence: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """One row a scene; facts that the index leaves empty are None."""
    facts = [column for column in FACTS if column in index]
    return [
        {
            "scene": row["scene"],
            "splits": splits.get(row["scene"], "none").split("+"),
            "width": int(row["width"]),
            "height": int(row["height"]),
            "crs": row["crs"],
            "labelled": row["label"] != "",
            "facts": [float(row[column]) if row[column] else None for column in facts],
            "verdict": evidence[row["scene"]]["verdict"],
            "shift": evidence[row["scene"]]["shift_px"],
            "apart": evidence[row["scene"]]["apart_px"],
            "precision": worst_precision(evidence[row["scene"]]),
            "reason": evidence[row["scene"]]["reason"],
        }
        for row in index.to_dict("records")
    ]


def audit(found: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Level → how much was found, by check, and the first of it.

    Where there is more than fits, every check gives its first rows in turn, and the rarest comes
    first: a check that was met a thousand times hides no other.

    Args:
        found: texts, columns level (`warning` or `note`), scene (empty: all of them), check, message.
    """
    levels = {}
    for level in ("warning", "note"):
        rows = found[found["level"] == level].sort_values(["check", "scene"], ignore_index=True)
        total = rows["check"].value_counts()
        turn = rows.groupby("check").cumcount().sort_values(kind="stable")
        some = rows.loc[turn.index[:_ROWS].sort_values()] if len(rows) > _ROWS else rows
        levels[level] = {
            "total": len(rows),
            "left_out": len(rows) - len(some),
            "checks": [
                {
                    "check": check,
                    "total": int(total[check]),
                    "rows": part[["scene", "message"]].to_dict("records"),
                }
                for check, part in sorted(some.groupby("check"), key=lambda g: total[g[0]])
            ],
        }
    return levels


def score_rows(
    rounds: Mapping[str, Mapping[str, Mapping[str, Any]]],
    validation: Mapping[str, float | None],
    guard: Mapping[str, Mapping[str, Any]],
    selected: int,
) -> list[dict[str, Any]]:
    """One row a round and head; only the fused head has a score on validation."""
    return [
        {
            "round": int(number),
            "head": head,
            "selected": int(number) == selected,
            "verdict": guard[number]["verdict"],
            "validation": validation[number] if head == "fused" else None,
            **{key: heads[head][key] for key in ("miou", "boundary_miou", "oa", "f1", "kappa")},
        }
        for number, heads in rounds.items()
        for head in HEADS
    ]


def guard_rows(guard: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a round; of one that was skipped nothing was read."""
    return [
        {
            "round": int(number),
            **{key: found[key] for key in ("verdict", "best", "correlation", "entropy")},
            **(found["miou"] or dict.fromkeys(HEADS)),
        }
        for number, found in guard.items()
    ]


def skipped(guard: Mapping[str, Mapping[str, Any]]) -> list[int]:
    """The rounds that were not trained."""
    return [int(number) for number, found in guard.items() if found["verdict"] == "skipped"]


def guard_said(guard: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What it means that a round was lost, and others skipped for it; nothing where all were kept."""
    said = [
        f"Round {number} was lost: its mIoU on validation, {percent(found['miou']['fused'])}\u00a0%, is "
        f"further below the best before it, {percent(found['best'])}\u00a0%, than train_round.guard "
        "allows. It makes no map, and no round was trained after it."
        for number, found in guard.items()
        if found["verdict"] == "lost"
    ]
    if left := skipped(guard):
        last = max(int(number) for number, found in guard.items() if found["verdict"] == "kept")
        were, they, their = (
            ("was", "It passes", "its") if len(left) == 1 else ("were", "They pass", "their")
        )
        said.append(
            f"{rounds(left).capitalize()} {were} skipped: nothing was trained. {they} on the network of "
            f"round {last}, the last that was kept, and {their} scores are that network’s."
        )
    return said


def class_rows(found: pd.DataFrame) -> list[dict[str, Any]]:
    """One row a class: class, pixels, iou, iou_low, iou_high, precision, recall, f1; None where there is
    none."""
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in found.astype({"pixels": int}).astype(object).to_dict("records")
    ]


def drawn(intervals: Mapping[str, Any]) -> dict[str, str]:
    """What the intervals are taken by, in words: `units`, and what they say something of."""
    units = int(intervals["units"])
    if intervals["by"] == "scene":
        return {"units": f"the {units} test scenes", "says": "other scenes like these"}
    few = f"{units} blocks of the test pixels, as there are too few scenes to draw from"
    return {"units": few, "says": "other test pixels of these scenes, not other land"}


def headline(
    rounds: Mapping[str, Mapping[str, Mapping[str, Any]]],
    selected: int,
    intervals: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Scores of the fused head in use, their bounds, and the mIoU that round 0 had."""
    here, bounds = rounds[str(selected)]["fused"], intervals["fused"]
    return {
        "miou": here["miou"],
        "bounds": bounds["miou"],
        "oa": here["oa"],
        "oa_bounds": bounds["oa"],
        "kappa": here["kappa"],
        "kappa_bounds": bounds["kappa"],
        "start": rounds["0"]["fused"]["miou"],
    }


def confusion_rows(matrix: npt.NDArray[np.int64], names: Sequence[str]) -> list[dict[str, Any]]:
    """One row an actual class; shares are of that row, None where the class does not occur."""
    rows = []
    for name, counts in zip(names, matrix.tolist(), strict=True):
        total = sum(counts)
        cells = [
            {"predicted": other, "count": n, "share": n / total if total else None}
            for other, n in zip(names, counts, strict=True)
        ]
        rows.append({"name": name, "total": total, "cells": cells})
    return rows


def spread(ranked: Sequence[str], number: int) -> dict[str, str]:
    """`number` of the names evenly over their order, from the best to the worst, the median among them if
    the number is odd; name → which one it is, in words."""
    last = len(ranked) - 1
    places = np.rint(np.linspace(0, last, min(number, last + 1))).astype(int).tolist()
    words = {last / 2: "the median"} | {last: "the worst"} | {0: "the best"} if last else {}
    return {ranked[place]: words.get(place, "") for place in places}


def limits(
    test_scenes: int,
    test_pixels: int,
    absent: Sequence[str],
    unseen: Sequence[str],
    unverified: Sequence[str],
    simulated: bool,
) -> list[str]:
    """What the figures are, and what they are not.

    Args:
        test_scenes: scenes with test pixels.
        test_pixels: pixels that were scored.
        absent: classes without a score.
        unseen: classes without a label to learn from.
        unverified: scenes whose SAR was left where its georeferencing puts it.
        simulated: the scenes are simulated.
    """
    noun = "scene" if test_scenes == 1 else "scenes"
    said: list[str] = []
    said.append(
        f"The scores are taken on {count(test_pixels)} labelled pixels of {test_scenes} test {noun}. "
        "Neither training nor the choice of the round has seen their labels."
    )
    if simulated:
        said.append(
            "The scenes are simulated. The scores show that the chain works and let parameter "
            "sets be compared; they do not say how well real land is mapped."
        )
    if test_scenes < _FEW:
        said.append(
            "So few scenes tell how this run did on them, and little about scenes elsewhere."
        )
    said.append(
        "This is one run with one seed. Differences of a few points between rounds or heads may "
        "be chance: repeat the run with other seeds before building on them."
    )
    said.append(
        "The labels of the validation split, which choose the round, come on top of the labelled "
        "budget."
    )
    if absent:
        said.append(
            f"Without a score, as neither the test labels nor the map hold them: "
            f"{', '.join(absent)}. Means leave them out."
        )
    if unseen:
        said.append(
            f"The labelled budget holds no pixel of: {', '.join(unseen)}. "
            "The network cannot have learnt them."
        )
    if unverified:
        said.append(
            f"In {len(unverified)} of the scenes the SAR image was left where its georeferencing "
            f"puts it, since no estimate could be relied on: {', '.join(unverified)}."
        )
    said.append(
        "Confidence is the network's own probability of the mapped class. How far it holds is "
        "measured on the test pixels alone, under Reliability."
    )
    said.append("Pictures are thinned and stretched for the eye. Scores are taken on all pixels.")
    return said


def prior_rows(transport: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a round and class: its share of the labels as aimed at, its potential, the probability from
    which on a pixel can get it, and the shares of labels that change when its share is halved or doubled;
    then one of no label, whose class is None.

    transport: summaries of the labels, each with its round.
    """
    rows = []
    for summary in transport:
        nothing, changed = summary.get("unlabelled_potential"), summary.get("sensitivity", {})
        for name, potential in [*summary["potentials"].items(), (None, nothing)]:
            bounded = None not in (name, potential, nothing)
            rows.append(
                {
                    "round": int(summary["round"]),
                    "class": name,
                    "share": summary["target"].get(name),
                    "potential": potential,
                    "threshold": math.exp(min(0.0, nothing - potential)) if bounded else None,
                    **{word: changed.get(name, {}).get(word) for word in ("halved", "doubled")},
                }
            )
    return rows


def ledger_rows(ledger: pd.DataFrame) -> dict[str, Any]:
    """`rows`: round, rule, whether its labels were written, and `scores`: coverage, accuracy and mIoU on
    the calibration fold, then on unlabelled pixels where `oracle` says that a class of theirs is known."""
    whole = ledger[ledger["class"] == EVERY].astype({"round": int})
    oracle = bool(((whole["set"] == ORACLE) & (whole["pixels"] > 0)).any())
    places = [CALIBRATION, ORACLE] if oracle else [CALIBRATION]
    rows = []
    for (number, rule), group in whole.groupby(["round", "rule"], sort=False):
        of = {row["set"]: row for row in group.to_dict("records")}
        found = [
            float(value) if pd.notna(value := of[place][name]) else None
            for place in places
            for name in ("coverage", "accuracy", "miou")
        ]
        rows.append({"round": number, "rule": rule, "written": rule == REASSIGNED, "scores": found})
    return {"rows": rows, "oracle": oracle}


def cost_rows(costs: Mapping[str, Cost]) -> list[dict[str, Any]]:
    """A row a stage, as they come: seconds, cpu_seconds, and memory in MiB."""
    return [
        {
            "stage": name,
            "seconds": cost.seconds,
            "cpu_seconds": cost.cpu_seconds,
            "memory": round(cost.peak_bytes / 2**20),
        }
        for name, cost in costs.items()
    ]
