"""Stage `evaluate`: every round of params on validation, which selects, and on test, which tells."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dllr.evaluation.confusion import miou_of_present
from dllr.files import atomic_file, read_json, write_json
from dllr.models.checkpoint import load, save
from dllr.models.network import HEADS
from dllr.params.evaluate import Evaluate
from dllr.raster.grid import IGNORE, read_indices
from dllr.raster.products import (
    CERTIFICATE,
    CHECKPOINT,
    CLASS_SCORES,
    CONFUSION,
    CONFUSION_BY_SCENE,
    GUARD,
    HELD_OUT,
    HISTORY,
    LABELS_SUMMARY,
    LEDGER,
    MARGINALS,
    METRICS,
    RELIABILITY,
    ROLES,
    RULES,
    SAMPLE,
    SCORES,
    SELECTION,
)
from dllr.raster.roles import Role
from dllr.stages import rating
from dllr.stages.calibrating import calibrated
from dllr.stages.certifying import BOTH, CONDITIONS, certificate
from dllr.stages.scoring import SEEN, Mapper, Matrices, counted, doubted
from dllr.transport.ledger import COLUMNS, ORACLE, Truth, entries

PLACE = ["scene", "row", "column"]  # of a sampled pixel; its other columns are rules


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
    """Write scores.json (test), metrics.json, the round in use in few numbers, selection.json (validation,
    and the fused head's temperature on it), confusion tables, the selected round's scores by class,
    reliability and certificate, the stacked histories, class shares and ledger of the pseudo-labels, and
    the selected round's checkpoint, with its temperatures, into `out`.

    The teacher of a round is scored: it is the smoother network, and the one that maps. All heads are
    scored on the same pixels, those with data in either modality, so that they compare. A round that the
    guard did not keep is not selected; one that it skipped has the scores of the network it passes on.
    """
    numbers = ["0", *rounds]
    names = load(trained / "0" / CHECKPOINT).classes
    _forget_removed_rounds(trained, numbers)
    verdicts = {n: read_json(trained / n / GUARD)["verdict"] for n in numbers}
    kept = [n for n in numbers if verdicts[n] == "kept"]

    def mapper(number: str) -> Mapper:
        checkpoint = trained / number / CHECKPOINT
        return Mapper(checkpoint, coregistered, labels, split, evaluate.overlap)

    matrices: dict[str, Matrices] = {}
    for n in numbers:
        passed_on = verdicts[n] == "skipped"
        matrices[n] = matrices[kept[-1]] if passed_on else counted(mapper(n), n)
    rated = {n: {h: rating.rated(m, h, names) for h in HEADS} for n, m in matrices.items()}
    held_out = {n: rating.whole(m, "fused", "validation") for n, m in matrices.items()}
    validation = {n: miou_of_present(matrix) for n, matrix in held_out.items()}
    selected = max(
        kept, key=lambda n: (validation[n] if validation[n] is not None else -1.0, -int(n))
    )
    chosen = {"selected_round": int(selected)}
    best = load(trained / selected / CHECKPOINT)
    best = calibrated(best, coregistered, split / HELD_OUT, evaluate.overlap)
    used, test = mapper(selected), rating.whole(matrices[selected], "fused", "test")
    doubt = doubted(used, best.temperatures)
    intervals = rating.intervals_of(matrices[selected], doubt.blocks, names)
    seen = rating.summed(matrices[selected], "fused", "test")[SEEN.index("both")]
    certified = {BOTH: seen.sum(axis=0)}
    if evaluate.certificate:
        certified |= certificate(used, {n: c for n, c in CONDITIONS.items() if n != BOTH})

    save(out / CHECKPOINT, best)
    for name, table in {
        CERTIFICATE: rating.conditions(certified, names),
        CLASS_SCORES: rating.classes(rated[selected]["fused"], test, intervals["fused"]),
        CONFUSION: rating.pairs(test, names),
        CONFUSION_BY_SCENE: rating.long(matrices, names),
        HISTORY: pd.concat([pd.read_csv(trained / n / HISTORY) for n in numbers]),
        RULES: _ledger(trained, rounds, split, labels, names),
        MARGINALS: _marginals(trained, rounds),
        RELIABILITY: rating.bins(before=doubt.before["fused"], after=doubt.after["fused"]),
    }.items():
        _write_csv(out / name, table)
    facts = {"temperature": best.temperatures["fused"], "validation_miou": validation}
    write_json(out / SELECTION, chosen | facts)
    more = {
        "seen": rating.by_sight(matrices[selected], names),
        "calibration": rating.calibration(doubt),
        "intervals": intervals,
    }
    found = {"classes": names, **chosen, "rounds": rated, **more}
    write_json(out / SCORES, found)
    write_json(out / METRICS, rating.headline(found))


def _forget_removed_rounds(trained: Path, numbers: list[str]) -> None:
    """Rounds that params no longer name would otherwise stay part of this stage's input."""
    for path in trained.iterdir():
        if path.is_dir() and path.name.isdigit() and path.name not in numbers:
            shutil.rmtree(path)


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
