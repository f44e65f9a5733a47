"""Stage `evaluate`: every round of params on validation, which selects, and on test, which tells."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from dllr.evaluation.confusion import confusion, scores
from dllr.execution import device
from dllr.files import atomic_file, read_json, write_json
from dllr.models.checkpoint import load, save
from dllr.models.network import HEADS
from dllr.models.predict import logits
from dllr.params.evaluate import Evaluate
from dllr.raster.arrays import open_arrays
from dllr.raster.grid import IGNORE, read_indices
from dllr.raster.products import (
    CHECKPOINT,
    GUARD,
    HELD_OUT,
    HISTORY,
    LABELS_SUMMARY,
    LEDGER,
    ROLES,
    SAMPLE,
)
from dllr.raster.roles import Role
from dllr.stages.calibrating import calibrated
from dllr.transport.ledger import COLUMNS, ORACLE, Truth, entries

PLACE = ["scene", "row", "column"]  # of a sampled pixel; its other columns are rules
SPLITS = {"validation": Role.VALIDATION, "test": Role.TEST}
Matrices = dict[tuple[str, str, str], NDArray[np.int64]]  # (head, split, scene) → (K, K)


def run(
    *,
    coregistered: Path,
    labels: Path,
    split: Path,
    trained: Path,
    out: Path,
    rounds: dict[str, int],
    evaluate: Evaluate,
) -> None:
    """Write metrics.json (test), selection.json (validation), confusion tables, the stacked histories,
    class shares and ledger of the pseudo-labels, and the selected round's calibrated checkpoint into `out`.

    The teacher of a round is scored: it is the smoother network, and the one that maps. All heads are
    scored on the same pixels, those with data in either modality, so that they compare. A round that the
    guard did not keep is not selected; one that it skipped has the scores of the network it passes on.
    """
    numbers = ["0", *rounds]
    names = load(trained / "0" / CHECKPOINT).classes
    _forget_removed_rounds(trained, numbers)
    verdicts = {n: read_json(trained / n / GUARD)["verdict"] for n in numbers}
    kept = [n for n in numbers if verdicts[n] == "kept"]
    counted: dict[str, Matrices] = {}
    for n in numbers:
        passed_on = verdicts[n] == "skipped"
        counted[n] = (
            counted[kept[-1]]
            if passed_on
            else _round(trained / n / CHECKPOINT, coregistered, labels, split, evaluate)
        )
    rated = {n: {h: scores(_sum(m, h, "test"), names) for h in HEADS} for n, m in counted.items()}
    validation = {
        n: scores(_sum(m, "fused", "validation"), names)["miou"] for n, m in counted.items()
    }
    selected = max(
        kept, key=lambda n: (validation[n] if validation[n] is not None else -1.0, -int(n))
    )
    chosen = {"selected_round": int(selected)}
    best = load(trained / selected / CHECKPOINT)
    save(out / CHECKPOINT, calibrated(best, coregistered, split / HELD_OUT, evaluate.overlap))
    _write_csv(out / "confusion_by_scene.csv", _long(counted, names))
    _write_csv(out / "confusion.csv", _pairs(_sum(counted[selected], "fused", "test"), names))
    _write_csv(out / HISTORY, pd.concat([pd.read_csv(trained / n / HISTORY) for n in numbers]))
    _write_csv(out / "marginals.csv", _marginals(trained, rounds))
    _write_csv(out / "ledger.csv", _ledger(trained, rounds, split, labels, names))
    write_json(out / "selection.json", chosen | {"validation_miou": validation})
    write_json(out / "metrics.json", {"classes": names, **chosen, "rounds": rated})


def _forget_removed_rounds(trained: Path, numbers: list[str]) -> None:
    """Rounds that params no longer name would otherwise stay part of this stage's input."""
    for path in trained.iterdir():
        if path.is_dir() and path.name.isdigit() and path.name not in numbers:
            shutil.rmtree(path)


def _round(
    checkpoint: Path, coregistered: Path, labels: Path, split: Path, settings: Evaluate
) -> Matrices:
    """Confusion matrices of one round, by head, split and scene."""
    trained = load(checkpoint)
    where = device()
    network = trained.teacher.to(where)
    found: Matrices = {}
    truths = sorted(labels.glob("*.tif"))
    for path in tqdm(
        truths, desc=f"evaluate {checkpoint.parent.name}", unit="scene", mininterval=2.0
    ):
        roles, truth = read_indices(split / ROLES / path.name), read_indices(path)
        asked = {word: roles == role for word, role in SPLITS.items() if (roles == role).any()}
        if not asked:
            continue
        scene = open_arrays(coregistered / path.stem)
        for y, z in logits(trained, network, scene, settings.overlap, where):
            rows = slice(y, y + z.shape[2])
            seen = np.asarray(scene.valid[:, rows]).any(axis=0)
            for m, head in enumerate(HEADS):
                predicted = z[m].argmax(axis=0)
                for word, mask in asked.items():
                    actual = np.where(mask[rows] & seen, truth[rows], IGNORE)
                    key = head, word, path.stem
                    counts = confusion(actual, predicted, len(trained.classes))
                    found[key] = found.get(key, 0) + counts
    return found


def _sum(matrices: Matrices, head: str, split: str) -> NDArray[np.int64]:
    chosen = [m for (h, s, _), m in matrices.items() if (h, s) == (head, split)]
    total: NDArray[np.int64] = np.sum(chosen, axis=0)
    return total


def _pairs(matrix: NDArray[np.int64], names: list[str]) -> pd.DataFrame:
    rows, columns = np.indices(matrix.shape).reshape(2, -1)
    return pd.DataFrame(
        {
            "actual": np.array(names)[rows],
            "predicted": np.array(names)[columns],
            "count": matrix.ravel(),
        }
    )


def _long(counted: dict[str, Matrices], names: list[str]) -> pd.DataFrame:
    tables = []
    for number, matrices in counted.items():
        for (head, word, scene), matrix in matrices.items():
            facts = {"round": number, "head": head, "split": word, "scene": scene}
            tables.append(_pairs(matrix, names).assign(**facts))
    table = pd.concat(tables, ignore_index=True)
    return table[["round", "head", "split", "scene", "actual", "predicted", "count"]]


def _marginals(trained: Path, rounds: dict[str, int]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for number in rounds:
        summary = read_json(trained / number / LABELS_SUMMARY)
        for name in summary.get("classes", []):  # none of a skipped round
            shares = {kind: summary[kind][name] for kind in ("target", "before", "after")}
            rows.append({"round": int(number), "class": name, **shares})
    return pd.DataFrame(rows, columns=["round", "class", "target", "before", "after"])


def _ledger(
    trained: Path, rounds: dict[str, int], split: Path, labels: Path, names: list[str]
) -> pd.DataFrame:
    """The rounds' ledgers, and the same rules on sampled pixels without a label in the budget whose class
    is known all the same: rows of the set `oracle`, which nothing in training reads."""
    found = []
    for number in rounds:
        if not (trained / number / LEDGER).exists():  # of a skipped round
            continue
        found.append(pd.read_parquet(trained / number / LEDGER))
        sample = pd.read_parquet(trained / number / SAMPLE)
        known, tile = np.full(len(sample), IGNORE, np.uint8), np.zeros(len(sample), np.int64)
        for n, (scene, rows) in enumerate(sample.groupby("scene", sort=True)):
            if not (path := labels / f"{scene}.tif").exists():
                continue
            at = rows["row"].to_numpy(), rows["column"].to_numpy()
            free = read_indices(split / ROLES / path.name)[at] == Role.UNLABELLED
            known[rows.index] = np.where(free, read_indices(path)[at], IGNORE)
            tile[rows.index] = n
        taken = known != IGNORE
        rules = {
            name: sample[name].to_numpy()[taken] for name in sample.columns if name not in PLACE
        }
        truth = Truth(known[taken], tile[taken], len(names))
        found.append(pd.DataFrame(entries(truth, rules, names, round=int(number), set=ORACLE)))
    return (
        pd.concat(found, ignore_index=True)
        if found
        else pd.DataFrame(columns=["round", "set", *COLUMNS])
    )


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    with atomic_file(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
