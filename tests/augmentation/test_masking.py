"""Masks: what the kinds promise of each other, and their ratios."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dllr.augmentation.masking import DROP, RATIOS, SWAP, Kind, draw

MANY = 10_000
KINDS: tuple[Kind, ...] = ("none", "symmetric", "complementary", "asymmetric")
kinds = st.sampled_from(KINDS)
sizes = st.integers(1, 140)
counts = st.integers(1, 9)
ramps = st.floats(0, 1)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(kinds, counts, sizes, ramps, st.integers(0, 999))
def test_shapes_and_whole_blocks(kind: Kind, count: int, size: int, ramp: float, seed: int) -> None:
    hidden, dropped = draw(kind, count, size, ramp, dice(seed))
    assert hidden.shape == (count, 2, size, size) and hidden.dtype == torch.bool
    assert dropped.shape == (count, 2) and dropped.dtype == torch.bool
    assert not dropped.all(1).any()
    side = max(8, round(size / 8))
    for y in range(0, size, side):
        for x in range(0, size, side):
            block = hidden[:, :, y : y + side, x : x + side].flatten(2)
            assert torch.equal(block.any(2), block.all(2))


@given(st.sampled_from(KINDS[2:]), counts, sizes, ramps, st.integers(0, 999))
def test_no_block_is_hidden_in_both(
    kind: Kind, count: int, size: int, ramp: float, seed: int
) -> None:
    hidden, _ = draw(kind, count, size, ramp, dice(seed))
    assert not hidden.all(1).any()


@given(counts, sizes, st.integers(0, 999))
def test_complementary_masks_part_the_tile(count: int, size: int, seed: int) -> None:
    hidden, dropped = draw("complementary", count, size, 1.0, dice(seed))
    assert torch.equal(hidden[:, 0], ~hidden[:, 1])
    assert not dropped.any()


@given(counts, sizes, ramps, st.integers(0, 999))
def test_symmetric_masks_are_one(count: int, size: int, ramp: float, seed: int) -> None:
    hidden, dropped = draw("symmetric", count, size, ramp, dice(seed))
    assert torch.equal(hidden[:, 0], hidden[:, 1])
    assert not dropped.any()


@given(kinds, counts, sizes, st.integers(0, 999))
def test_nothing_is_hidden_before_the_ramp(kind: Kind, count: int, size: int, seed: int) -> None:
    masks = draw(kind, count, size, 0.0, dice(seed))
    assert not masks.hidden.any() and not masks.dropped.any()


@given(counts, sizes, ramps)
def test_none_hides_nothing(count: int, size: int, ramp: float) -> None:
    masks = draw("none", count, size, ramp, dice())
    assert not masks.hidden.any() and not masks.dropped.any()


@pytest.mark.parametrize("size", [24, 64, 70])  # 3 × 3 blocks, 8 × 8, 9 × 9 with cut ones
@pytest.mark.parametrize("ramp", [0.1, 0.63, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_ratios_are_right_on_the_mean(kind: Kind, ramp: float, size: int) -> None:
    hidden, _ = draw(kind, MANY, size, ramp, dice())
    wide, narrow = RATIOS[kind]
    swap = SWAP if kind == "asymmetric" else 0.0
    optical, sar = hidden.float().mean((0, 2, 3)).tolist()
    assert optical == pytest.approx(ramp * (wide * (1 - swap) + narrow * swap), abs=0.02)
    assert sar == pytest.approx(ramp * (narrow * (1 - swap) + wide * swap), abs=0.02)


def test_the_number_of_blocks_is_exact() -> None:
    hidden, _ = draw("asymmetric", 500, 64, 1.0, dice())
    numbers = hidden[..., ::8, ::8].sum((2, 3)).sort(1).values
    assert torch.equal(numbers, torch.tensor([16, 32]).expand(500, 2))
    hidden, _ = draw("symmetric", 500, 24, 1.0, dice())  # .375 of 9 blocks: 3 or 4
    assert set(hidden[..., ::8, ::8].sum((2, 3)).flatten().tolist()) == {3, 4}


def test_every_block_is_as_likely() -> None:
    hidden, _ = draw("asymmetric", MANY, 64, 1.0, dice())
    by_block = hidden[..., ::8, ::8].float().mean(0)
    assert (by_block - by_block.mean((1, 2), keepdim=True)).abs().max() < 0.02


def test_roles_swap_and_modalities_drop_as_often_as_documented() -> None:
    hidden, dropped = draw("asymmetric", MANY, 64, 1.0, dice())
    swapped = hidden[:, 1].flatten(1).sum(1) > hidden[:, 0].flatten(1).sum(1)
    assert swapped.float().mean().item() == pytest.approx(SWAP, abs=0.02)
    assert dropped.any(1).float().mean().item() == pytest.approx(DROP, abs=0.01)
    assert dropped.float().mean(0).tolist() == pytest.approx([DROP / 2, DROP / 2], abs=0.01)
    half = draw("asymmetric", MANY, 64, 0.5, dice()).dropped
    assert half.any(1).float().mean().item() == pytest.approx(DROP / 2, abs=0.01)


@given(kinds, counts, sizes, ramps, st.integers(0, 999))
def test_the_same_dice_draw_the_same(
    kind: Kind, count: int, size: int, ramp: float, seed: int
) -> None:
    one, two = (draw(kind, count, size, ramp, dice(seed)) for _ in range(2))
    assert torch.equal(one.hidden, two.hidden) and torch.equal(one.dropped, two.dropped)


def test_samples_differ_and_dice_go_on() -> None:
    rolling = dice()
    one, two = (draw("asymmetric", 4, 64, 1.0, rolling).hidden for _ in range(2))
    assert not torch.equal(one, two)
    assert not torch.equal(one[0], one[1])


def test_dropping_swapping_and_which_is_dropped_are_independent() -> None:
    hidden, dropped = draw("asymmetric", 4 * MANY, 32, 1.0, dice())
    swapped = hidden[:, 1].flatten(1).sum(1) > hidden[:, 0].flatten(1).sum(1)
    lost = dropped.any(1)
    assert swapped[lost].float().mean().item() == pytest.approx(SWAP, abs=0.03)
    for role in (swapped, ~swapped):
        assert dropped[lost & role, 0].float().mean().item() == pytest.approx(0.5, abs=0.06)
