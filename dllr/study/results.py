"""What cells are worth, as tables that programs read: a row a score, and a row a test scene and class."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dllr import costs
from dllr.evaluation.bootstrap import tally
from dllr.files import atomic_file, file_digest, read_json
from dllr.params.root import Params
from dllr.raster import products
from dllr.study.description import Cell
from dllr.study.worktree import LOCK
from dllr.tracking.identity import recorded_stages
from dllr.transport.ledger import EVERY

EVALUATION = Path("results/evaluation")
SCORED = EVALUATION / products.SCORES
SCORES = {"miou": "mIoU", "oa": "OA", "f1": "F1", "kappa": "kappa"}
MEASURES = {"accuracy": "accuracy by class", "miou": "mIoU"}  # of pseudo-labels
HEAD = "fused"  # the head that maps, hence the one that is compared
TRAINING = "train_round"  # the stage in which methods differ, hence the one whose cost is told
TALLY = ("hits", "actual", "predicted")  # pixels of a class: rightly mapped, there, mapped

log = logging.getLogger(__name__)

Rows = list[dict[str, Any]]


class Found(NamedTuple):
    """Of one cell: `scores`, a row a round and head; `scenes`, a row a test scene and class."""

    scores: Rows
    scenes: Rows


def gathered(cell: Cell, folder: Path, recipe: str, revision: str) -> Found:
    """What a finished cell says, with what it was made by: its recipe, the commit, the digest of its
    dvc.lock.

    Rows of the head that maps also have how right each rule's pseudo-labels are,
    `labels/<set>/<measure>/<rule>`; that of the round in use has its expected calibration error, `ece`, and
    before the temperature, `ece_before`, and what its rounds' training cost if it was trained here:
    `train_cpu_s`, all cores together, and `train_peak_mib`.
    """
    metrics = read_json(folder / SCORED)
    labels = _labels(folder / EVALUATION / products.RULES)
    made = file_digest(folder / LOCK)[:16]
    varied = {key: plain(value) for key, value in cell.varied.items()}
    number = str(metrics["selected_round"])
    in_use = {
        "ece_before": metrics["calibration"][HEAD]["before"]["ece"],
        "ece": metrics["calibration"][HEAD]["after"]["ece"],
        **_cost(folder, cell.params),
    }
    rows = [
        {
            "cell": cell.name,
            **varied,
            "round": int(n),
            "head": head,
            "selected": n == number,
            **{name: found[name] for name in SCORES},
            **{f"iou/{name}": found["iou"][name] for name in metrics["classes"]},
            **(in_use if (n, head) == (number, HEAD) else {}),
            **(labels.get(int(n), {}) if head == HEAD else {}),
            "recipe": recipe,
            "commit": revision[:12],
            "dvc_lock": made,
        }
        for n, heads in metrics["rounds"].items()
        for head, found in heads.items()
    ]
    scenes = _scenes(folder / EVALUATION / products.CONFUSION_BY_SCENE, number, metrics["classes"])
    return Found(rows, [{"cell": cell.name, **row} for row in scenes])


def _labels(path: Path) -> dict[int, dict[str, float]]:
    """By round, what its ledger says of all classes together."""
    texts = dict.fromkeys(("class", "rule", "set"), str)
    ledger = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
    found: dict[int, dict[str, float]] = {}
    for row in ledger[ledger["class"] == EVERY].to_dict("records"):
        for measure in MEASURES:
            if pd.notna(row[measure]):
                name = f"labels/{row['set']}/{measure}/{row['rule']}"
                found.setdefault(row["round"], {})[name] = row[measure]
    return found


def _cost(folder: Path, params: Mapping[str, Any]) -> dict[str, float]:
    """Of the training of all rounds; nothing where one came from a cache or was stopped in between."""
    values = Params.model_validate(params).model_dump(mode="json")
    stages = {s.name: s.sections for s in recorded_stages(folder).values() if s.kind == TRAINING}
    spent = costs.of(folder, values, stages).values()
    if not spent or len(spent) < len(stages):
        return {}
    return {
        "train_cpu_s": round(sum(cost.cpu_seconds for cost in spent), 1),
        "train_peak_mib": round(max(cost.peak_bytes for cost in spent) / 2**20),
    }


def _scenes(path: Path, number: str, names: Sequence[str]) -> Rows:
    """Of the round in use, the counts that IoU needs."""
    texts = dict.fromkeys(("round", "scene", "actual", "predicted"), str)
    table = pd.read_csv(path, dtype=texts, keep_default_na=False)
    table = table[(table["round"] == number) & (table["head"] == HEAD) & (table["split"] == "test")]
    place = {name: n for n, name in enumerate(names)}
    rows = []
    for scene, group in table.groupby("scene", sort=True):
        matrix = np.zeros((len(names), len(names)), np.int64)
        at = group["actual"].map(place), group["predicted"].map(place)
        np.add.at(matrix, at, group["count"])
        for name, counts in zip(names, tally(matrix).T.tolist(), strict=True):
            rows.append({"scene": scene, "class": name, **dict(zip(TALLY, counts, strict=True))})
    return rows


class Tallies(NamedTuple):
    """Of one cell: its test scenes, and (scenes, 3, K) hits, actual and predicted pixels by class."""

    scenes: tuple[str, ...]
    counts: NDArray[np.int64]


def tallies(scenes: pd.DataFrame) -> dict[str, Tallies]:
    """Table of scenes → by cell."""
    found = {}
    for cell, group in scenes.groupby("cell", sort=False):
        names = tuple(group["scene"].unique())
        counts = group[list(TALLY)].to_numpy(np.int64).reshape(len(names), -1, len(TALLY))
        found[str(cell)] = Tallies(names, counts.swapaxes(1, 2))
    return found


def scenes_beside(table: Path) -> Path:
    """The file of the test scenes beside that of the scores."""
    return table.with_name(f"{table.stem}_scenes.csv")


def kept(path: Path, recipes: Mapping[str, str]) -> dict[str, Found]:
    """Cells that the tables have already, made by the recipe they would be made by now.

    recipes: by the name of the cell. The fields are texts, as they stand in the files.
    """
    if not (path.exists() and scenes_beside(path).exists()):
        return {}
    scores, scenes = _texts(path), _texts(scenes_beside(path))
    found = {
        name: Found(rows, scenes[name])
        for name, rows in scores.items()
        if name in scenes and {row["recipe"] for row in rows} == {recipes.get(name)}
    }
    if lost := scores.keys() & recipes.keys() - found.keys():
        log.warning(
            "%s: %d of its cells were made by other code, parameters or data and are run anew; "
            "git keeps the table that was committed",
            path, len(lost),
        )  # fmt: skip
    return found


def _texts(path: Path) -> dict[str, Rows]:
    """By cell."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return {
        str(name): [
            {str(key): value for key, value in row.items()} for row in rows.to_dict("records")
        ]
        for name, rows in table.groupby("cell", sort=False)
    }


def write(path: Path, cells: Sequence[Cell], found: Mapping[str, Found]) -> None:
    """Write both tables, cells in their order. An empty field: it is not defined.

    path: of the scores, *.csv.
    """
    there = [found[cell.name] for cell in cells if cell.name in found]
    # The scores last: they say what both were made by.
    for target, rows in (
        (scenes_beside(path), [row for each in there for row in each.scenes]),
        (path, [row for each in there for row in each.scores]),
    ):
        with atomic_file(target) as temporary:
            # As objects: a column keeps its values as they are, whatever stands in the other rows.
            pd.DataFrame(rows, dtype=object).to_csv(temporary, index=False, lineterminator="\n")


def read(path: Path, varied: Sequence[str]) -> pd.DataFrame:
    """The scores; what varied, and classes' names, stay texts, as they stand in the file.

    varied: parameters and seeds.
    """
    texts = dict.fromkeys(("cell", *varied, "head", "recipe", "commit", "dvc_lock"), str)
    return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])


def read_scenes(path: Path) -> pd.DataFrame:
    texts = dict.fromkeys(("cell", "scene", "class"), str)
    return pd.read_csv(scenes_beside(path), dtype=texts, keep_default_na=False)


def plain(value: Any) -> str:
    """A parameter's value as the tables have it: words as they are, else JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
