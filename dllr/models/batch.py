"""Crops of scenes to tensors: the one place where a batch gets its physical units."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dllr.raster.arrays import Crop


def stacked(
    crops: Sequence[Crop], device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor, Tensor]:
    """Optical (N, B_o, h, w) reflectance and SAR (N, B_s, h, w) dB or dn, float32, 0 where there is no
    data, and validity (N, 2, h, w) bool; the numbers of `Crop.physical`, to the bit.

    Crops go to the device as stored: of 16-bit bands that is half the bytes.
    """
    parts = [np.stack([crop[part] for crop in crops]) for part in range(3)]
    whole = bool(parts[2].all())
    optical, sar, valid = (torch.from_numpy(part).to(device) for part in parts)
    scale, offset = (
        torch.tensor(values, dtype=torch.float32, device=device)[:, None, None, None]
        for values in ([crop.scale for crop in crops], [crop.offset for crop in crops])
    )
    optical = optical.to(torch.float32).mul_(scale).add_(offset)
    if not whole:
        optical, sar = optical.masked_fill_(~valid[:, :1], 0), sar.masked_fill_(~valid[:, 1:], 0)
    return optical, sar, valid
