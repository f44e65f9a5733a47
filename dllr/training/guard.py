"""Guards of the rounds: what the held-out labels say of one, and whether the rounds go on.

Readings are taken on windows side by side, without overlap: as the network was trained, and in the time
of one pass over the validation pixels.
"""

import math
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from dllr.evaluation.confusion import confusion, miou_of_present
from dllr.models.checkpoint import Trained
from dllr.models.network import HEADS
from dllr.models.predict import logits
from dllr.raster.arrays import SceneArrays
from dllr.raster.grid import IGNORE

Verdict = Literal["kept", "lost", "skipped"]


class Readings(NamedTuple):
    """Of one network on labelled pixels; None where there are none.

    miou: by head, of the classes that are there, 0 to 1. correlation: of the optical and the SAR head's
    probabilities (Pearson), where both see data; 1 = they have become one. entropy: of the fused head, of
    its largest value.
    """

    miou: dict[str, float | None]
    correlation: float | None
    entropy: float | None


def read(
    trained: Trained,
    held_out: Iterable[tuple[SceneArrays, NDArray[np.uint8]]],
    device: torch.device,
) -> Readings:
    """What the teacher makes of scenes whose labels (H, W), 255 = none, trained nothing."""
    count = len(trained.classes)
    matrices = np.zeros((len(HEADS), count, count), np.int64)
    products, entropy, pixels = np.zeros(3), 0.0, 0
    network = trained.teacher.to(device)
    for scene, label in held_out:
        for y, z in logits(trained, network, scene, 0.0, device):
            valid = np.asarray(scene.valid[:, y : y + z.shape[2]])
            part = label[y : y + z.shape[2]]
            known: NDArray[np.bool_] = (part != IGNORE) & valid.any(axis=0)
            actual = part[known]
            here = dict(zip(HEADS, z[:, :, known], strict=True))
            for matrix, values in zip(matrices, here.values(), strict=True):
                matrix += confusion(actual, values.argmax(axis=0), count)
            sure = softmax(here["fused"], axis=0)
            entropy -= float((sure * np.log(sure.clip(min=1e-30))).sum())
            pixels += len(actual)
            both = valid[:, known].all(axis=0)
            # Probabilities of a pixel have the sum 1, so their mean over pixels and classes is 1 / K.
            one, other = (softmax(here[h][:, both], axis=0) - 1 / count for h in ("optical", "sar"))
            products += [
                float((a * b).sum()) for a, b in ((one, other), (one, one), (other, other))
            ]
    trained.teacher.to("cpu")
    rated = zip(HEADS, matrices, strict=True)
    spread = math.sqrt(products[1] * products[2])
    return Readings(
        {head: miou_of_present(matrix) for head, matrix in rated},
        float(products[0]) / spread if spread else None,
        entropy / (pixels * math.log(count)) if pixels else None,
    )


def judged(readings: Readings, best: float | None, tolerated: float | None) -> dict[str, Any]:
    """What is written of a round: its verdict, its readings, and the best fused mIoU so far.

    best: of the rounds before, None where there is none. tolerated: mIoU that a round may lose against
    it, None = any.
    """
    mine = readings.miou["fused"]
    drop = best - mine if best is not None and mine is not None else 0.0
    verdict: Verdict = "lost" if tolerated is not None and drop > tolerated else "kept"
    seen = [value for value in (best, mine) if value is not None]
    return {"verdict": verdict, **_rounded(readings), "best": max(seen) if seen else None}


def skipped(best: float | None) -> dict[str, Any]:
    """What is written of a round that an earlier one has stopped."""
    verdict: Verdict = "skipped"
    return {"verdict": verdict, "miou": None, "correlation": None, "entropy": None, "best": best}


def _rounded(readings: Readings) -> dict[str, Any]:
    def digits(value: float | None) -> float | None:
        return None if value is None else round(value, 6)

    return {
        "miou": {head: digits(value) for head, value in readings.miou.items()},
        "correlation": digits(readings.correlation),
        "entropy": digits(readings.entropy),
    }
