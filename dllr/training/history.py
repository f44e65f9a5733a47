"""Learning curves as a file: one row every few steps, no wall-clock time."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from dllr.files import atomic_file


class Row(NamedTuple):
    """Losses of one step: the sum minimised, its supervised and its unlabelled part."""

    round: int
    step: int
    loss: float
    supervised: float
    unlabelled: float
    learning_rate: float


def write_history(path: Path, rows: Iterable[Row]) -> None:
    """CSV with a header; readers that follow it live always see whole rows."""
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(rows)


def read_history(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Row(int(r["round"]), int(r["step"]), *(float(r[name]) for name in Row._fields[2:]))
            for r in csv.DictReader(file)
        ]
