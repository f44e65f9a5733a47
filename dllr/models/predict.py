"""Whole scenes through a network: overlapping windows, Hann-weighted, streamed in bands of rows."""

import math
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dllr.models.batch import stacked
from dllr.models.checkpoint import Trained
from dllr.models.network import HEADS, Network
from dllr.raster.arrays import Crop, SceneArrays
from dllr.raster.grid import BLOCK
from dllr.raster.windows import positions

BATCH = 8  # windows a forward pass; bounds the memory
ROWS = 32  # of a band at most, likewise
WIDTH = 6144  # px of a section, likewise: windows across a cut are seen twice, two of a hundred of a row
FLOOR = 0.03  # of a Hann window, so that a scene's outermost pixels have a weight


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


def sections(width: int) -> list[range]:
    """Columns of a scene in parts of about WIDTH px at most, alike in size, cut between raster blocks."""
    count = math.ceil(width / WIDTH)
    edges = [round(width * part / count / BLOCK) * BLOCK for part in range(count)]
    return [range(*ends) for ends in pairwise([*edges, width])]


def logits(
    trained: Trained,
    network: Network,
    scene: SceneArrays,
    overlap: float,
    device: torch.device,
    heads: tuple[str, ...] = HEADS,
    symmetries: Sequence[Symmetry] = SYMMETRIES["none"],
    origin: tuple[int, int] = (0, 0),
    columns: range | None = None,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Bands of rows from top to bottom: (first row, logits (heads, K, rows, W) float32).

    overlap: share of a window that the next one covers. Memory follows the width and not the height: a
    band is handed out as soon as no later window reaches it. symmetries: see `window_logits`.
    origin: row and column of the scene's first pixel in the lattice of windows, see `positions`.
    columns: those in question (None: the whole width); the windows across their ends are seen too.
    """
    size = trained.size
    height, width = scene.grid.height, scene.grid.width
    stride = max(1, round(size * (1 - overlap)))
    ys = positions(height, size, stride, origin[0])
    columns = columns or range(width)
    lattice = positions(width, size, stride, origin[1])
    xs = [x for x in lattice if x < columns.stop and x + size > columns.start]
    left, span = xs[0], xs[-1] + size - xs[0]
    inside = slice(columns.start - left, columns.stop - left)
    ramp = torch.from_numpy(np.maximum(np.hanning(size + 2)[1:-1], FLOOR).astype(np.float32))
    weight = torch.outer(ramp, ramp)
    total = torch.zeros(len(heads), len(trained.classes), size, span)
    # Weights are products, so their sums are: down by rows, across by columns.
    down, across = torch.zeros(size), torch.zeros(span)
    for x in xs:
        across[x - left : x - left + size] += ramp
    for y, following in zip(ys, [*ys[1:], height], strict=True):
        row = _row(trained, network, scene, y, xs, device, heads, symmetries)
        for x, values in zip(xs, row, strict=True):
            total[..., x - left : x - left + size].addcmul_(torch.from_numpy(values), weight)
        down += ramp
        scene.release()
        done = min(following, height) - y
        for first in range(0, done, ROWS):
            rows = slice(first, min(first + ROWS, done))
            mass = torch.outer(down[rows], across[inside])
            yield y + first, (total[:, :, rows, inside] / mass).numpy()
        kept = max(0, size - done)
        # Plane by plane: a copy of all at once is large.
        for plane in (*total.view(-1, size, span), down):
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
    size = trained.size
    for first in range(0, len(xs), BATCH):
        here = xs[first : first + BATCH]
        # What the windows of a batch share is read and normalised once.
        crop = scene.crop(y, here[0], size, here[-1] + size - here[0])
        wide = _images(trained, [crop], device)
        cut = (
            torch.stack([image[0, ..., x - here[0] : x - here[0] + size] for x in here])
            for image in wide
        )
        yield from _logits(trained, network, Images(*cut), heads, symmetries)


class Images(NamedTuple):
    """Normalised bands (N, B, h, w) of both modalities, and where each has data (N, 2, h, w)."""

    optical: Tensor
    sar: Tensor
    valid: Tensor


def _images(trained: Trained, crops: Sequence[Crop], device: torch.device) -> Images:
    optical, sar, valid = stacked(crops, device)
    return Images(trained.optical(optical), trained.sar(sar), valid)


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
    return _logits(trained, network, _images(trained, crops, device), heads, symmetries)


@torch.no_grad()
def _logits(
    trained: Trained,
    network: Network,
    images: Images,
    heads: tuple[str, ...],
    symmetries: Sequence[Symmetry],
) -> NDArray[np.float32]:
    """See `window_logits`."""
    shape = len(images.valid), len(heads), len(trained.classes), *images.valid.shape[2:]
    seen = None  # all of them
    if not images.valid.all():
        seen = images.valid.flatten(1).any(1)
        if not seen.any():
            return np.zeros(shape, np.float32)
        images = Images(*(image[seen] for image in images))

    def view(symmetry: Symmetry) -> Tensor:
        out = network(*(symmetry.apply(image) for image in images), heads=heads)
        some = [out[head] for head in heads]
        whole = torch.stack(some, 1) if len(some) > 1 else some[0][:, None]
        return symmetry.undo(whole.float())

    mean = reduce(torch.add, map(view, symmetries))
    if len(symmetries) > 1:
        mean /= len(symmetries)
    values: NDArray[np.float32] = mean.cpu().numpy()
    if seen is None:
        return values
    found = np.zeros(shape, np.float32)
    found[seen.cpu().numpy()] = values
    return found
