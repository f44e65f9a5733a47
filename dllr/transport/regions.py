"""Superpixels: what a pixel's region thinks, mixed into what the pixel thinks."""

import numpy as np
from numpy.typing import NDArray


class Sums:
    """Probabilities of regions, gathered piece by piece.

    classes: K. Ids of regions count from 1; 0 is none.
    """

    def __init__(self, classes: int) -> None:
        self._total = np.zeros((1, classes))
        self._count = np.zeros(1)

    def add(self, cost: NDArray[np.float32], ids: NDArray[np.uint32]) -> None:
        """Pixels with costs −log p (N, K) and the ids (N,) of their regions."""
        if not len(ids):
            return
        more = int(ids.max()) + 1 - len(self._count)
        if more > 0:
            self._total = np.pad(self._total, ((0, more), (0, 0)))
            self._count = np.pad(self._count, (0, more))
        size = len(self._count)
        self._count += np.bincount(ids, minlength=size)
        for k, values in enumerate(np.exp(-cost.T)):
            self._total[:, k] += np.bincount(ids, values, minlength=size)

    def means(self) -> NDArray[np.float32]:
        """Mean probabilities (ids, K); 0 for ids without a pixel."""
        found: NDArray[np.float32] = (self._total / np.maximum(self._count, 1)[:, None]).astype(
            np.float32
        )
        return found


def blended(
    cost: NDArray[np.float32], means: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    """−log((1 − share) p + share · mean) of pixels with costs −log p and their regions' means, (N, K)."""
    mixed = np.exp(-cost)
    mixed *= np.float32(1 - share)
    mixed += np.float32(share) * means
    found: NDArray[np.float32] = -np.log(np.maximum(mixed, np.float32(1e-12), out=mixed), out=mixed)
    return found
