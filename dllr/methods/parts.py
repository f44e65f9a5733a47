"""What several methods are made of: views, teachers, sums over heads."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from dllr.augmentation.radiometry import Radiometry
from dllr.models.network import HEADS, Network
from dllr.training.losses import DICE, IGNORE, WEIGHTS, seen_by, segmentation_loss
from dllr.training.method import Step
from dllr.training.samples import Labelled, Views
from dllr.training.together import total

Logits = Mapping[str, Tensor]


def weak(views: Views, radiometry: Radiometry, dice: torch.Generator) -> Views:
    """The radiometric view that teachers see."""
    return Views(*radiometry.weak(*views, dice), views.valid)


def strong(views: Views, radiometry: Radiometry, dice: torch.Generator) -> Views:
    """The radiometric view that students see."""
    return Views(*radiometry.strong(*views, dice), views.valid)


def joined(first: Views, second: Views) -> Views:
    """Both batches as one, for one forward pass."""
    return Views(*(torch.cat(pair) for pair in zip(first, second, strict=True)))


def halves(logits: Logits, count: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Logits of the first `count` samples, and of the others."""
    return {h: z[:count] for h, z in logits.items()}, {h: z[count:] for h, z in logits.items()}


@torch.no_grad()
def probabilities(
    network: Network, views: Views, heads: tuple[str, ...] = HEADS
) -> dict[str, Tensor]:
    """What a network takes for likely, (N, K, H, W) float32 by head; without gradient."""
    out = network(*views, heads=heads)
    return {head: out[head].float().softmax(1) for head in heads}


def likeliest(probability: Tensor) -> Tensor:
    """Most likely classes (N, H, W) of (N, K, H, W); argmax takes many times as long over a short axis."""
    return probability.max(1).indices


def supervised(logits: Logits, labelled: Labelled) -> Tensor:
    """Cross-entropy and Dice of the heads, weighted by head, each where it has data to see."""
    return sum_of_heads(
        {
            head: segmentation_loss(
                logits[head], seen_by(head, labelled.label, labelled.views.valid), dice=DICE
            )
            for head in WEIGHTS
        }
    )


def taught(logits: Logits, label: Tensor, valid: Tensor, weight: Tensor | None = None) -> Tensor:
    """Weighted cross-entropy of all heads with one and the same label map (N, H, W), 255 = none."""
    return sum_of_heads(
        {
            head: segmentation_loss(logits[head], seen_by(head, label, valid), weight)
            for head in WEIGHTS
        }
    )


def sum_of_heads(parts: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([weight * parts[head] for head, weight in WEIGHTS.items()]).sum()


def confident(probability: Tensor, valid: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Most likely classes (N, H, W), 255 where there is no data; weight 1 where they are at least as
    likely as `threshold`, else 0: the loss is a mean over all pixels, as in FixMatch."""
    best, label = probability.max(1)
    return label.where(valid.any(1), IGNORE), (best >= threshold).to(best.dtype)


def sure_labels(step: Step, seen: Views, threshold: float) -> tuple[Tensor, Tensor]:
    """What `confident` makes of the moving average's fused head, on the view it sees."""
    fused = probabilities(step.teacher, seen, ("fused",))["fused"]
    return confident(fused, seen.valid, threshold)


def dropped_channels(levels: list[Tensor], rate: float, dice: torch.Generator) -> list[Tensor]:
    """Features (N, C, h, w) without a drawn share of their channels, the others raised to match."""
    found = []
    for level in levels:
        kept = torch.rand((*level.shape[:2], 1, 1), generator=dice, device=dice.device) >= rate
        found.append(level * kept.to(level.dtype) / (1 - rate))
    return found


def share(chosen: Tensor, among: Tensor) -> Tensor:
    """Share of `chosen` pixels among others, this process's part of it."""
    return (chosen & among).sum() / total(among.sum()).clamp_min(1)


def squared(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over classes of the squared difference of probabilities, (N, H, W)."""
    return functional.mse_loss(logits.softmax(1), target, reduction="none").mean(1)
