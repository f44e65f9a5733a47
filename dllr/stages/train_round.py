"""Stage `train_round`: a student that goes on from the previous round, on labels and pseudo-labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dllr.execution import device
from dllr.files import atomic_dir, link_or_copy, read_json, write_json
from dllr.methods import make
from dllr.models import encoders
from dllr.models.checkpoint import load, save
from dllr.params.train import Train
from dllr.params.train_round import TrainRound
from dllr.raster.products import (
    CHECKPOINT,
    GUARD,
    HISTORY,
    KEPT,
    LABELS_SUMMARY,
    LEDGER,
    SAMPLE,
    SUMMARY,
)
from dllr.training import guard, together
from dllr.training.history import write_history
from dllr.training.loop import Schedule, fit, forget
from dllr.training.sources import TrainingSet
from dllr.transport.partial import Aim
from dllr.workcache import content, work_dir


def run(
    *,
    coregistered: Path,
    split: Path,
    pseudo_labels: Path,
    previous: Path,
    out: Path,
    round: int,
    rounds: dict[str, int],
    train: Train,
    train_round: TrainRound,
    watch: Callable[[Path], None],
) -> None:
    """Write `out`/checkpoint.pt, history.csv and guard.json; labels.json, ledger.parquet and
    sample.parquet tell what its pseudo-labels were made of.

    The calibration fold joins the labelled windows in the last round only: until then it must not
    have trained the teacher it calibrates. A round that loses more than `train_round.guard` on
    validation also keeps the network it started from, as kept.pt, and those after it pass that on.
    """
    before = read_json(previous / GUARD)
    if before["verdict"] != "kept":
        _skip(previous, pseudo_labels, out, before)
        return
    data = TrainingSet(coregistered, split)
    trained = load(previous / CHECKPOINT)
    summary = read_json(pseudo_labels / SUMMARY)
    method = make(
        train_round.method, **train_round.settings(), temperatures=summary["temperature"],
        aim=_aim(summary),
    )  # fmt: skip
    last = round == len(rounds)
    labelled = data.labelled(with_calibration=last, balance=train.balance)
    unlabelled = data.unlabelled(pseudo_labels) if method.needs_unlabelled else None
    inputs = (
        content(coregistered, pattern="*/record.json"),
        content(split, pseudo_labels, previous),
        last,
    )
    code = (
        f"dllr.methods.{train_round.method}",
        encoders.module(trained.student.settings["encoder"]),
    )
    work = work_dir("train_round", *inputs, train, train_round, extra_modules=code)
    numbers = train.model_dump(exclude={"balance"}) | {"seed": train.seed + round}
    schedule = Schedule(round=round, steps=train_round.steps, **numbers)
    history = fit(trained, method, labelled, unlabelled, schedule, work, device(), watch)
    if together.number() == 0:  # of several processes one writes
        found = guard.read(trained, data.held_out(), device())
        verdict = guard.judged(found, before["best"], train_round.guard)
        with atomic_dir(out) as folder:
            save(folder / CHECKPOINT, trained)
            write_history(folder / HISTORY, history)
            link_or_copy(pseudo_labels / SUMMARY, folder / LABELS_SUMMARY)
            for name in (LEDGER, SAMPLE):
                link_or_copy(pseudo_labels / name, folder / name)
            write_json(folder / GUARD, verdict)
            if verdict["verdict"] == "lost":
                link_or_copy(previous / CHECKPOINT, folder / KEPT)
        forget(work)


def _aim(summary: dict[str, Any]) -> Aim:
    """What the labels of the round were made to, for a method that goes on making them."""
    kept = [name for name, level in summary["levels"].items() if level["kept"]]
    lifts = [*summary["potentials"].values(), summary["unlabelled_potential"]]
    shares = np.array(list(summary["target"].values()))
    return Aim(
        shares=shares / shares.sum() if "shares" in kept else None,
        coverage=summary["target_coverage"],
        epsilon=summary["epsilon"],
        rho=np.inf if summary["rho"] is None else summary["rho"],
        potentials=np.array([-np.inf if v is None else v for v in lifts]),
    )


def _skip(previous: Path, pseudo_labels: Path, out: Path, before: dict[str, Any]) -> None:
    """A round that trains nothing: an earlier one lost what validation had gained."""
    better = KEPT if before["verdict"] == "lost" else CHECKPOINT
    with atomic_dir(out) as folder:
        link_or_copy(previous / better, folder / CHECKPOINT)
        write_history(folder / HISTORY, [])
        link_or_copy(pseudo_labels / SUMMARY, folder / LABELS_SUMMARY)
        write_json(folder / GUARD, guard.skipped(before["best"]))
