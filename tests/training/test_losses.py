"""Losses with a gradient of their own: what torch's own losses and automatic differentiation say."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from dllr.training.losses import IGNORE, segmentation_loss, soft_loss

N, K, H, W = 2, 5, 6, 7


def drawn(seed: int, unknown: float, classes: int = K) -> tuple[Tensor, Tensor, Tensor]:
    """Logits that need a gradient, labels with unknown pixels, weights; in double precision."""
    dice = torch.Generator().manual_seed(seed)
    logits = torch.randn((N, K, H, W), generator=dice, dtype=torch.double) * 3
    label = torch.randint(classes, (N, H, W), generator=dice)
    label[torch.rand((N, H, W), generator=dice) < unknown] = IGNORE
    return logits.requires_grad_(), label, torch.rand((N, H, W), generator=dice).double()


def plain(logits: Tensor, label: Tensor, weight: Tensor | None, dice: float) -> Tensor:
    """The same, written down as the formulas stand."""
    known = label != IGNORE
    entropy = functional.cross_entropy(logits, label, reduction="none", ignore_index=IGNORE)
    entropy = entropy if weight is None else entropy * weight
    probability = logits.softmax(1).movedim(1, -1)[known]
    truth = functional.one_hot(label[known], K).to(logits.dtype)
    size = probability.sum(0) + truth.sum(0) + 1
    score = (2 * (probability * truth).sum(0) + 1) / size
    there = truth.sum(0) > 0
    overlap = (1 - score[there]).mean() if there.any() else logits.sum() * 0
    return entropy.sum() / known.sum().clamp_min(1) + dice * overlap


@given(
    st.integers(0, 99), st.sampled_from([0.0, 0.3, 1.0]), st.integers(1, K), st.booleans(),
    st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([0.01, 1.0, 1e4]),
)  # fmt: skip
def test_value_and_gradient_are_those_of_the_formulas(
    seed: int, unknown: float, classes: int, weighted: bool, dice: float, sharp: float
) -> None:
    logits, label, weight = drawn(seed, unknown, classes)
    # At the sharpest, probabilities run out of digits.
    logits = (logits.detach() * sharp).requires_grad_()
    chosen = weight if weighted else None
    found, wanted = (
        segmentation_loss(logits, label, chosen, dice),
        plain(logits, label, chosen, dice),
    )
    torch.testing.assert_close(found, wanted)
    ours, theirs = (torch.autograd.grad(loss, logits)[0] for loss in (found, wanted))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_any_layout_and_batch_of_single_precision(layout: torch.memory_format) -> None:
    logits, label, weight = drawn(3, 0.2)
    single = logits.detach().float().contiguous(memory_format=layout).requires_grad_()
    found = segmentation_loss(single, label, weight.float(), 0.5)
    wanted = segmentation_loss(logits, label, weight, 0.5)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)
    ours, theirs = torch.autograd.grad(found, single)[0], torch.autograd.grad(wanted, logits)[0]
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-7)


def test_half_precision_is_taken_at_its_values() -> None:
    logits, label, _ = drawn(4, 0.2)
    half = logits.detach().bfloat16().requires_grad_()
    loss = segmentation_loss(half, label, dice=0.5)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, segmentation_loss(half.detach().float(), label, dice=0.5))
    assert torch.autograd.grad(loss, half)[0].dtype == torch.bfloat16


def test_autocast_around_them_changes_nothing() -> None:
    logits, label, weight = drawn(4, 0.2)
    target = logits.detach().softmax(1)
    for loss in (
        lambda: segmentation_loss(logits, label, weight, 0.5),
        lambda: soft_loss(logits, target, weight, label != IGNORE),
    ):
        with torch.autocast("cpu", torch.bfloat16):
            found = loss()
        assert torch.equal(found, loss())
        assert torch.equal(*(torch.autograd.grad(value, logits)[0] for value in (found, loss())))


def test_where_nothing_is_known_there_is_nothing_to_learn() -> None:
    logits, label, weight = drawn(5, 1.0)
    for loss in (
        segmentation_loss(logits, label, weight, 0.5),
        soft_loss(logits, logits.detach().softmax(1), weight, label != IGNORE),
    ):
        assert loss.item() == 0
        assert not torch.autograd.grad(loss, logits)[0].any()


@given(st.integers(0, 99))
def test_soft_labels_are_learnt_as_torch_does_it(seed: int) -> None:
    logits, label, weight = drawn(seed, 0.4)
    known = label != IGNORE
    target = drawn(seed + 1000, 0.0)[0].detach().softmax(1)
    found = soft_loss(logits, target, weight, known)
    entropy = functional.cross_entropy(logits, target, reduction="none")
    wanted = (entropy * weight)[known].sum() / known.sum()
    torch.testing.assert_close(found, wanted)
    ours, theirs = (torch.autograd.grad(loss, logits)[0] for loss in (found, wanted))
    torch.testing.assert_close(ours, theirs)


def test_hard_labels_are_soft_ones_that_are_sure() -> None:
    logits, label, weight = drawn(6, 0.0)
    sure = functional.one_hot(label, K).movedim(-1, 1).to(logits.dtype)
    soft = soft_loss(logits, sure, weight, torch.ones_like(label, dtype=torch.bool))
    torch.testing.assert_close(soft, segmentation_loss(logits, label, weight))
