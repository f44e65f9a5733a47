"""The proof that splits do not leak, taken from what was written and not from how it was made."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from dllr.raster.roles import in_split
from dllr.splits.budget import touching
from dllr.splits.ground import Pairs


def distance(roles: NDArray[np.uint8]) -> float | None:
    """Smallest distance in px between training and held-out pixels; None where either is missing."""
    train = in_split(roles, "train")
    held_out = in_split(roles, "validation") | in_split(roles, "test")
    if not train.any() or not held_out.any():
        return None
    return float(KDTree(_rim(held_out)).query(_rim(train))[0].min())


def _rim(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(N, 2) places of a mask that have a neighbour outside it: no other pixel is nearest to another
    set, since one step towards that set would be nearer still."""
    rim = np.zeros_like(mask)
    changes = mask[1:] != mask[:-1]
    rim[1:] |= changes
    rim[:-1] |= changes
    changes = mask[:, 1:] != mask[:, :-1]
    rim[:, 1:] |= changes
    rim[:, :-1] |= changes
    return np.argwhere(rim & mask)


def shared_windows(windows: Mapping[str, NDArray[np.int64]], size: int) -> int:
    """Windows of one scene that share a pixel with a window of another split.

    windows: split → (N, 2) first row and column.
    """
    pairs = itertools.combinations(windows.values(), 2)
    return sum(int(touching(one, other, size).sum()) for one, other in pairs)


def shared_ground(splits: Sequence[set[str]], pairs: Pairs) -> int:
    """Pairs of overlapping scenes that are not of one split; splits: those each scene is part of."""
    return sum(len(splits[i] | splits[j]) > 1 for i, j in pairs.tolist())
