"""From calibrated logits to a class and how sure it is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from dllr.raster.grid import IGNORE


class Certainty(NamedTuple):
    """Of pixels (H, W), uint8, 255 = no data: label, class index; confidence, the largest class probability
    in %; entropy of the probabilities in % of its largest value, log K.
    """

    label: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    entropy: NDArray[np.uint8]


def certainty(
    logits: NDArray[np.float32], temperature: float, missing: NDArray[np.bool_]
) -> Certainty:
    """logits (K, H, W); missing (H, W), pixels without data."""
    largest, label = logits[0].copy(), np.zeros(missing.shape, np.uint8)
    for k, values in enumerate(logits[1:], 1):  # class by class: argmax over the first axis is slow
        np.copyto(label, k, where=values > largest)
        np.maximum(largest, values, out=largest)
    # With s the scores less their largest: its probability is 1 / Σ exp s, and the entropy
    # log Σ exp s − Σ s exp s / Σ exp s.
    scores = logits - largest
    scores *= np.float32(1 / temperature)
    powers = np.exp(scores)
    total = powers.sum(axis=0)
    entropy = np.log(total) - np.einsum("kij,kij->ij", scores, powers) / total
    found = label, _percent(1 / total), _percent(entropy / np.float32(np.log(len(logits))))
    for values in found:
        values[missing] = IGNORE
    return Certainty(*found)


def probabilities(
    logits: NDArray[np.float32], temperature: float, missing: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Of each class (K, H, W), in %, 255 = no data; the rest as for `certainty`."""
    found = _percent(softmax(logits / np.float32(temperature), axis=0))
    found[:, missing] = IGNORE
    return found


def _percent(share: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Shares in [0, 1] as whole per cent."""
    return (share * 100 + np.float32(0.5)).astype(np.uint8)
