"""What a network makes of the held-out pixels, counted scene by scene."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from tqdm.auto import tqdm

from dllr.evaluation.bootstrap import tally
from dllr.evaluation.confusion import Matrix
from dllr.evaluation.parts import boundary, confusion_by_part
from dllr.evaluation.reliability import Reliability, reliability
from dllr.execution import device
from dllr.models.checkpoint import load
from dllr.models.network import HEADS
from dllr.models.predict import logits
from dllr.raster.arrays import SceneArrays, open_arrays
from dllr.raster.grid import IGNORE, read_indices
from dllr.raster.products import ROLES
from dllr.raster.roles import Role

SPLITS = {"validation": Role.VALIDATION, "test": Role.TEST}
SEEN = ("both", "no optical", "no sar")  # which images have data at a pixel
BLOCK = 64  # px, side of the blocks that stand for scenes in the bootstrap: some objects across
Matrices = dict[tuple[str, str, str], Matrix]  # (head, split, scene) → (seen, in the band, K, K)


class Held(NamedTuple):
    """A scene with held-out pixels: its truth (H, W), and by split which of them it has, (H, W) bool."""

    scene: SceneArrays
    truth: NDArray[np.uint8]
    masks: dict[str, NDArray[np.bool_]]

    def known(self, word: str, rows: slice) -> NDArray[np.uint8]:
        """Truth (rows, W) of the pixels that a split scores: those with data in either image."""
        seen = np.asarray(self.scene.valid[:, rows]).any(axis=0)
        return np.where(self.masks[word][rows] & seen, self.truth[rows], IGNORE).astype(np.uint8)


class Mapper:
    """A round's teacher, the smoother network and the one that maps, and the scenes it is scored on."""

    def __init__(
        self, checkpoint: Path, coregistered: Path, labels: Path, split: Path, overlap: float
    ) -> None:
        self.trained = load(checkpoint)
        self.classes = len(self.trained.classes)
        self._device = device()
        self._network = self.trained.teacher.to(self._device)
        self._coregistered, self._labels, self._split = coregistered, labels, split
        self._overlap = overlap

    def held(self, *words: str, doing: str) -> Iterator[Held]:
        """Scenes that have pixels of these splits."""
        truths = sorted(self._labels.glob("*.tif"))
        for path in tqdm(truths, desc=f"evaluate {doing}", unit="scene", mininterval=2.0):
            roles = read_indices(self._split / ROLES / path.name)
            masks = {word: roles == SPLITS[word] for word in words}
            if masks := {word: mask for word, mask in masks.items() if mask.any()}:
                scene = open_arrays(self._coregistered / path.stem)
                yield Held(scene, read_indices(path), masks)

    def look(
        self, scene: SceneArrays, heads: tuple[str, ...] = ("fused",)
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Bands of rows from top to bottom: which rows, and logits (heads, K, rows, W)."""
        bands = logits(self.trained, self._network, scene, self._overlap, self._device, heads)
        for y, z in bands:
            yield slice(y, y + z.shape[2]), z


def counted(mapper: Mapper, doing: str) -> Matrices:
    """Confusion matrices of all heads on the same pixels, by the images that see a pixel and by whether
    it lies along a border."""
    found: Matrices = {}
    shape = len(SEEN), 2, mapper.classes, mapper.classes
    for held in mapper.held(*SPLITS, doing=doing):
        border = boundary(held.truth)
        for rows, z in mapper.look(held.scene, HEADS):
            part = 2 * _seen(np.asarray(held.scene.valid[:, rows])) + border[rows]
            for word in held.masks:
                actual = held.known(word, rows)
                for head, values in zip(HEADS, z, strict=True):
                    predicted = values.argmax(axis=0)
                    counts = confusion_by_part(
                        actual, predicted, part, 2 * len(SEEN), mapper.classes
                    )
                    key = head, word, held.scene.name
                    found[key] = found.get(key, 0) + counts.reshape(shape)
    return found


class Doubt(NamedTuple):
    """On the test pixels, by head: how far its probabilities hold, as they are and once divided by its
    temperature; and counts by block, (blocks, 3, K), as `tally` makes them."""

    before: dict[str, Reliability]
    after: dict[str, Reliability]
    blocks: dict[str, NDArray[np.int64]]


def doubted(mapper: Mapper, temperatures: Mapping[str, float]) -> Doubt:
    """Blocks are squares of BLOCK px from a scene's first pixel on."""
    nothing = reliability(np.empty((0, mapper.classes)), np.empty(0, np.int64))
    before, after = dict.fromkeys(HEADS, nothing), dict.fromkeys(HEADS, nothing)
    blocks: dict[str, list[NDArray[np.int64]]] = {head: [] for head in HEADS}
    for held in mapper.held("test", doing="calibration"):
        down, across = (-(-n // BLOCK) for n in held.truth.shape)
        sums = np.zeros((len(HEADS), down * across, 3, mapper.classes), np.int64)
        column = np.arange(held.truth.shape[1]) // BLOCK
        for rows, z in mapper.look(held.scene, HEADS):
            actual = held.known("test", rows)
            known = actual != IGNORE
            label = actual[known].astype(np.int64)
            for head, scores in zip(HEADS, z, strict=True):
                values = scores[:, known].T
                before[head] += reliability(softmax(values, axis=1), label)
                after[head] += reliability(softmax(values / temperatures[head], axis=1), label)
            row = np.arange(rows.start, rows.stop) // BLOCK
            first, last = int(row[0]), int(row[-1]) + 1
            part = (row - first)[:, None] * across + column
            for total, scores in zip(sums, z, strict=True):
                counts = confusion_by_part(
                    actual, scores.argmax(axis=0), part, (last - first) * across, mapper.classes
                )
                total[first * across : last * across] += tally(counts)
        for head, total in zip(HEADS, sums, strict=True):
            blocks[head].append(total[total.any(axis=(1, 2))])
    empty = np.empty((0, 3, mapper.classes), np.int64)
    return Doubt(
        before, after, {head: np.concatenate([empty, *found]) for head, found in blocks.items()}
    )


def _seen(valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(2, h, w) → places in SEEN; what neither image sees is not scored."""
    optical, sar = valid
    return np.where(optical, np.where(sar, 0, 2), 1)
