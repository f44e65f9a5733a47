"""How far probabilities hold: counts by bin of confidence, which add up over parts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15  # as in Guo et al., ICML 2017


@dataclass(frozen=True)
class Reliability:
    """Sums over pixels, by bin of confidence, the largest probability of a pixel.

    Bin b holds confidences in (b / B, (b + 1) / B].

    Attributes:
        pixels: (B,) how many.
        confidence: (B,) sum of their confidences.
        hits: (B,) how many of them have the class that is likeliest.
        squares: over all bins, sum of Σ_k (p_k − y_k)², y being 1 at the true class.
    """

    pixels: NDArray[np.int64]
    confidence: NDArray[np.float64]
    hits: NDArray[np.int64]
    squares: float

    def __add__(self, other: "Reliability") -> "Reliability":
        return Reliability(
            self.pixels + other.pixels,
            self.confidence + other.confidence,
            self.hits + other.hits,
            self.squares + other.squares,
        )

    @property
    def ece(self) -> float | None:
        """Expected calibration error, 0..1: the mean over pixels of how far their bin's accuracy and mean
        confidence differ (Naeini, Cooper and Hauskrecht, AAAI 2015); None without pixels."""
        total = self.pixels.sum()
        return float(np.abs(self.hits - self.confidence).sum() / total) if total else None

    @property
    def brier(self) -> float | None:
        """Mean over pixels of Σ_k (p_k − y_k)², 0..2 (Brier, Monthly Weather Review 78, 1950); None
        without pixels."""
        total = self.pixels.sum()
        return float(self.squares / total) if total else None


def reliability(
    probability: NDArray[np.floating[Any]], label: NDArray[np.integer[Any]], bins: int = BINS
) -> Reliability:
    """Of N pixels.

    probability: (N, K), each row of sum 1. label: (N,) class indices 0..K-1.
    """
    chosen = probability.argmax(axis=1)
    rows = np.arange(len(label))
    sure = probability[rows, chosen].astype(np.float64)
    place = np.digitize(sure, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    # Σ (p − y)² = Σ p² − 2 p_y + 1 spares an array of the labels' own.
    squares = np.square(probability, dtype=np.float64).sum() + len(label)
    squares -= 2 * probability[rows, label].sum(dtype=np.float64)
    return Reliability(
        np.bincount(place, minlength=bins),
        np.bincount(place, sure, minlength=bins).astype(np.float64),
        np.bincount(place[chosen == label], minlength=bins),
        float(squares),
    )
