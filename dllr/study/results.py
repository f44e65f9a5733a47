"""The tables of a study: every score of every cell, and means over the seeds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import t

from dllr.files import atomic_file, file_digest, read_json
from dllr.study.description import Cell, Study
from dllr.study.worktree import LOCK
from dllr.transport.ledger import CALIBRATION, EVERY, ORACLE, REASSIGNED

METRICS = Path("results/evaluation/metrics.json")
LEDGER = Path("results/evaluation/ledger.csv")
SCORES = {"miou": "mIoU", "oa": "OA", "f1": "F1", "kappa": "kappa"}
MEASURES = {"accuracy": "accuracy by class", "miou": "mIoU"}  # of pseudo-labels
SETS = {CALIBRATION: "calibration fold", ORACLE: "unlabelled pixels"}
LABELS_NOTE = (
    "Every rule labels the same share of the pixels of the same teacher, in the last round; intervals hold "
    "95 % of the mean difference by Student's t over the cells."
)
HEAD = "fused"  # the head that maps, hence the one in the summary


def scores(cell: Cell, folder: Path, recipe: str, revision: str) -> list[dict[str, Any]]:
    """One row for each round and head of a finished cell, with what it was made by: its recipe, the
    commit, the digest of its dvc.lock. Those of the head that maps also have how right each rule's
    pseudo-labels are, `labels/<set>/<measure>/<rule>`."""
    metrics = read_json(folder / METRICS)
    labels = _labels(folder / LEDGER)
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
            **(labels.get(int(number), {}) if head == HEAD else {}),
            "recipe": recipe,
            "commit": revision[:12],
            "dvc_lock": made,
        }
        for number, heads in metrics["rounds"].items()
        for head, found in heads.items()
    ]


def _labels(path: Path) -> dict[int, dict[str, float]]:
    """By round, what its ledger says of all classes together."""
    ledger = pd.read_csv(path)
    found: dict[int, dict[str, float]] = {}
    for row in ledger[ledger["class"] == EVERY].to_dict("records"):
        for measure in MEASURES:
            if pd.notna(row[measure]):
                name = f"labels/{row['set']}/{measure}/{row['rule']}"
                found.setdefault(row["round"], {})[name] = row[measure]
    return found


def kept(path: Path, recipes: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Rows of cells that a table has already, made by the recipe they would be made by now.

    recipes: by the name of the cell. The fields are texts, as they stand in the file.
    """
    if not path.exists():
        return {}
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if "recipe" not in table:  # of a time when rows did not say what they were made by
        return {}
    groups = {str(name): rows for name, rows in table.groupby("cell", sort=False)}
    return {
        name: [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]
        for name, rows in groups.items()
        if recipes.get(name) is not None and (rows["recipe"] == recipes[name]).all()
    }


def write(
    page: Path,
    study: Study,
    cells: Sequence[Cell],
    rows: Mapping[str, list[dict[str, Any]]],
    failed: Mapping[str, str],
) -> str:
    """Write the table of all scores, one row a cell, round and head, beside the page of the study; returns
    the page's table.

    Args:
        page: a path *.md. An empty field of the table: the score is not defined.
        rows: as `scores` gives them, by cell, of all finished cells; at least one.
        failed: what went wrong, by the name of the cell.
    """
    every = [row for cell in cells for row in rows.get(cell.name, [])]
    with atomic_file(page.with_suffix(".csv")) as temporary:
        pd.DataFrame(every).to_csv(temporary, index=False, lineterminator="\n")
    return _write_page(page, study, len(cells), failed)


def _write_page(path: Path, study: Study, cells: int, failed: Mapping[str, str]) -> str:
    made = pd.read_csv(path.with_suffix(".csv"), keep_default_na=False, na_values=[""])
    table = "\n".join(_table(study, made))
    commits = " and ".join(f"`{commit}`" for commit in made["commit"].astype(str).unique())
    lines = [
        f"# {path.stem}",
        "",
        f"Parameter set `{study.set}` at commit {commits}: {made['cell'].nunique()} of {cells} cells "
        f"finished. All scores of every cell: [{path.stem}.csv]({path.stem}.csv).",
        "",
        *(f"Cell `{name}` failed." for name in failed),
        *([""] if failed else []),
        table,
        "",
        f"Test split, {HEAD} head, %: mean ± standard deviation over the seeds (n − 1 in the "
        "denominator). *warm-up* is round 0, *last round* the last one of params; the other scores are "
        "those of the round that was selected on validation.",
        *_labels_page(study, made),
    ]
    with atomic_file(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def _table(study: Study, table: pd.DataFrame) -> Iterator[str]:
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


def _labels_page(study: Study, table: pd.DataFrame) -> Iterator[str]:
    """How right the pseudo-labels of the last round are, rule by rule, where the ledger knows."""
    from dllr.transport.rivals import RULES  # brings torch with it

    table = table[(table["head"] == HEAD) & (table["round"] == table["round"].max())]
    every = [str(name) for name in table]
    for place, title in SETS.items():
        for measure, words in MEASURES.items():
            start = f"labels/{place}/{measure}/"
            columns = [name for name in every if name.startswith(start)]
            if not columns:
                continue
            yield from ("", f"## Pseudo-labels, {title}: {words}", "")
            rules = [name.removeprefix(start) for name in columns]
            yield _line(
                [*study.values, "cells", *rules, f"{REASSIGNED} over the best of the others"]
            )
            yield _line(["---"] * len(study.values) + ["---:"] * (len(rules) + 2))
            keys = list(study.values)
            groups = table.groupby(keys, sort=False, dropna=False) if keys else [((), table)]
            for values, group in groups:
                rivals = [c for c in columns if c.removeprefix(start) in RULES]
                best = max(rivals, key=lambda name: group[name].mean())
                apart = (group[start + REASSIGNED] - group[best]).dropna()
                means = [_mean(group[name]) for name in columns]
                said = f"{_interval(apart)} over {best.removeprefix(start)}"
                yield _line([*map(str, values), str(len(group)), *means, said])
            yield from ("", LABELS_NOTE)


def _interval(differences: Any) -> str:
    """Mean difference in points with its 95 % interval."""
    values = 100 * differences
    if len(values) < 2:
        return f"{values.mean():+.1f}"
    reach = t.ppf(0.975, len(values) - 1) * values.std() / len(values) ** 0.5
    return f"{values.mean():+.1f} ({values.mean() - reach:+.1f} to {values.mean() + reach:+.1f})"


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
