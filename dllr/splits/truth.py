"""Labels of a scene where there is data to learn from, and how many there are of each class."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from dllr.errors import SplitError
from dllr.raster.arrays import SceneArrays
from dllr.raster.grid import IGNORE, STRIP, read_indices
from dllr.raster.products import CLASS_NAMES
from dllr.splits.board import Board


def known_labels(scene: SceneArrays, label: Path) -> NDArray[np.uint8]:
    """Class indices (H, W); 255 where nothing is known, or neither modality has data."""
    values = read_indices(label)
    values[~(scene.valid[0] | scene.valid[1])] = IGNORE
    return values


def check_classes(label: Path, names: Sequence[str]) -> None:
    """Raises SplitError where the raster's indices mean classes in another order than the settings'."""
    with rasterio.open(label) as source:
        found = json.loads(source.tags().get(CLASS_NAMES, "null"))
    if found is not None and found != list(names):
        raise SplitError(
            f"{label} numbers the classes as {', '.join(found)}, but scenes.label.classes lists "
            f"{', '.join(names)}: an order alone is no change that reruns a stage; run "
            "`dvc repro --single-item --force coregister`"
        )


def histogram(labels: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """Pixels of each class (K,), counted strip by strip: counting widens every pixel to 8 bytes."""
    counts = np.zeros(IGNORE + 1, np.int64)
    for row in range(0, len(labels), STRIP):
        counts += np.bincount(labels[row : row + STRIP].ravel(), minlength=len(counts))
    return counts[:classes]


def by_window(
    labels: NDArray[np.uint8], corners: NDArray[np.int64], size: int, classes: int
) -> NDArray[np.int64]:
    """Pixels of each class in each window (N, K); corners: (N, 2) first row and column."""
    counts = np.zeros((len(corners), classes), np.int64)
    for i, (y, x) in enumerate(corners):
        counts[i] = histogram(labels[y : y + size, x : x + size], classes)
    return counts


def by_block(labels: NDArray[np.uint8], board: Board) -> NDArray[np.bool_]:
    """Which blocks (R, C) hold a label at all."""
    rows, columns = (np.arange(0, n, board.side) for n in (board.height, board.width))
    least = np.minimum.reduceat(np.minimum.reduceat(labels, rows, 0), columns, 1)
    held: NDArray[np.bool_] = least != IGNORE
    return held
