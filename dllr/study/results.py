"""The tables of a study: every score of every cell, and means over the seeds."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dllr.files import atomic_file, file_digest, read_json
from dllr.study.description import Cell, Study
from dllr.study.worktree import LOCK

METRICS = Path("results/evaluation/metrics.json")
SCORES = {"miou": "mIoU", "oa": "OA", "f1": "F1", "kappa": "kappa"}
HEAD = "fused"  # the head that maps, hence the one in the summary


def scores(cell: Cell, folder: Path) -> list[dict[str, Any]]:
    """One row for each round and head of a finished cell, with the digest of its dvc.lock."""
    metrics = read_json(folder / METRICS)
    made = file_digest(folder / LOCK)[:16]
    varied = {key: _plain(value) for key, value in cell.varied.items()}
    return [
        {
            "cell": cell.name,
            **varied,
            "round": int(number),
            "head": head,
            "selected": int(number) == metrics["selected_round"],
            **{name: found[name] for name in SCORES},
            **{f"iou/{name}": found["iou"][name] for name in metrics["classes"]},
            "dvc_lock": made,
        }
        for number, heads in metrics["rounds"].items()
        for head, found in heads.items()
    ]


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """All scores, one row a cell, round and head. An empty field: the score is not defined."""
    with atomic_file(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, lineterminator="\n")


def write_summary(
    path: Path,
    study: Study,
    revision: str,
    rows: list[dict[str, Any]],
    failed: Mapping[str, str],
) -> str:
    """The page of the study; returns its table.

    Args:
        rows: as `scores` gives them, of all finished cells; at least one.
        failed: what went wrong, by the name of the cell.
    """
    table = "\n".join(_table(study, rows))
    count = len({row["cell"] for row in rows})
    lines = [
        f"# {path.stem}",
        "",
        f"Parameter set `{study.set}` at commit `{revision[:12]}`: {count} of "
        f"{count + len(failed)} cells finished. All scores of every cell: "
        f"[{path.stem}.csv]({path.stem}.csv).",
        "",
        *(f"Cell `{name}` failed." for name in failed),
        *([""] if failed else []),
        table,
        "",
        f"Test split, {HEAD} head, %: mean ± standard deviation over the seeds (n − 1 in the "
        "denominator). *warm-up* is round 0, *last round* the last one of params; the other scores are "
        "those of the round that was selected on validation.",
    ]
    with atomic_file(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def _table(study: Study, rows: list[dict[str, Any]]) -> Iterator[str]:
    table = pd.DataFrame(rows)
    table = table[table["head"] == HEAD]
    classes = [str(name) for name in table if str(name).startswith("iou/")]
    titles = [*SCORES.values(), *(f"IoU {name.removeprefix('iou/')}" for name in classes)]
    yield _line([*study.values, "cells", "mIoU warm-up", "mIoU last round", *titles])
    yield _line(["---"] * len(study.values) + ["---:"] * (3 + len(titles)))
    keys = list(study.values)
    groups = table.groupby(keys, sort=False, dropna=False) if keys else [((), table)]
    for values, group in groups:
        first, last = (
            group.loc[group["round"] == group["round"].agg(end), "miou"] for end in ("min", "max")
        )
        chosen = group[group["selected"]]
        means = [_mean(chosen[name]) for name in [*SCORES, *classes]]
        yield _line([*map(str, values), str(len(chosen)), _mean(first), _mean(last), *means])


def _mean(column: Any) -> str:
    """Mean ± standard deviation in %, of the values that are defined."""
    values = 100 * pd.to_numeric(column).dropna()
    if values.empty:
        return "–"
    return f"{values.mean():.1f}" + (f" ± {values.std():.1f}" if len(values) > 1 else "")


def _line(fields: list[str]) -> str:
    return "| " + " | ".join(field.replace("|", r"\|") for field in fields) + " |"


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) or value is None else value
