"""Which regions of a map are worth a label next: large, uncertain, of a class that is rare."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Suggestion(NamedTuple):
    """A region: its id, its score, most frequent class, mean entropy (0 to 1), pixels, and the rows
    [first, last) it lies in."""

    region: int
    score: float
    label: int
    entropy: float
    pixels: int
    first: int
    last: int


class Regions:
    """Sums over regions, from strips of a map. Memory follows the number of regions, not of pixels."""

    def __init__(self, regions: int, classes: int) -> None:
        """regions: the largest id; 0 is none."""
        self._pixels = np.zeros((regions + 1, classes), np.int64)
        self._entropy = np.zeros(regions + 1)
        self._first = np.full(regions + 1, np.iinfo(np.int64).max)
        self._last = np.zeros(regions + 1, np.int64)

    def add(
        self,
        row: int,
        regions: NDArray[np.uint32],
        label: NDArray[np.uint8],
        entropy: NDArray[np.float32],
        known: NDArray[np.bool_],
    ) -> None:
        """A strip (h, w) whose first row is `row`: ids, class indices, entropies in [0, 1], and which
        pixels count."""
        counted = known & (regions > 0)
        ids = regions[counted].astype(np.int64)
        count, classes = self._pixels.shape
        flat = np.bincount(ids * classes + label[counted], minlength=count * classes)
        self._pixels += flat.reshape(count, classes)
        self._entropy += np.bincount(ids, entropy[counted], minlength=count)
        rows = np.nonzero(counted)[0] + row
        np.minimum.at(self._first, ids, rows)
        np.maximum.at(self._last, ids, rows + 1)

    def best(self, count: int) -> list[Suggestion]:
        """The regions of the highest scores, at most `count`, the highest first.

        Score: mean entropy × pixels × (1 − ln of the share that the region's class has of the map).
        """
        pixels = self._pixels.sum(axis=1)
        share = self._pixels.sum(axis=0) / max(1, pixels.sum())
        label = self._pixels.argmax(axis=1)
        rarity = 1 - np.log(np.where(share > 0, share, 1))
        score = np.where(pixels > 0, self._entropy * rarity[label], 0.0)
        ranked = np.argsort(-score, kind="stable")[:count]
        return [
            Suggestion(
                region, float(score[region]), int(label[region]),
                float(self._entropy[region] / pixels[region]), int(pixels[region]),
                int(self._first[region]), int(self._last[region]),
            )
            for region in ranked.tolist()
            if score[region] > 0
        ]  # fmt: skip
