"""From counts to the scores and tables that stage `evaluate` writes."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dllr.evaluation.bootstrap import Intervals, intervals, tally
from dllr.evaluation.classes import by_class
from dllr.evaluation.confusion import Matrix, scores
from dllr.evaluation.reliability import BINS, Reliability
from dllr.models.network import HEADS
from dllr.stages.certifying import CONDITIONS
from dllr.stages.scoring import SEEN, Doubt, Matrices

FEWEST = 10  # scenes; of fewer there are too few different draws for bounds


def summed(matrices: Matrices, head: str, split: str) -> Matrix:
    """Over the scenes: (seen, in the band, K, K)."""
    chosen = [m for (h, s, _), m in matrices.items() if (h, s) == (head, split)]
    total: Matrix = np.sum(chosen, axis=0)
    return total


def whole(matrices: Matrices, head: str, split: str) -> Matrix:
    """Over all parts: (K, K)."""
    return _joined(summed(matrices, head, split))


def rated(matrices: Matrices, head: str, names: list[str]) -> dict[str, Any]:
    """Scores on test: of all pixels, mean IoU of the band along borders, and by class."""
    parts = summed(matrices, head, "test")
    band = scores(_joined(parts[:, 1]), names)["miou"]
    matrix = _joined(parts)
    return {**scores(matrix, names), "boundary_miou": band, **by_class(matrix, names)}


def by_sight(matrices: Matrices, names: list[str]) -> dict[str, Any]:
    """Test pixels that both images see, and those that one alone does: how many, and mean IoU by head."""
    found: dict[str, Any] = {}
    for place, part in enumerate(SEEN):
        each = {head: _joined(summed(matrices, head, "test")[place]) for head in HEADS}
        miou = {head: scores(matrix, names)["miou"] for head, matrix in each.items()}
        found[part] = {"pixels": int(each["fused"].sum()), "miou": miou}
    return found


def intervals_of(
    matrices: Matrices, blocks: dict[str, NDArray[np.int64]], names: list[str]
) -> dict[str, Any]:
    """Intervals by head, and what was drawn: scenes, or blocks where fewer than FEWEST have test pixels."""
    scenes = {
        head: np.array(
            [tally(_joined(m)) for (h, s, _), m in matrices.items() if (h, s) == (head, "test")]
        )
        for head in HEADS
    }
    count = int(scenes["fused"].any(axis=(1, 2)).sum())
    by, drawn = ("block", blocks) if count < FEWEST else ("scene", scenes)
    units = int(drawn["fused"].any(axis=(1, 2)).sum())
    return {"by": by, "units": units, **{h: intervals(t, names) for h, t in drawn.items()}}


def calibration(doubt: Doubt) -> dict[str, Any]:
    """By head, before and after the temperature: expected calibration error and Brier score."""
    return {
        head: {
            word: {"ece": sums[head].ece, "brier": sums[head].brier}
            for word, sums in (("before", doubt.before), ("after", doubt.after))
        }
        for head in HEADS
    }


def headline(found: dict[str, Any]) -> dict[str, Any]:
    """What one compares first, of the fused head of the round in use; without scores that do not exist."""
    heads = found["rounds"][str(found["selected_round"])]
    mine, bounds = heads["fused"], found["intervals"]["fused"]["miou"] or {}
    told = {
        "selected_round": found["selected_round"],
        **{name: mine[name] for name in ("miou", "oa", "f1", "kappa", "boundary_miou")},
        **{f"miou_{end}": value for end, value in bounds.items()},
        **found["calibration"]["fused"]["after"],
        **{f"miou_{head}_alone": heads[head]["miou"] for head in HEADS if head != "fused"},
        **{f"iou_{name}": value for name, value in mine["iou"].items()},
    }
    return {name: value for name, value in told.items() if value is not None}


def classes(found: dict[str, Any], matrix: Matrix, bounds: Intervals) -> pd.DataFrame:
    """A row a class: its test pixels, its scores, and the bounds of its IoU."""
    rows = [
        {
            "class": name,
            "pixels": int(pixels),
            "iou": found["iou"][name],
            "iou_low": bound["low"] if (bound := bounds["iou"][name]) else None,
            "iou_high": bound["high"] if bound else None,
            "precision": found["precision"][name],
            "recall": found["recall"][name],
            "f1": found["class_f1"][name],
        }
        for name, pixels in zip(found["iou"], matrix.sum(axis=1), strict=True)
    ]
    return pd.DataFrame(rows)


def bins(**found: Reliability) -> pd.DataFrame:
    """A row a bin; confidence and accuracy are empty where no pixel is."""
    edges = np.linspace(0, 1, BINS + 1)
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:]})
    for name, sums in found.items():
        pixels = pd.Series(sums.pixels)
        table[f"pixels_{name}"] = pixels
        table[f"confidence_{name}"] = sums.confidence / pixels
        table[f"accuracy_{name}"] = sums.hits / pixels
    return table


def conditions(found: dict[str, Matrix], names: list[str]) -> pd.DataFrame:
    """A row a condition: what is done to the images, and the scores."""
    rows = []
    for condition, matrix in found.items():
        told = scores(matrix, names)
        facts = CONDITIONS[condition]._asdict() | {"pixels": int(matrix.sum())}
        shown = {key: told[key] for key in ("miou", "oa", "f1", "kappa")}
        iou = {f"iou/{name}": value for name, value in told["iou"].items()}
        rows.append({"condition": condition, **facts, **shown, **iou})
    return pd.DataFrame(rows)


def pairs(matrix: Matrix, names: list[str]) -> pd.DataFrame:
    """A row a pair of classes."""
    rows, columns = np.indices(matrix.shape).reshape(2, -1)
    return pd.DataFrame(
        {
            "actual": np.array(names)[rows],
            "predicted": np.array(names)[columns],
            "count": matrix.ravel(),
        }
    )


def long(counted: dict[str, Matrices], names: list[str]) -> pd.DataFrame:
    """All that was counted: a row a number that is not zero, with the part of the pixels it is of."""
    tables = []
    for number, matrices in counted.items():
        for (head, word, scene), parts in matrices.items():
            seen, band, actual, predicted = at = np.nonzero(parts)
            tables.append(
                pd.DataFrame(
                    {
                        "round": number,
                        "head": head,
                        "split": word,
                        "scene": scene,
                        "seen": np.array(SEEN)[seen],
                        "border": band,
                        "actual": np.array(names)[actual],
                        "predicted": np.array(names)[predicted],
                        "count": parts[at],
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def _joined(parts: Matrix) -> Matrix:
    """(..., K, K) → (K, K)."""
    total: Matrix = parts.reshape(-1, *parts.shape[-2:]).sum(axis=0)
    return total
