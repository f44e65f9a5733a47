"""Stage `pseudo_label`: the teacher's scores become labels by optimal transport of pixels to classes."""

import shutil
from functools import partial as bound
from pathlib import Path
from typing import Any

import dask
import dask.array
import numpy as np
import pandas as pd
import torch
from dask.delayed import delayed
from numpy.typing import NDArray
from rasterio.windows import Window
from tqdm.auto import tqdm

from dllr.execution import threads
from dllr.files import atomic_dir, read_json, write_json
from dllr.models.network import HEADS
from dllr.params.pseudo_label import PseudoLabel
from dllr.raster.arrays import open_arrays
from dllr.raster.grid import IGNORE, raster_writer, read_indices, rgb
from dllr.raster.parallel import over_scenes
from dllr.raster.products import (
    CHECKPOINT,
    GUARD,
    LABELS,
    LEDGER,
    PSEUDO_CLASS,
    PSEUDO_LEVEL,
    PSEUDO_WEIGHT,
    ROLES,
    SAMPLE,
    SUMMARY,
    WINDOWS,
)
from dllr.stages.judging import Judgement, converged, judged, sensitivity
from dllr.stages.population import Population
from dllr.stages.teaching import SceneCosts, Teacher
from dllr.transport import solve
from dllr.transport.data import Chunks, Data, Dense
from dllr.transport.partial import partial, reassign, widened
from dllr.transport.problem import Solution
from dllr.workcache import content, work_dir


def run(
    *,
    coregistered: Path,
    superpixels: Path,
    split: Path,
    teacher: Path,
    out: Path,
    round: int,
    rounds: dict[str, int],
    pseudo_label: PseudoLabel,
) -> None:
    """Write `out`/<scene>/class.tif, weight.tif (0–255) and level.tif of the training scenes,
    ledger.parquet, sample.parquet and summary.json.

    Pixels outside the training split, without data, or not among the labelled share have class 255 and
    weight 0. level.tif tells what changed the teacher's opinion: 0 nothing, 1 the superpixels, 2 the
    class shares. Where the guard has ended the rounds there is nothing to label: the summary says so, and
    nothing else is written.

    The teacher's scores of a finished scene survive a crash in the work cache; they go when all is done.
    """
    if read_json(teacher / GUARD)["verdict"] != "kept":
        with atomic_dir(out) as folder:
            write_json(folder / SUMMARY, {"skipped": True})
        return
    windows = pd.read_parquet(split / WINDOWS)
    windows = windows[windows["split"] == "train"]
    names = sorted(windows["scene"].unique())
    arrays = {name: open_arrays(coregistered / name) for name in names}
    model = Teacher(teacher / CHECKPOINT)
    fold = windows[windows["labelled"] == "calibration"]
    model.calibrate(arrays, fold, split / LABELS)
    work = work_dir(
        "pseudo_label",
        content(coregistered, pattern="*/record.json"),
        content(split, superpixels, teacher),
        pseudo_label.overlap,
    )
    scenes = [
        model.costs(
            arrays[name],
            split / ROLES / f"{name}.tif",
            superpixels / f"{name}.tif",
            pseudo_label.overlap,
            work / name,
        )
        for name in tqdm(names, desc="pseudo_label: teacher", unit="scene", mininterval=2.0)
    ]
    classes = model.classes
    coverage = pseudo_label.covered(round, len(rounds))
    population = Population.drawn(
        scenes, fold, split / LABELS, pseudo_label.sample, pseudo_label.regions
    )
    known = _labelled(split, names, len(classes))
    seen = _smoothed(known, pseudo_label.smoothing)
    shares = _shares(seen, population.means(), pseudo_label.teacher_shares)
    labelled = int((windows["labelled"] != "no").sum())
    found = judged(population, classes, shares, seen, coverage, labelled, pseudo_label)
    potentials = found.potentials
    solved: dict[str, Any] = dict.fromkeys(("residual", "passes", "converged"))
    if found.levels.shares:
        solution = _solution(scenes, population, shares, coverage, found, pseudo_label)
        potentials = solution.potentials
        solved = {
            "residual": float(f"{solution.residual:.3g}"),
            "passes": solution.passes,
            "converged": solution.converged,
        }
    with atomic_dir(out) as folder:
        write = bound(
            _write, folder, potentials=potentials, epsilon=pseudo_label.epsilon,
            regions=found.levels.regions, colours=rgb(model.trained.colours),
        )  # fmt: skip
        counts = np.sum(over_scenes(write, scenes, "pseudo_label: labels"), axis=0)
        found.ledger.insert(0, "round", round)
        found.ledger.to_parquet(folder / LEDGER, index=False)
        found.sample.to_parquet(folder / SAMPLE, index=False)
        summary = {
            "classes": classes,
            "temperature": dict(zip(HEADS, model.temperatures.round(4).tolist(), strict=True)),
            "epsilon": pseudo_label.epsilon,
            "rho": pseudo_label.rho,
            "target_coverage": coverage,
            "labelled": _named(classes, known / known.sum()),
            "target": _named(classes, shares),
            "before": _named(classes, counts[0] / counts[0].sum()),
            "after": _named(classes, counts[1] / counts[1].sum()),
            "potentials": _named(classes, potentials[:-1]),
            "unlabelled_potential": _finite(potentials[-1]),
            "levels": found.evidence,
            **solved,
            "coverage": _finite(counts[1].sum() / counts[0].sum()),
            "flipped": _finite(counts[2].sum() / counts[1].sum()),
            "pixels": int(counts[0].sum()),
            "sensitivity": sensitivity(population, classes, shares, coverage, found, pseudo_label),
        }
        write_json(folder / SUMMARY, summary)
    shutil.rmtree(work, ignore_errors=True)  # scores of all pixels take more room than the images


def _solution(
    scenes: list[SceneCosts],
    population: Population,
    shares: NDArray[np.float64],
    coverage: float,
    found: Judgement,
    settings: PseudoLabel,
) -> Solution:
    """Of all training pixels, streamed from the work cache; by POT of the sample."""
    problem = partial(shares, coverage, settings.epsilon, settings.price)
    data: Data
    further: dict[str, Any] = {}
    if settings.solver == "newton":
        data, further = Chunks(_streamed(scenes, found.levels.regions)), {"start": found.potentials}
    else:
        data = Dense(torch.from_numpy(widened(population.sample(found.levels))))
    torch.set_num_threads(1)  # strips are gone over side by side
    with dask.config.set(num_workers=threads()):
        solution = solve(
            settings.solver, data, problem, tolerance=settings.tolerance,
            max_passes=settings.max_passes, **further,
        )  # fmt: skip
    return converged(solution)


def _streamed(scenes: list[SceneCosts], regions: float) -> dask.array.Array:
    """Costs (N, K + 1) of all training pixels, a chunk a strip of a scene."""

    def read(scene: SceneCosts, window: Window) -> NDArray[np.float32]:
        return widened(scene.blended(scene.cost(window), window, regions))

    chunks = []
    for scene in scenes:
        for window in scene.grid.strips():
            if count := int(scene.wanted(window).sum()):
                lazy = delayed(read, pure=False)(scene, window)
                shape = count, scene.classes + 1
                chunks.append(dask.array.from_delayed(lazy, shape, np.float32))
    found: dask.array.Array = dask.array.concatenate(chunks)
    return found


def _write(
    folder: Path,
    scene: SceneCosts,
    *,
    potentials: NDArray[np.float64],
    epsilon: float,
    regions: float,
    colours: dict[int, tuple[int, int, int]],
) -> NDArray[np.int64]:
    """The rasters of a scene; returns pixels by class (3, K): likeliest ones of the teacher, labels, and
    labels that are not the likeliest."""
    counts = np.zeros((3, scene.classes), np.int64)
    place, grid = folder / scene.name, scene.grid
    with (
        raster_writer(
            place / PSEUDO_CLASS, grid, bands=1, dtype="uint8", nodata=IGNORE, colours=colours
        ) as labels,
        raster_writer(place / PSEUDO_WEIGHT, grid, bands=1, dtype="uint8", nodata=0) as weights,
        raster_writer(place / PSEUDO_LEVEL, grid, bands=1, dtype="uint8", nodata=IGNORE) as levels,
    ):
        for window in grid.strips():
            wanted = scene.wanted(window)
            raw = scene.cost(window)
            price, likeliest = scene.blended(raw, window, regions), raw.argmin(axis=1)
            done = reassign(price, potentials, epsilon)
            level = np.where(price.argmin(axis=1) != likeliest, 1, 0)
            level = np.where(done.label != price.argmin(axis=1), 2, level)
            kept = done.covered
            for target, values, missing in (
                (labels, np.where(kept, done.label, IGNORE), IGNORE),
                (weights, np.where(kept, np.rint(255 * done.weight), 0), 0),
                (levels, np.where(kept, level, IGNORE), IGNORE),
            ):
                strip = np.full(wanted.shape, missing, np.uint8)
                strip[wanted] = values
                target.write(strip[None], window=window)
            flipped = done.label[kept & (done.label != likeliest)]
            for row, said in zip(counts, (likeliest, done.label[kept], flipped), strict=True):
                row += np.bincount(said, minlength=scene.classes)
    return counts


def _labelled(split: Path, names: list[str], classes: int) -> NDArray[np.int64]:
    """Labelled pixels (K,) of the training scenes, by class."""
    counts = np.zeros(classes, np.int64)
    for name in names:
        if (path := split / LABELS / f"{name}.tif").exists():
            values = read_indices(path)
            counts += np.bincount(values[values != IGNORE], minlength=classes)
    return counts


def _smoothed(counts: NDArray[np.int64], smoothing: float) -> NDArray[np.float64]:
    """Class shares (K,) of counted pixels, mixed with uniform ones; a class never seen keeps 0."""
    present = counts > 0
    mixed: NDArray[np.float64] = (1 - smoothing) * counts / counts.sum()
    mixed += smoothing * present / present.sum()
    return mixed


def _shares(
    seen: NDArray[np.float64], opinion: NDArray[np.float64], part: float
) -> NDArray[np.float64]:
    """Class shares (K,) that were seen, mixed with the teacher's opinion of all pixels, its mean
    probabilities; a class never seen keeps 0."""
    believed = np.where(seen > 0, opinion, 0)
    mixed: NDArray[np.float64] = (1 - part) * seen + part * believed / believed.sum()
    return mixed


def _named(classes: list[str], values: NDArray[np.float64]) -> dict[str, float | None]:
    return {name: _finite(v) for name, v in zip(classes, values.tolist(), strict=True)}


def _finite(value: float) -> float | None:
    return float(f"{value:.6f}") if np.isfinite(value) else None
