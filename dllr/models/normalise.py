"""Bands to numbers of order one: robust clip, then z-score."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Normalisation:
    """Per band: clip to [low, high], subtract mean, divide by deviation. All (B,) float32."""

    low: Tensor
    high: Tensor
    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, samples: NDArray[np.float32], clip: float | None) -> "Normalisation":
        """From pixels (N, B, n), NaN where there is no data; a band without data passes as zero.

        Bands are clipped at their 2nd and 98th percentile and, unless `clip` is None, at `clip` robust
        deviations (the interquartile range / 1.349) from the median: then a few clouds, five times as
        bright as any ground, do not decide what one is.
        """
        low, high, mean, deviation = [], [], [], []
        for band in np.moveaxis(samples, 1, 0):
            known = band[np.isfinite(band)].astype(np.float64)
            bottom, top = _limits(known, clip) if known.size else (0.0, 0.0)
            inside = known.clip(bottom, top)
            low.append(bottom)
            high.append(top)
            mean.append(inside.mean() if known.size else 0.0)
            deviation.append(inside.std() if known.size and top > bottom else 1.0)
        tensors = (torch.tensor(v, dtype=torch.float32) for v in (low, high, mean, deviation))
        return cls(*tensors)

    def __call__(self, x: Tensor) -> Tensor:
        """(N, B, H, W) in the units of the scenes → normalised."""
        low, high, mean, deviation = (
            t.to(x.device)[:, None, None] for t in (self.low, self.high, self.mean, self.deviation)
        )
        return torch.addcmul(-mean / deviation, x.clamp(low, high), 1 / deviation)

    def state(self) -> dict[str, Tensor]:
        return {"low": self.low, "high": self.high, "mean": self.mean, "deviation": self.deviation}


def _limits(known: NDArray[np.float64], clip: float | None) -> tuple[float, float]:
    bottom, quarter, middle, three, top = np.percentile(known, [2, 25, 50, 75, 98])
    spread = (three - quarter) / 1.349
    if clip is None or not spread:  # no spread: more than half of the pixels have one value
        return float(bottom), float(top)
    reach = clip * spread
    return float(max(bottom, middle - reach)), float(min(top, middle + reach))
