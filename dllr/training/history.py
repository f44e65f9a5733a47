"""Learning curves as a file: one row every few steps, no wall-clock time."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from dllr.files import atomic_file

READINGS = ("gate", "apart", "flipped", "used")


class Row(NamedTuple):
    """Losses of one step: the sum minimised, its supervised and its unlabelled part; and readings, None
    where a method has none.

    gate: mean of the exchange's gates, 0 to 1. apart: divergence of the teacher's optical and SAR head, 0
    = alike, 1 = disjoint. flipped: share of written labels that the teacher sees otherwise by now. used:
    share of the unlabelled pixels that were sure enough to teach.
    """

    round: int
    step: int
    loss: float
    supervised: float
    unlabelled: float
    learning_rate: float
    gate: float | None = None
    apart: float | None = None
    flipped: float | None = None
    used: float | None = None


def write_history(path: Path, rows: Iterable[Row]) -> None:
    """CSV with a header; readers that follow it live always see whole rows."""
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(rows)
