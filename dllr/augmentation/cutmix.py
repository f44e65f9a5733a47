"""CutMix (Yun et al., ICCV 2019): a box of each sample is filled from another one of the batch.

The boxes are drawn once and pasted into bands, validity, labels and weights, or later into what a
teacher says of the samples: all that is pasted with the same boxes stays in register.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

PROBABILITY = 0.5  # that a sample receives a box
SHARE = (0.02, 0.4)  # of the area, uniform (the range of UniMatch, Yang et al., CVPR 2023)
ASPECT = 0.3  # least ratio of the shorter to the longer side


class Boxes(NamedTuple):
    """inside (N, S, S) bool: what is replaced; source (N,) int64: the sample that it comes from."""

    inside: Tensor
    source: Tensor


def draw(count: int, size: int, dice: torch.Generator, probability: float = PROBABILITY) -> Boxes:
    """A box for each of `count` samples with side `size` px, empty with 1 − `probability`.

    The samples are rolled by a drawn number of places, so that none is its own source, unless it is
    alone in the batch. The box has an area share from SHARE and lies wholly inside the sample.
    """
    device = dice.device
    mixed, share, aspect, top, left = torch.rand((5, count), generator=dice, device=device)
    share = SHARE[0] + (SHARE[1] - SHARE[0]) * share
    # No side may outgrow the sample: share ≤ height / width ≤ 1 / share. Uniform in its logarithm.
    reach = torch.minimum(-share.log(), torch.full_like(share, -math.log(ASPECT)))
    height = (share.sqrt() * (reach * (aspect - 0.5)).exp() * size).round().clamp(1, size)
    width = (share * size**2 / height).round().clamp(1, size)
    inside = _between(top, height, size)[:, :, None] & _between(left, width, size)[:, None, :]
    inside &= (mixed < probability)[:, None, None]
    shift = torch.randint(1, max(count, 2), (1,), generator=dice, device=device)
    source = (torch.arange(count, device=device) + shift) % count
    return Boxes(inside, source)


def paste(tensor: Tensor, boxes: Boxes) -> Tensor:
    """tensor (N, ..., S, S) of any type with each box filled from its source, as a new tensor."""
    extra = [1] * (tensor.dim() - 3)
    inside = boxes.inside.view(len(tensor), *extra, *boxes.inside.shape[1:])
    return torch.where(inside, tensor.index_select(0, boxes.source), tensor)


def cutmix(tensors: list[Tensor], boxes: Boxes) -> list[Tensor]:
    """The same boxes pasted into every tensor."""
    return [paste(tensor, boxes) for tensor in tensors]


def _between(place: Tensor, length: Tensor, size: int) -> Tensor:
    """(N, size) bool: a run of `length` px, at `place` in [0, 1) of the places that it can take."""
    start = (place * (size - length + 1)).floor().clamp_max(size - 1)[:, None]
    pixel = torch.arange(size, device=place.device)
    return (pixel >= start) & (pixel < start + length[:, None])
