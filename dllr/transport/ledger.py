"""How right labels are where the truth is known, rule by rule, at one coverage.

Accuracy is macro: the mean over the classes that are there of the share of their labelled pixels whose
label is right, where a class none of whose pixels is labelled counts 0. Pixels of a tile err together, so
differences are judged by drawing tiles.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000  # of the bootstrap
UNLABELLED = 255
CALIBRATION, ORACLE = "calibration", "oracle"  # sets: the fold, and what evaluation alone may know
REASSIGNED = "reassigned"  # the rule that a round's labels follow: the levels that were kept
EVERY = "*"  # in place of a class: all of them together
# Of `entries`, beside the facts.
COLUMNS = ["rule", "class", "pixels", "coverage", "accuracy", "miou", "share"]
Labels = NDArray[np.uint8]  # (N,) what a rule says of pixels; UNLABELLED where it says nothing


class Gain(NamedTuple):
    """Accuracy gained over another rule, and the share of the draws in which any was."""

    gain: float
    probability: float


class Truth:
    """Pixels whose class is known (N,), the tile (N,) that each lies in, and the number of classes."""

    def __init__(self, label: NDArray[np.uint8], tile: NDArray[np.int64], classes: int) -> None:
        self.label, self.classes = label.astype(np.int64), classes
        self.tile = np.unique(tile, return_inverse=True)[1] if len(tile) else tile
        self.tiles = int(self.tile.max()) + 1 if len(tile) else 0
        self.present = np.bincount(self.label, minlength=classes) > 0

    def accuracy(self, labels: Labels) -> float | None:
        """Macro accuracy; None where there is no pixel."""
        if not self.tiles:
            return None
        return float(self._macro(self._tallies(labels).sum(axis=1)))

    def miou(self, labels: Labels) -> float | None:
        """Mean over the classes that are there of intersection over union, of the labelled pixels."""
        if not self.tiles:
            return None
        right, covered = self._tallies(labels).sum(axis=1)
        said = np.bincount(labels[labels != UNLABELLED], minlength=self.classes)
        union = np.maximum(covered + said - right, 1)
        return float((right / union)[self.present].mean())

    def gain(self, labels: Labels, over: Labels) -> Gain | None:
        """Of the accuracy over that of other labels, by a bootstrap over the tiles, always the same;
        None where there are fewer than two tiles."""
        if self.tiles < 2:
            return None
        mine, other = self._tallies(labels), self._tallies(over)
        draws = np.random.default_rng(0).multinomial(
            self.tiles, np.full(self.tiles, 1 / self.tiles), size=DRAWS
        )
        found = self._macro(np.einsum("nt,atk->ank", draws, mine)) - self._macro(
            np.einsum("nt,atk->ank", draws, other)
        )
        whole = self._macro(mine.sum(axis=1)) - self._macro(other.sum(axis=1))
        return Gain(float(whole), float((found > 0).mean()))

    def by_class(self, labels: Labels) -> list[dict[str, Any]]:
        """Of each class: `pixels` that are truly of it, share of them that is labelled (`coverage`) and,
        of these, rightly (`accuracy`); None where there is none."""
        right, covered = self._tallies(labels).sum(axis=1)
        pixels = np.bincount(self.label, minlength=self.classes)
        return [
            {
                "pixels": int(n),
                "coverage": float(c / n) if n else None,
                "accuracy": float(r / c) if c else None,
            }
            for n, c, r in zip(pixels, covered, right, strict=True)
        ]

    def _tallies(self, labels: Labels) -> NDArray[np.float64]:
        """(2, T, K): pixels labelled rightly, and pixels labelled, by tile and true class."""
        place = self.tile * self.classes + self.label
        size = self.tiles * self.classes
        masks = (labels == self.label, labels != UNLABELLED)
        counts = [np.bincount(place[mask], minlength=size) for mask in masks]
        return np.stack(counts).reshape(2, self.tiles, self.classes).astype(float)

    def _macro(self, tallies: NDArray[np.float64]) -> NDArray[np.float64]:
        right, covered = tallies[..., self.present]
        mean: NDArray[np.float64] = (right / np.maximum(covered, 1)).mean(axis=-1)
        return mean


def entries(
    truth: Truth, rules: Mapping[str, Labels], names: Sequence[str], **facts: Any
) -> list[dict[str, Any]]:
    """Rows of the ledger: of each rule one for all classes, then one a class; `facts` go into all."""
    found = []
    for rule, labels in rules.items():
        said = labels[labels != UNLABELLED]
        shares = np.bincount(said, minlength=truth.classes) / max(1, len(said))
        whole = {
            "pixels": len(truth.label),
            "coverage": len(said) / len(labels) if len(labels) else None,
            "accuracy": truth.accuracy(labels),
            "miou": truth.miou(labels),
        }
        found.append({**facts, "rule": rule, "class": EVERY, **whole, "share": 1.0})
        for name, share, row in zip(names, shares, truth.by_class(labels), strict=True):
            found.append(
                {**facts, "rule": rule, "class": name, **row, "miou": None, "share": float(share)}
            )
    return found
