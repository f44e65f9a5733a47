"""From calibrated logits to a class and how sure it is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dllr.raster.grid import IGNORE


class Certainty(NamedTuple):
    """Of pixels (H, W), uint8, 255 = no data: label, class index; confidence, the largest class probability
    in %; entropy of the probabilities in % of its largest value, log K. probability (K, H, W) float32.
    """

    label: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    entropy: NDArray[np.uint8]
    probability: NDArray[np.float32]


def certainty(
    logits: NDArray[np.float32], temperature: float, missing: NDArray[np.bool_]
) -> Certainty:
    """logits (K, H, W); missing (H, W), pixels without data."""
    label = logits.argmax(axis=0).astype(np.uint8)
    scores = logits / np.float32(temperature)
    scores -= scores.max(axis=0)
    probability = np.exp(scores)
    total = probability.sum(axis=0)
    probability /= total
    confidence = percent(1 / total)  # the largest score is 0
    # H = log Σ exp s − Σ p s
    scores *= probability
    entropy = percent((np.log(total) - scores.sum(axis=0)) / np.float32(np.log(len(logits))))
    label[missing] = confidence[missing] = entropy[missing] = IGNORE
    return Certainty(label, confidence, entropy, probability)


def percent(share: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Shares in [0, 1] as whole per cent."""
    return np.rint(share * 100).clip(0, 100).astype(np.uint8)
