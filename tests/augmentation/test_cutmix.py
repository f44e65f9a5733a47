"""CutMix: a box of another sample, the same in every tensor."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dllr.augmentation.cutmix import ASPECT, SHARE, cutmix, draw, paste


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(1, 9), st.integers(1, 70), st.integers(0, 999))
def test_what_is_drawn_is_a_box_and_none_feeds_itself(count: int, size: int, seed: int) -> None:
    inside, source = draw(count, size, dice(seed), probability=1.0)
    assert inside.shape == (count, size, size) and inside.dtype == torch.bool
    rows, columns = inside.any(2), inside.any(1)
    assert torch.equal(inside, rows[:, :, None] & columns[:, None, :])
    for runs in (rows, columns):  # one run of pixels each
        edges = torch.nn.functional.pad(runs.int(), (1, 1)).diff().abs().sum(1)
        assert torch.equal(edges, torch.full_like(edges, 2))
    assert sorted(source.tolist()) == list(range(count))
    assert count == 1 or not (source == torch.arange(count)).any()


def test_area_aspect_place_and_frequency_are_as_documented() -> None:
    count, size = 10_000, 100
    inside, _ = draw(count, size, dice())
    mixed = inside.flatten(1).any(1)
    assert mixed.float().mean().item() == pytest.approx(0.5, abs=0.02)
    inside = inside[mixed]
    share = inside.float().mean((1, 2))
    assert share.mean().item() == pytest.approx(sum(SHARE) / 2, abs=0.01)
    assert SHARE[0] - 0.003 < share.min() and share.max() < SHARE[1] + 0.01
    height, width = inside.any(2).sum(1), inside.any(1).sum(1)
    aspect = height / width
    assert aspect.log().mean().item() == pytest.approx(0, abs=0.03)
    assert (
        aspect.log().abs().max() < abs(torch.tensor(ASPECT).log()) + 0.2
    )  # sides are whole pixels
    cover = inside.float().mean(0)
    assert (cover - cover.flip(0)).abs().max() < 0.04  # no side is favoured
    assert (cover - cover.mT).abs().max() < 0.04


@pytest.mark.parametrize(("probability", "share"), [(0.0, 0.0), (1.0, 1.0)])
def test_probability_is_by_sample(probability: float, share: float) -> None:
    inside, _ = draw(500, 32, dice(), probability)
    assert inside.flatten(1).any(1).float().mean() == share


@given(st.integers(1, 6), st.integers(4, 40), st.integers(0, 999))
def test_exactly_the_boxes_are_pasted_into_every_tensor(count: int, size: int, seed: int) -> None:
    boxes = draw(count, size, dice(seed), probability=0.8)
    owner = torch.arange(count).view(-1, 1, 1).expand(count, size, size)
    tensors = [
        owner[:, None].expand(-1, 4, -1, -1) + torch.rand(count, 4, size, size) / 2,
        owner[:, None] % 2 == 0,
        owner.to(torch.uint8),
        owner.float(),
    ]
    before = [t.clone() for t in tensors]
    out = cutmix(tensors, boxes)
    for tensor, kept, mixed in zip(tensors, before, out, strict=True):
        assert torch.equal(tensor, kept)
        assert mixed.dtype == tensor.dtype
        for i in range(count):
            inside = boxes.inside[i].expand(tensor[i].shape)
            assert torch.equal(mixed[i][inside], tensor[boxes.source[i]][inside])
            assert torch.equal(mixed[i][~inside], tensor[i][~inside])


def test_what_is_missing_stays_in_its_box() -> None:
    bands = torch.zeros(2, 1, 16, 16)
    bands[1] = torch.nan
    boxes = draw(2, 16, dice(), probability=1.0)
    assert torch.equal(paste(bands, boxes)[0, 0].isnan(), boxes.inside[0])


def test_alone_in_the_batch_a_sample_keeps_itself() -> None:
    bands = torch.rand(1, 3, 16, 16)
    assert torch.equal(paste(bands, draw(1, 16, dice(), probability=1.0)), bands)


def test_it_is_repeatable_and_goes_on() -> None:
    one = dice(5)
    first, second = draw(8, 32, one), draw(8, 32, one)
    again = draw(8, 32, dice(5))
    assert torch.equal(first.inside, again.inside) and torch.equal(first.source, again.source)
    assert not torch.equal(first.inside, second.inside)


def test_a_box_reaches_both_ends_alike() -> None:
    inside, _ = draw(20_000, 8, dice(), probability=1.0)
    cover = inside.float().mean((0, 1))
    assert (cover - cover.flip(0)).abs().max() < 0.01
