"""Augmentation, on whole batches. Both modalities, labels and weights turn together."""

import torch
from torch import Tensor

from dllr.training.samples import Views

JITTER = 0.2  # of a band's deviation: gain and offset, optical
GAIN = 0.3  # of a band's deviation: offset in dB, SAR
NOISE = 0.1  # of a band's deviation


def turned(tensors: list[Tensor], dice: torch.Generator) -> list[Tensor]:
    """Each sample under one of the eight symmetries of the square, drawn anew; all tensors alike."""
    count = tensors[0].shape[0]
    turns = torch.randint(4, (count,), generator=dice).tolist()
    flips = torch.randint(2, (count,), generator=dice).tolist()
    out = []
    for tensor in tensors:
        samples = [torch.rot90(s, t, (-2, -1)) for s, t in zip(tensor, turns, strict=True)]
        flipped = [s.flip(-1) if f else s for s, f in zip(samples, flips, strict=True)]
        out.append(torch.stack(flipped))
    return out


def jittered(views: Views, dice: torch.Generator) -> Views:
    """Strong radiometric view: gain, offset and noise by band; SAR in dB, where gain is an offset."""
    optical, sar, valid = views
    gain = 1 + JITTER * _normal(optical.shape[:2], dice, optical)
    offset = JITTER * _normal(optical.shape[:2], dice, optical)
    optical = (
        optical * gain + offset + NOISE * torch.randn(optical.shape, generator=dice).to(optical)
    )
    sar = sar + GAIN * _normal(sar.shape[:2], dice, sar)
    sar = sar + NOISE * torch.randn(sar.shape, generator=dice).to(sar)
    return Views(optical, sar, valid)


def _normal(shape: torch.Size, dice: torch.Generator, like: Tensor) -> Tensor:
    return torch.randn((*shape, 1, 1), generator=dice).to(like)
