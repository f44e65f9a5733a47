"""What an estimator looks at: how alike two parts of images are, by one kind of evidence."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dllr.registration.pair import Floats, Mask

# Arrays (N, h, w): what a measure makes of images once, so that scores are cheap.
Field = tuple[NDArray[Any], ...]


class Measure(Protocol):
    """One kind of evidence. It must not depend on the sign or form of the relation between the
    modalities, which nobody knows."""

    def fixed(self, image: Floats, valid: Mask, near: int, thin: bool) -> Field:
        """Field of parts (N, B, h, w) of the fixed image; near: px, side of a neighbourhood; thin: its
        pixels are means of many."""

    def moving(self, image: Floats, valid: Mask, near: int, thin: bool) -> Field:
        """Field of parts (N, h, w) of the moving image."""

    def score(self, fixed: Field, moving: Field) -> float:
        """How alike two fields cut to one part (h, w) are; NaN where they share too little."""


# Share of a part that must be known in both images to be scored: a mosaic may be full of holes.
LEAST = 0.05


def cut(field: Field, part: tuple[Any, ...]) -> Field:
    """The same part of every array of a field."""
    return tuple(array[part] for array in field)


def surface(
    measure: Measure, fixed: Field, moving: Field, part: tuple[int, int, int, int, int], reach: int
) -> NDArray[np.float64]:
    """Scores (2 reach + 1, 2 reach + 1) of a part (n, y, x, height, width) under whole-pixel shifts of
    the moving image by up to `reach` rows and columns."""
    n, y, x, height, width = part
    rows, columns = fixed[0].shape[1:]
    lags = range(-reach, reach + 1)
    found = np.full((len(lags), len(lags)), np.nan)
    for i, down in enumerate(lags):
        top, bottom = max(0, y + down), min(rows, y + down + height)
        for j, right in enumerate(lags):
            first, last = max(0, x + right), min(columns, x + right + width)
            found[i, j] = measure.score(
                cut(fixed, np.s_[n, top - down : bottom - down, first - right : last - right]),
                cut(moving, np.s_[n, top:bottom, first:last]),
            )
    return found
