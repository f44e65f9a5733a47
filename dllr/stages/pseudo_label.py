"""Stage `pseudo_label`: the teacher's scores become labels by optimal transport of pixels to classes."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.windows import Window
from tqdm.auto import tqdm

from dllr.errors import TransportError
from dllr.evaluation.temperature import temperature
from dllr.execution import device
from dllr.files import atomic_dir, read_json, write_json
from dllr.models.checkpoint import load
from dllr.models.network import HEADS
from dllr.models.predict import BATCH, logits, window_logits
from dllr.params.pseudo_label import PseudoLabel
from dllr.raster.arrays import SceneArrays, open_arrays
from dllr.raster.grid import IGNORE, raster_writer, read_indices, rgb
from dllr.raster.products import (
    CHECKPOINT,
    GUARD,
    LABELS,
    PSEUDO_CLASS,
    PSEUDO_WEIGHT,
    ROLES,
    SUMMARY,
    WINDOWS,
)
from dllr.raster.roles import Role
from dllr.raster.windows import Box, boxes
from dllr.transport import solve
from dllr.transport.data import Dense
from dllr.transport.problem import Problem, Solution, assign, check
from dllr.transport.scores import certainty, cost

WEIGHTS = {"fused": 0.5, "optical": 0.25, "sar": 0.25}  # of the heads in a pixel's score
SAMPLED_SIDE = 16  # the sample takes 16 × 16 pixels of a window: many windows, few pixels of each
TRAIN = (Role.UNLABELLED, Role.LABELLED, Role.CALIBRATION)


class Pixels(NamedTuple):
    """Logits (M, N, K) of the heads, which of them saw data (M, N), and labels (N,), 255 = none."""

    logits: NDArray[np.float32]
    seen: NDArray[np.bool_]
    label: NDArray[np.uint8]


class Teacher:
    """The previous round's teacher: what it thinks a pixel costs each class, once calibrated."""

    def __init__(self, checkpoint: Path) -> None:
        self.trained = load(checkpoint)
        self.device = device()
        self.network = self.trained.teacher.to(self.device)
        self.classes = self.trained.classes
        self.temperatures = np.ones(len(HEADS))
        self._weights = np.array([WEIGHTS[head] for head in HEADS])

    def calibrate(self, fold: Pixels) -> None:
        """One temperature a head, from labels that did not train it."""
        for m in range(len(HEADS)):
            usable = fold.seen[m] & (fold.label != IGNORE)
            self.temperatures[m] = temperature(
                fold.logits[m][usable], fold.label[usable].astype(np.int64)
            )

    def cost(self, pixels: Pixels) -> NDArray[np.float32]:
        return cost(pixels.logits, self.temperatures, self._weights, pixels.seen)

    def look(
        self, scenes: dict[str, SceneArrays], windows: pd.DataFrame, labels: Path | None, step: int
    ) -> Pixels:
        """Every step-th pixel with data of the windows, row by row and column by column."""
        found = []
        grid = (slice(step // 2, None, step),) * 2
        for first in range(0, len(windows), BATCH):
            here = boxes(windows.iloc[first : first + BATCH])
            size = self.trained.size
            crops = [scenes[box.scene].crop(box.y, box.x, size, size) for box in here]
            values = window_logits(self.trained, self.network, crops, self.device)
            for box, crop, z in zip(here, crops, values, strict=True):
                label = _cut(labels / f"{box.scene}.tif", box, size)[grid] if labels else None
                found.append(_pixels(z[..., *grid], crop.valid[:, *grid], label))
        if not found:
            empty = np.zeros((len(HEADS), 0, len(self.classes)), np.float32)
            return Pixels(empty, np.zeros((len(HEADS), 0), bool), np.zeros(0, np.uint8))
        parts = zip(*found, strict=True)
        return Pixels(
            *(np.concatenate(part, axis=-2 if i == 0 else -1) for i, part in enumerate(parts))
        )


def run(
    *, coregistered: Path, split: Path, teacher: Path, out: Path, pseudo_label: PseudoLabel
) -> None:
    """Write `out`/<scene>/class.tif and weight.tif (0–255) of the training scenes, and summary.json.

    The transport is solved on a sample of the training pixels, and its potentials are applied to all.
    Pixels outside the training split, or without data, have class 255 and weight 0. Where the guard has
    ended the rounds there is nothing to label: the summary says so, and nothing else is written.
    """
    if read_json(teacher / GUARD)["verdict"] != "kept":
        with atomic_dir(out) as folder:
            write_json(folder / SUMMARY, {"skipped": True})
        return
    windows = pd.read_parquet(split / WINDOWS)
    windows = windows[windows["split"] == "train"]
    scenes = {name: open_arrays(coregistered / name) for name in sorted(windows["scene"].unique())}
    oracle = Teacher(teacher / CHECKPOINT)
    held_back = windows[windows["labelled"] == "calibration"]
    oracle.calibrate(oracle.look(scenes, held_back, split / LABELS, step=2))
    many = max(1, pseudo_label.sample // SAMPLED_SIDE**2)
    spread = np.unique(np.linspace(0, len(windows) - 1, many).round().astype(int))
    sample = oracle.look(
        scenes, windows.iloc[spread], None, step=oracle.trained.size // SAMPLED_SIDE
    )
    target = _target(split, list(scenes), len(oracle.classes), pseudo_label.smoothing)
    price = oracle.cost(sample)
    problem = Problem(target, pseudo_label.epsilon, "relaxed", pseudo_label.rho)
    check(price, problem)
    solution = solve(
        pseudo_label.solver,
        Dense(torch.from_numpy(price)),
        problem,
        tolerance=pseudo_label.tolerance,
        max_passes=pseudo_label.max_passes,
    )
    if not solution.converged:
        raise TransportError(
            f"the solver's residual is {solution.residual:.2g} after {solution.passes} passes; raise "
            "pseudo_label.max_passes, pseudo_label.tolerance or pseudo_label.epsilon"
        )
    with atomic_dir(out) as folder:
        counts = np.zeros((2, len(oracle.classes)), np.int64)
        for name, scene in tqdm(scenes.items(), desc="pseudo_label", unit="scene", mininterval=2.0):
            counts += _write(
                folder / name,
                scene,
                read_indices(split / ROLES / f"{name}.tif"),
                oracle,
                solution,
                pseudo_label.overlap,
            )
        write_json(folder / SUMMARY, _summary(oracle, target, solution, counts, len(sample.label)))


def _write(
    folder: Path,
    scene: SceneArrays,
    roles: NDArray[np.uint8],
    teacher: Teacher,
    solution: Solution,
    overlap: float,
) -> NDArray[np.int64]:
    """Both rasters of a scene; returns pixels by class, before (argmax) and after transport."""
    classes = len(teacher.classes)
    counts = np.zeros((2, classes), np.int64)
    table = rgb(teacher.trained.colours)
    with (
        raster_writer(
            folder / PSEUDO_CLASS, scene.grid, bands=1, dtype="uint8", nodata=IGNORE, colours=table
        ) as labels,
        raster_writer(
            folder / PSEUDO_WEIGHT, scene.grid, bands=1, dtype="uint8", nodata=0
        ) as weights,
    ):
        for y, z in logits(teacher.trained, teacher.network, scene, overlap, teacher.device):
            rows = slice(y, y + z.shape[2])
            window = Window(0, y, scene.grid.width, z.shape[2])
            valid = np.asarray(scene.valid[:, rows])
            wanted = valid.any(axis=0) & np.isin(roles[rows], TRAIN)
            label = np.full(wanted.shape, IGNORE, np.uint8)
            weight = np.zeros(wanted.shape, np.uint8)
            if wanted.any():
                price = teacher.cost(_pixels(z, valid, None, wanted))
                plan = assign(price, solution)
                label[wanted] = plan.argmax(axis=1)
                weight[wanted] = np.rint(255 * certainty(plan))
                for kind, chosen in enumerate((price.argmin(axis=1), label[wanted])):
                    counts[kind] += np.bincount(chosen, minlength=classes)
            labels.write(label[None], window=window)
            weights.write(weight[None], window=window)
    return counts


def _pixels(
    z: NDArray[np.float32],
    valid: NDArray[np.bool_],
    label: NDArray[np.uint8] | None,
    wanted: NDArray[np.bool_] | None = None,
) -> Pixels:
    """Logits (M, K, h, w) and validity (2, h, w) as rows of pixels; by default those with data."""
    keep = valid.any(axis=0) if wanted is None else wanted
    optical, sar = valid[:, keep]
    seen = {"fused": np.ones_like(optical), "optical": optical, "sar": sar}
    rows = np.moveaxis(z[:, :, keep], 1, 2)
    known = np.full(len(optical), IGNORE, np.uint8) if label is None else label[keep]
    return Pixels(rows, np.stack([seen[head] for head in HEADS]), known)


def _target(split: Path, names: list[str], classes: int, smoothing: float) -> NDArray[np.float64]:
    """Class shares of the labelled pixels, mixed with uniform ones; a class never seen keeps 0."""
    counts = np.zeros(classes, np.int64)
    for name in names:
        if (path := split / LABELS / f"{name}.tif").exists():
            values = read_indices(path)
            counts += np.bincount(values[values != IGNORE], minlength=classes)
    shares = counts / counts.sum()
    present = counts > 0
    mixed: NDArray[np.float64] = (1 - smoothing) * shares + smoothing * present / present.sum()
    return mixed


def _summary(
    teacher: Teacher,
    target: NDArray[np.float64],
    solution: Solution,
    counts: NDArray[np.int64],
    sample: int,
) -> dict[str, Any]:
    def named(values: NDArray[Any]) -> dict[str, float | None]:
        pairs = zip(teacher.classes, values.tolist(), strict=True)
        return {name: round(v, 6) if np.isfinite(v) else None for name, v in pairs}

    before, after = counts / counts[0].sum()
    return {
        "classes": teacher.classes,
        "temperature": dict(zip(HEADS, teacher.temperatures.round(4).tolist(), strict=True)),
        "target": named(target),
        "before": named(before),
        "after": named(after),
        "potentials": named(solution.potentials),
        "residual": float(f"{solution.residual:.3g}"),
        "passes": solution.passes,
        "converged": solution.converged,
        "pixels": int(counts[0].sum()),
        "sample": sample,
    }


def _cut(path: Path, box: Box, size: int) -> NDArray[np.uint8]:
    with rasterio.open(path) as source:
        window = Window(box.x, box.y, size, size)
        values: NDArray[np.uint8] = source.read(1, window=window, boundless=True, fill_value=IGNORE)
        return values
