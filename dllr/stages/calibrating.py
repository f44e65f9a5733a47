"""Temperatures of a network's heads, on labels that did not train it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dllr.evaluation.temperature import temperature
from dllr.execution import device
from dllr.models.checkpoint import Trained
from dllr.models.network import HEADS
from dllr.models.predict import logits
from dllr.raster.arrays import SceneArrays, open_arrays
from dllr.raster.grid import IGNORE, read_indices

SAMPLE = 200_000  # px, about, that temperatures are fitted on: bounds the memory


def calibrated(trained: Trained, coregistered: Path, held_out: Path, overlap: float) -> Trained:
    """The same with a temperature for each head, fitted to the teacher on the validation pixels.

    held_out: folder of their labels, <scene>.tif. A head without any such pixel keeps the temperature 1.
    All heads are fitted on the pixels with data in their own modality, the fused one on those with any.
    """
    paths = sorted(held_out.glob("*.tif"))
    total = sum(int((read_indices(path) != IGNORE).sum()) for path in paths)
    every = max(1, total // SAMPLE)
    kept: list[list[NDArray[np.float32]]] = [[] for _ in HEADS]
    truth: list[list[NDArray[np.uint8]]] = [[] for _ in HEADS]
    for path in paths:
        scene, label = open_arrays(coregistered / path.stem), read_indices(path)
        for z, actual, seen in _labelled(trained, scene, label, overlap, every):
            for m in range(len(HEADS)):
                kept[m].append(z[m][:, seen[m]].T)
                truth[m].append(actual[seen[m]])
    fitted = {
        head: temperature(np.concatenate(mine), np.concatenate(known).astype(np.int64))
        for head, mine, known in zip(HEADS, kept, truth, strict=True)
        if mine
    }
    return replace(trained, temperatures=trained.temperatures | fitted)


def _labelled(
    trained: Trained, scene: SceneArrays, label: NDArray[np.uint8], overlap: float, every: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_]]]:
    """Every so many-th labelled pixel in reading order: logits (M, K, n), class (n), which heads see it
    (M, n)."""
    where, skip = device(), 0
    network = trained.teacher.to(where)
    for y, z in logits(trained, network, scene, overlap, where):
        part = label[y : y + z.shape[2]]
        known = np.flatnonzero(part != IGNORE)
        chosen = known[skip::every]
        skip = (skip - len(known)) % every
        valid = np.asarray(scene.valid[:, y : y + z.shape[2]]).reshape(2, -1)[:, chosen]
        seen = np.stack([valid.any(axis=0), *valid])
        yield z.reshape(*z.shape[:2], -1)[:, :, chosen], part.ravel()[chosen], seen
    trained.teacher.to("cpu")
