"""Windows of a scene: where they lie and how many of their pixels hold data."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class Box(NamedTuple):
    """A window: its scene, first row and first column."""

    scene: str
    y: int
    x: int


def boxes(index: pd.DataFrame) -> list[Box]:
    """The windows of an index with columns scene, y and x, in its order."""
    columns = (index[name].tolist() for name in Box._fields)
    return [Box(*row) for row in zip(*columns, strict=True)]


def positions(length: int, size: int, stride: int, origin: int = 0) -> list[int]:
    """First pixels of windows that cover `length` px.

    Windows start every `stride` px as long as they fit; one more ends on the last pixel unless the last
    of these does. So with stride = size each pixel is in one window, but for the −length mod size px
    before the one that shifted inwards: these are in two, and counts over windows hold them twice.
    A scene shorter than a window gets one window that reaches over its edge; off it, all is missing.

    origin: where the scene's first pixel lies in a longer row, of which windows start at multiples of
    `stride`: parts of it have their windows at the same places. One more starts on the scene's first pixel.
    """
    if length <= size:
        return [0]
    regular = range(-origin % stride, length - size + 1, stride)
    return sorted({0, *regular, length - size})


def lattice(height: int, width: int, size: int, stride: int) -> NDArray[np.int64]:
    """(N, 4) rows of (row, column, y, x): the window's place in the lattice, its first pixel."""
    return np.array(
        [
            (row, column, y, x)
            for row, y in enumerate(positions(height, size, stride))
            for column, x in enumerate(positions(width, size, stride))
        ]
    )


def shares(mask: NDArray[np.bool_], windows: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Share of true pixels of a mask (H, W) in each window; pixels off the scene count as false."""
    return np.array([mask[y : y + size, x : x + size].sum() / size**2 for _, _, y, x in windows])
