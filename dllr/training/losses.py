"""Losses of a map against labels that are partly unknown; sums run over all processes."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from dllr.training.together import once, total

WEIGHTS = {"fused": 1.0, "optical": 0.5, "sar": 0.5}  # of the heads in every loss
DICE = 0.5  # weight of the Dice loss beside the cross-entropy
IGNORE = 255


def seen_by(head: str, label: Tensor, valid: Tensor) -> Tensor:
    """Labels (N, H, W) of the pixels where the head has data to see, the others 255."""
    return label.where(sight(head, valid), IGNORE)


def sight(head: str, valid: Tensor) -> Tensor:
    """Where a head has data to see, (N, H, W) bool; valid (N, 2, H, W): optical and SAR.

    The fused head sees what either sees.
    """
    return {"fused": valid.any(1), "optical": valid[:, 0], "sar": valid[:, 1]}[head]


def mean(values: Tensor, known: Tensor) -> Tensor:
    """Sum of `values` over the number of known pixels, both over all processes; 0 where none is known.

    A process gives its own share: the shares of all add up to the mean.
    """
    return values.sum() / total(known.sum().to(values.dtype)).clamp_min(1)


def segmentation_loss(
    logits: Tensor, label: Tensor, weight: Tensor | None = None, dice: float = 0.0
) -> Tensor:
    """Weighted cross-entropy plus `dice` × Dice loss over known pixels; exactly 0 where none is.

    logits (N, K, H, W), label (N, H, W) int64 with 255 = ignore, weight (N, H, W) in [0, 1]. The Dice
    loss is 1 − mean soft Dice (Milletari et al., 3DV 2016) over the classes present in the batch.
    """
    found: Tensor
    with torch.autocast(logits.device.type, enabled=False):
        found = _Segmentation.apply(_precise(logits), label, weight, dice)  # type: ignore[no-untyped-call]
    return found


def soft_loss(logits: Tensor, target: Tensor, weight: Tensor, known: Tensor) -> Tensor:
    """Weighted cross-entropy against probabilities; target (N, K, H, W), weight and known (N, H, W)."""
    found: Tensor
    with torch.autocast(logits.device.type, enabled=False):
        found = _Soft.apply(_precise(logits), target, weight, known)  # type: ignore[no-untyped-call]
    return found


class _Formed(Function):
    """A loss whose gradient by the logits is formed along with it: by automatic differentiation each pass
    over the logits is three, and on a CPU they cost a tenth of a step."""

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * above, None, None, None


class _Segmentation(_Formed):
    """One softmax for both losses."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, label: Tensor, weight: Tensor | None, dice: float
    ) -> Tensor:
        there = label != IGNORE
        known = there.to(logits.dtype)
        index = label.where(there, 0)[:, None]
        share = known if weight is None else known * weight
        share = share / total(known.sum()).clamp_min(1)
        # Probabilities p, that become p (share + ...), less share at the true class.
        gradient = logits.softmax(1)
        # ln Σ exp is the largest logit less ln of its probability: one pass over the logits, not two.
        entropy = logits.amax(1) - gradient.amax(1).log() - logits.gather(1, index)[:, 0]
        loss = (entropy * share).sum()
        if not dice:
            gradient *= share[:, None]
            gradient.scatter_add_(1, index, -share[:, None])
            ctx.save_for_backward(gradient)
            return loss
        at_truth = gradient.gather(1, index)[:, 0] * known
        zero = logits.new_zeros(logits.shape[1])
        hit = total(zero.index_add(0, index.flatten(), at_truth.flatten()))
        true = total(zero.index_add(0, index.flatten(), known.flatten()))
        mass = total((gradient * known[:, None]).sum((0, 2, 3)))
        size, present = mass + true + 1, (true > 0).to(logits.dtype)
        score = (2 * hit + 1) / size
        part = dice * present / present.sum().clamp_min(1)
        loss = loss + once(((1 - score) * part).sum())
        by_hit, by_mass = -2 * part / size, score * part / size
        # Of a pixel: what its class's hit and all classes' masses change, through the softmax.
        lift = by_hit[index[:, 0]] * at_truth
        spread = (by_mass @ gradient.flatten(2)).view_as(known)
        drop = share - known * spread - lift
        gradient *= torch.addcmul(drop[:, None], known[:, None], by_mass[:, None, None])
        gradient.scatter_add_(1, index, (lift - share)[:, None])
        ctx.save_for_backward(gradient)
        return loss


class _Soft(_Formed):
    """Cross-entropy against probabilities."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, weight: Tensor, known: Tensor) -> Tensor:
        share = (weight * known / total(known.sum().to(logits.dtype)).clamp_min(1))[:, None]
        sure = logits.log_softmax(1)
        loss = -((target * sure).sum(1, keepdim=True) * share).sum()
        mass = target.sum(1, keepdim=True)
        ctx.save_for_backward(sure.exp_().mul_(mass).sub_(target).mul_(share))
        return loss


def _precise(logits: Tensor) -> Tensor:
    """At least in single precision, whatever autocast gave."""
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits


def sureness(probability: Tensor) -> Tensor:
    """1 − entropy / ln K of (N, K, H, W), by pixel: 0 = knows nothing, 1 = certain."""
    entropy = -_informed(probability).sum(1)
    found: Tensor = (1 - entropy / math.log(probability.shape[1])).clamp(0, 1)
    return found


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """Jensen-Shannon divergence of (N, K, H, W) / ln 2, by pixel: 0 = alike, 1 = disjoint."""
    middle = (first + second) / 2
    terms = _informed(first) + _informed(second) - 2 * _informed(middle)
    found: Tensor = (terms.sum(1) / (2 * math.log(2))).clamp(0, 1)
    return found


def _informed(probability: Tensor) -> Tensor:
    """p ln p, 0 at p = 0; several times as fast as xlogy."""
    return probability * probability.clamp_min(1e-30).log()
