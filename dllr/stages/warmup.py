"""Stage `warmup`: supervised training on the labelled pixels, round 0."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dllr.errors import TrainingError
from dllr.execution import device
from dllr.files import atomic_dir, file_digest, read_json, write_json
from dllr.methods.supervised import Supervised
from dllr.models import encoders
from dllr.models.checkpoint import Trained, save
from dllr.models.network import Network
from dllr.models.normalise import Normalisation
from dllr.models.weights import load_weights
from dllr.params.model import Model
from dllr.params.scenes import Scenes
from dllr.params.train import Train
from dllr.params.warmup import Warmup
from dllr.raster.products import CHECKPOINT, GUARD, HISTORY, SAMPLES, SUMMARY, WINDOWS
from dllr.training import guard, together
from dllr.training.history import write_history
from dllr.training.loop import Schedule, fit, forget
from dllr.training.sources import TrainingSet
from dllr.workcache import content, work_dir

SETTLED = 32  # windows that the scales of a fresh network are set on


def run(
    *,
    coregistered: Path,
    tiles: Path,
    split: Path,
    out: Path,
    scenes: Scenes,
    model: Model,
    train: Train,
    warmup: Warmup,
    watch: Callable[[Path], None],
) -> None:
    """Write `out`/checkpoint.pt, history.csv and guard.json.

    Band statistics come from the training windows alone.
    """
    data = TrainingSet(coregistered, split)
    torch.manual_seed(train.seed)
    names = scenes.label.names
    if (split_of := list(read_json(split / SUMMARY)["labelled_pixels"])) != names:
        raise TrainingError(
            f"the split numbers the classes as {', '.join(split_of)}, but scenes.label.classes lists "
            f"{', '.join(names)}: an order alone is no change that reruns a stage; run "
            "`dvc repro --force coregister split`"
        )
    bands = data.scenes[0].optical_bands, data.scenes[0].sar_bands
    network = Network(
        model.encoder, model.width, len(bands[0]), len(bands[1]), len(names), model.fusion
    )
    started = None
    if model.weights is not None:
        load_weights(network, Path(model.weights))
        started = file_digest(Path(model.weights))
    optical, sar = _normalisation(tiles, split, warmup.clip)
    where = (
        device()
    )  # sets the threads: with another number of them, sums differ in their last digits
    seen = data.look(SETTLED, train.seed, optical, sar)
    network.settle(*seen, encoders=model.weights is None)
    trained = Trained.new(
        network, optical=optical, sar=sar, optical_bands=bands[0], sar_bands=bands[1],
        decibels=scenes.sar.unit != "dn", classes=names, colours=scenes.label.colours, size=data.size,
        pixel=float(np.median([scene.grid.pixel_size() for scene in data.scenes])),
    )  # fmt: skip
    inputs = content(coregistered, pattern="*/record.json"), content(tiles, split), started
    code = (encoders.module(model.encoder),)
    work = work_dir("warmup", *inputs, scenes, model, train, warmup, extra_modules=code)
    schedule = Schedule(round=0, steps=warmup.steps, **train.model_dump(exclude={"balance"}))
    labelled = data.labelled(with_calibration=False, balance=train.balance)
    history = fit(trained, Supervised(), labelled, None, schedule, work, where, watch)
    if together.number() == 0:  # of several processes one writes
        found = guard.read(trained, data.held_out(), where)
        with atomic_dir(out) as folder:
            save(folder / CHECKPOINT, trained)
            write_history(folder / HISTORY, history)
            write_json(folder / GUARD, guard.judged(found, best=None, tolerated=None))
        forget(work)


def _normalisation(
    tiles: Path, split: Path, clip: float | None
) -> tuple[Normalisation, Normalisation]:
    every = pd.read_parquet(tiles / WINDOWS)
    mine = pd.read_parquet(split / WINDOWS)
    place = ["scene", "row", "col"]
    mine = mine.loc[mine["split"] == "train", place]
    keep = every[place].merge(mine.assign(keep=True), "left")["keep"].notna().to_numpy()
    with np.load(tiles / SAMPLES) as samples:
        optical, sar = (samples[name][keep] for name in ("optical", "sar"))
    return Normalisation.of(optical, clip), Normalisation.of(sar, clip)
