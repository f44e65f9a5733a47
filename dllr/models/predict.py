"""Whole scenes through a network: overlapping windows, Hann-weighted, streamed in bands of rows."""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dllr.models.batch import stacked
from dllr.models.checkpoint import Trained
from dllr.models.network import HEADS, Network
from dllr.raster.arrays import Crop, SceneArrays
from dllr.raster.windows import positions

BATCH = 8  # windows a forward pass; bounds the memory
ROWS = 16  # of a band at most, likewise
FLOOR = 1e-3  # of the Hann weight, so that a scene's outermost pixels have one


class Symmetry(NamedTuple):
    """One of the eight of the square: flipped across, flipped down, then transposed."""

    across: bool
    down: bool
    transposed: bool

    def apply(self, x: Tensor) -> Tensor:
        """Of squares (..., S, S)."""
        x = x.flip(self._axes) if self._axes else x
        return x.mT if self.transposed else x

    def undo(self, x: Tensor) -> Tensor:
        """The inverse of `apply`."""
        x = x.mT if self.transposed else x
        return x.flip(self._axes) if self._axes else x

    @property
    def _axes(self) -> list[int]:
        return [axis for axis, flipped in ((-1, self.across), (-2, self.down)) if flipped]


# Each is a group: what is averaged over it turns with the scene.
SYMMETRIES = {
    "none": (Symmetry(False, False, False),),
    "flips": tuple(Symmetry(*flips, False) for flips in product((False, True), (False, True))),
    "all": tuple(map(Symmetry._make, product((False, True), repeat=3))),
}


def logits(
    trained: Trained,
    network: Network,
    scene: SceneArrays,
    overlap: float,
    device: torch.device,
    heads: tuple[str, ...] = HEADS,
    symmetries: Sequence[Symmetry] = SYMMETRIES["none"],
    origin: tuple[int, int] = (0, 0),
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Bands of rows from top to bottom: (first row, logits (heads, K, rows, W) float32).

    overlap: share of a window that the next one covers. Memory follows the scene's width and not its
    height: a band is handed out as soon as no later window reaches it. symmetries: see `window_logits`.
    origin: row and column of the scene's first pixel in the lattice of windows, see `positions`.
    """
    size = trained.size
    height, width = scene.grid.height, scene.grid.width
    stride = max(1, round(size * (1 - overlap)))
    ys = positions(height, size, stride, origin[0])
    xs = positions(width, size, stride, origin[1])
    ramp = np.hanning(size + 2)[1:-1]
    weight = torch.from_numpy(np.maximum(np.outer(ramp, ramp), FLOOR).astype(np.float32))
    columns = max(width, size)
    total = torch.zeros(len(heads), len(trained.classes), size, columns)
    mass = torch.zeros(size, columns)
    for y, following in zip(ys, [*ys[1:], height], strict=True):
        row = _row(trained, network, scene, y, xs, device, heads, symmetries)
        for x, values in zip(xs, row, strict=True):
            total[..., x : x + size].addcmul_(torch.from_numpy(values), weight)
            mass[:, x : x + size] += weight
        scene.release()
        done = min(following, height) - y
        for first in range(0, done, ROWS):
            rows = slice(first, min(first + ROWS, done))
            yield y + first, (total[:, :, rows, :width] / mass[rows, :width]).numpy()
        kept = max(0, size - done)
        # Plane by plane: a copy of all at once is large.
        for plane in (*total.view(-1, size, columns), mass):
            plane[:kept] = plane[size - kept :].clone()
            plane[kept:] = 0


def _row(
    trained: Trained,
    network: Network,
    scene: SceneArrays,
    y: int,
    xs: list[int],
    device: torch.device,
    heads: tuple[str, ...],
    symmetries: Sequence[Symmetry],
) -> Iterator[NDArray[np.float32]]:
    for first in range(0, len(xs), BATCH):
        crops = [scene.crop(y, x, trained.size, trained.size) for x in xs[first : first + BATCH]]
        yield from window_logits(trained, network, crops, device, heads, symmetries)


@torch.no_grad()
def window_logits(
    trained: Trained,
    network: Network,
    crops: Sequence[Crop],
    device: torch.device,
    heads: tuple[str, ...] = HEADS,
    symmetries: Sequence[Symmetry] = SYMMETRIES["none"],
) -> NDArray[np.float32]:
    """Logits (N, heads, K, h, w) of windows of one size; a window without any data gives zeros.

    symmetries: the network sees the windows under each of them, and the logits, turned back, are averaged.
    Where one transposes, windows must be square.
    """
    shape = len(crops), len(heads), len(trained.classes), *crops[0].valid.shape[1:]
    seen = [i for i, crop in enumerate(crops) if crop.valid.any()]
    if not seen:
        return np.zeros(shape, np.float32)
    optical, sar, valid = stacked([crops[i] for i in seen], device)
    images = trained.optical(optical), trained.sar(sar), valid

    def view(symmetry: Symmetry) -> Tensor:
        out = network(*(symmetry.apply(image) for image in images), heads=heads)
        some = [out[head] for head in heads]
        whole = torch.stack(some, 1) if len(some) > 1 else some[0][:, None]
        return symmetry.undo(whole.float())

    mean = reduce(torch.add, map(view, symmetries))
    if len(symmetries) > 1:
        mean /= len(symmetries)
    values: NDArray[np.float32] = mean.cpu().numpy()
    if len(seen) == len(crops):
        return values
    found = np.zeros(shape, np.float32)
    found[seen] = values
    return found
