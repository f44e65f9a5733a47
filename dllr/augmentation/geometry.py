"""The symmetries of the square, drawn by sample, on whole batches."""

import torch
from torch import Tensor


def draw(count: int, dice: torch.Generator) -> Tensor:
    """One of the eight symmetries for each of `count` samples: (N, 3) bool, flipped across, flipped
    down, transposed."""
    return torch.randint(2, (count, 3), generator=dice, device=dice.device).bool()


def turned(tensors: list[Tensor], turns: Tensor) -> list[Tensor]:
    """Each sample under its symmetry; all tensors alike.

    tensors (N, ..., S, S) of any type, on the device of `turns`. Values move, none is interpolated.
    """
    side = tensors[0].shape[-1]
    across, down, swapped = turns.T[..., None, None]
    place = torch.arange(side, device=turns.device)
    row = torch.where(down, side - 1 - place, place)  # (N, 1, S); turned upright below
    column = torch.where(across, side - 1 - place, place)
    # Where a pixel comes from, in the flattened square: one gather moves a whole tensor.
    origin = torch.where(swapped, column * side + row.mT, row.mT * side + column).flatten(1)
    return [_gathered(tensor, origin) for tensor in tensors]


def _gathered(tensor: Tensor, origin: Tensor) -> Tensor:
    planes = tensor.reshape(len(tensor), -1, origin.shape[1])
    return planes.gather(2, origin[:, None].expand(planes.shape)).view(tensor.shape)
