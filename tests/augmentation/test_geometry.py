"""Turning a batch: one of eight symmetries by sample, the same for all that belongs to it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dllr.augmentation import geometry


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def turned(tensors: list[Tensor], dice: torch.Generator) -> list[Tensor]:
    return geometry.turned(tensors, geometry.draw(len(tensors[0]), dice))


def symmetries(square: Tensor) -> list[Tensor]:
    """All eight of (..., S, S), by torch's own rotation and flip."""
    turns = [torch.rot90(square, k, (-2, -1)) for k in range(4)]
    return turns + [t.flip(-1) for t in turns]


def batch(count: int, side: int) -> list[Tensor]:
    """Every pixel of every tensor has a value of its own; types as in training."""
    pixels = torch.arange(count * side**2).reshape(count, side, side)
    bands = torch.stack([pixels * 4.0 + b for b in range(4)], 1)
    known = torch.stack([pixels % 3 > 0, pixels % 5 > 0], 1)
    return [bands, bands[:, :1] + 0.5, known, pixels, pixels / 7]


@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 999))
def test_each_sample_is_one_of_eight_and_all_tensors_agree(
    count: int, side: int, seed: int
) -> None:
    tensors = batch(count, side)
    out = turned(tensors, dice(seed))
    for i in range(count):
        fits = [
            {k for k, s in enumerate(symmetries(before[i])) if torch.equal(s, after[i])}
            for before, after in zip(tensors, out, strict=True)
        ]
        assert set.intersection(*fits)
    for before, after in zip(tensors, out, strict=True):
        assert (after.dtype, after.shape) == (before.dtype, before.shape)


def test_the_eight_are_equally_likely() -> None:
    count = 16_000
    square = torch.arange(9).reshape(3, 3)
    (out,) = turned([square.expand(count, 3, 3)], dice())
    seen = [(out == s).flatten(1).all(1).sum().item() for s in symmetries(square)]
    assert sum(seen) == count
    assert max(abs(n - count / 8) for n in seen) < 4 * (count * 7 / 64) ** 0.5


def test_turning_back_restores_every_bit() -> None:
    torch.manual_seed(0)
    bands = torch.randn(32, 2, 16, 16)
    place = torch.arange(256).expand(32, 256).view(32, 16, 16)
    out, moved = turned([bands, place], dice())
    back = torch.empty_like(out).flatten(2)
    back.scatter_(2, moved.flatten(1)[:, None].expand(32, 2, 256), out.flatten(2))
    assert torch.equal(back.view_as(bands), bands)


def test_it_is_drawn_anew_repeatable_and_leaves_its_input() -> None:
    tensors = batch(8, 6)
    before = [t.clone() for t in tensors]
    one, two = turned(tensors, dice(3)), turned(tensors, dice(3))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True))
    same = dice(3)
    turned(tensors, same)
    assert not torch.equal(turned(tensors, same)[0], one[0])


@pytest.mark.parametrize("kind", [torch.uint8, torch.bool, torch.float16, torch.int64])
def test_any_type_and_any_strides_pass(kind: torch.dtype) -> None:
    tensor = torch.arange(2 * 3 * 16).reshape(2, 3, 4, 4).to(kind).mT  # not contiguous
    (out,) = turned([tensor], dice())
    assert out.dtype == kind
    assert all(
        any(torch.equal(o, s) for s in symmetries(t)) for t, o in zip(tensor, out, strict=True)
    )
