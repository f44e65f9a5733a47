"""Which blocks of which modality the student does not see."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Kind = Literal["none", "symmetric", "complementary", "asymmetric"]

RATIOS = {  # of hidden blocks, in the first and in the second modality
    "none": (0.0, 0.0),
    "symmetric": (0.375, 0.375),  # the mean of the asymmetric ones
    "complementary": (0.5, 0.5),
    "asymmetric": (0.5, 0.25),
}
SWAP = 0.3  # probability that SAR is the first modality; asymmetric
DROP = 0.1  # probability that one modality is dropped as a whole; asymmetric
BLOCKS = 8  # along a side
LEAST = 8  # side of a block, px


class Masks(NamedTuple):
    """hidden (N, 2, S, S) bool by pixel, dropped (N, 2) bool; modalities optical, SAR.

    `hidden` holds the blocks alone, also where a modality is dropped. Where what remains of such a
    sample must be seen everywhere, hide `hidden & ~dropped.flip(1)[..., None, None]`.
    """

    hidden: Tensor
    dropped: Tensor


def draw(kind: Kind, count: int, size: int, ramp: float, dice: torch.Generator) -> Masks:
    """Masks for `count` samples with side `size` px.

    - none: nothing is hidden.
    - symmetric: both modalities lack the same blocks.
    - complementary: at full ramp each block is hidden in exactly one modality.
    - asymmetric: optical lacks more than SAR, or in SWAP of the samples the other way round; no block
      is hidden in both. In DROP of the samples one modality, either as likely, is dropped as well.

    Blocks have a side of size / 8, at least 8 px; the last ones are cut where that leaves a rest.
    `ramp` in [0, 1] multiplies the ratios and DROP. The number of hidden blocks is ratio × blocks,
    rounded up or down at random so that its mean is exact.
    """
    device = dice.device
    side = max(LEAST, round(size / BLOCKS))
    along = -(-size // side)
    blocks = along**2
    first, second = (ramp * ratio * blocks for ratio in RATIOS[kind])
    rounding, swap, drop, which = torch.rand((4, count, 1), generator=dice, device=device)
    # A block's place in a random order decides: the first so many in one modality, the next in the
    # other. One `rounding` for both ends makes both means exact and lets the parts meet.
    place = torch.rand((count, blocks), generator=dice, device=device).argsort(1)
    end = (first + rounding).floor()
    one = place < end
    further = (place >= end) & (place < (first + second + rounding).floor())
    other = one if kind == "symmetric" else further
    dropped = torch.zeros((count, 2), dtype=torch.bool, device=device)
    if kind == "asymmetric":
        swapped = swap < SWAP
        one, other = torch.where(swapped, other, one), torch.where(swapped, one, other)
        lost = which < 0.5
        dropped = (drop < ramp * DROP) & torch.cat([lost, ~lost], 1)
    square = torch.stack([one, other], 1).view(count, 2, along, along)
    block = torch.arange(size, device=device) // side
    return Masks(square[:, :, block[:, None], block], dropped)
