"""From calibrated logits to a class and how sure it is."""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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
    z = torch.from_numpy(logits)  # by torch, on all cores: a map is millions of pixels
    largest, label = z.max(0)
    # With s the scores less their largest: its probability is 1 / Σ exp s, and the entropy
    # log Σ exp s − Σ s exp s / Σ exp s.
    scores = (z - largest).mul_(1 / temperature)
    powers = scores.exp()
    total = powers.sum(0)
    entropy = total.log() - (scores * powers).sum(0) / total
    parts = label, _percent(1 / total), _percent(entropy / math.log(len(z)))
    found = [part.to(torch.uint8).numpy() for part in parts]
    if missing.any():
        for values in found:
            values[missing] = IGNORE
    return Certainty(*found)


def probabilities(
    logits: NDArray[np.float32], temperature: float, missing: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Of each class (K, H, W), in %, 255 = no data; the rest as for `certainty`."""
    share = (torch.from_numpy(logits) / temperature).softmax(0)
    found: NDArray[np.uint8] = _percent(share).to(torch.uint8).numpy()
    found[:, missing] = IGNORE
    return found


def _percent(share: Tensor) -> Tensor:
    """Shares in [0, 1] in per cent, of which the whole part counts."""
    return share * 100 + 0.5
