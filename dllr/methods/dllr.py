"""Difference-complementary learning with reassigned labels (after Han et al., IEEE TIP 2025).

The paper's form is not public: this is an own design from its abstract, every part a switch.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from dllr.augmentation import cutmix, masking
from dllr.augmentation.masking import Kind
from dllr.methods.parts import (
    Logits,
    halves,
    joined,
    likeliest,
    share,
    strong,
    sum_of_heads,
    supervised,
    taught,
    weak,
)  # fmt: skip
from dllr.methods.reassigned import Reassigned
from dllr.models.network import HEADS, Features
from dllr.training.losses import IGNORE, WEIGHTS, divergence, mean, sight, soft_loss, sureness
from dllr.training.method import Method, Step
from dllr.training.samples import Labelled, Views
from dllr.training.together import once
from dllr.transport.partial import Aim

SURER = 0.1  # by how much one modality must be surer than the other to teach it
DIFFERENCE = 0.5  # weight of the complementary loss beside the pseudo-labels
FEATURES = 0.1  # weight of its part on the features under masks
OTHERS = {
    "optical": ("sar", "fused"),
    "sar": ("optical", "fused"),
    "fused": ("optical", "sar", "fused"),
}


class DLLR(Method):
    """Supervised loss, cross pseudo-supervision of the heads and complementary learning of the
    modalities, the student masked.

    masking: what each modality does not show to the student. labels: the round's, `written`, or the
    moving average's, reassigned anew in every step, `refreshed`. difference: the surer modality teaches
    the other, most where they differ. cross: each head is taught by the others, softly where they
    disagree. temperatures: of the heads on labels that did not train them: how sure heads are compares
    only then. aim: what the round's labels were made to.
    """

    needs_unlabelled: ClassVar[bool] = True

    def __init__(
        self, unlabelled_weight: float, *, masking: Kind, difference: bool, cross: bool,
        labels: Literal["written", "refreshed"], temperatures: Mapping[str, float], aim: Aim,
    ) -> None:  # fmt: skip
        super().__init__()
        self.temperatures = dict(temperatures)
        self.unlabelled_weight = unlabelled_weight
        self.masking: Kind = masking
        self.difference, self.cross, self.labels = difference, cross, labels
        if labels == "refreshed":
            self.reassigned = Reassigned(aim)

    def loss(self, step: Step) -> dict[str, Tensor]:
        labelled, unlabelled = step.both
        count = len(labelled.label)
        seen = weak(unlabelled.views, step.radiometry, step.dice)
        with torch.no_grad():
            features = step.teacher.encode(*seen)
            logits = step.teacher.decode(features, seen.size)
            target = {
                head: (logits[head].float() / self.temperatures[head]).softmax(1)
                for head in WEIGHTS
            }
        boxes = cutmix.draw(len(seen.valid), seen.valid.shape[-1], step.dice)
        mixed = Views(*cutmix.cutmix(list(unlabelled.views), boxes))
        target = {head: cutmix.paste(p, boxes) for head, p in target.items()}
        written = cutmix.cutmix([unlabelled.label, unlabelled.weight], boxes)

        both = strong(joined(labelled.views, mixed), step.radiometry, step.dice)
        both, hidden = self._masked(both, count, step)
        read = step.student.encode(*both, hidden)
        known, other = halves(step.student.decode(read, both.size), count)
        valid, sighted = both.valid[count:], mixed.valid
        true = supervised(known, Labelled(Views(*(v[:count] for v in both)), labelled.label))
        guess, readings = self._pseudo(other, target, written, valid, sighted)
        if self.difference:
            complementary = modalities(other, target, valid)
            complementary += FEATURES * under_masks(read, features, boxes, hidden, count)
            guess = guess + DIFFERENCE * complementary
        found = {
            "loss": true + self.unlabelled_weight * step.ramp * guess,
            "supervised": true.detach(),
            "unlabelled": guess.detach(),
            **readings,
        }
        return found if read.gate is None else found | {"gate": once(read.gate.detach())}

    def _masked(self, views: Views, count: int, step: Step) -> tuple[Views, Tensor]:
        """What the student sees: all unlabelled windows masked, and every other labelled one."""
        side = views.valid.shape[-1]
        masks = masking.draw(self.masking, len(views.valid), side, step.ramp, step.dice)
        chosen = torch.arange(len(views.valid), device=views.valid.device)
        chosen = (chosen >= count) | (chosen % 2 == 0)
        # Of a pixel that only one modality knows nothing may be left.
        dropped = masks.dropped & chosen[:, None]
        left = views.valid & ~dropped[..., None, None]
        hidden = masks.hidden & chosen[:, None, None, None] & left & left.flip(1)
        keep = left.any(1, keepdim=True)
        return views._replace(valid=torch.where(keep, left, views.valid)), hidden

    def _pseudo(
        self,
        logits: Logits,
        target: dict[str, Tensor],
        written: list[Tensor],
        valid: Tensor,
        sighted: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of the pseudo-labels, and readings. valid: what the student sees; sighted: what the
        teacher saw."""
        anywhere, both = sighted.any(1), sighted.all(1)
        apart = divergence(target["optical"], target["sar"])
        label, weight = written
        readings = {"apart": mean(apart * both, both)}
        if self.labels == "refreshed":
            anew, weight = self.reassigned(opinion(target, sighted, HEADS), anywhere)
            readings["used"] = mean(weight * anywhere, anywhere)
        else:
            anew = likeliest(target["fused"])
        readings["flipped"] = share(anew != label, (label != IGNORE) & anywhere)
        if self.labels == "written":
            # What is not labelled weighs 0, and counts: the loss is a mean over all pixels either way.
            anew = torch.where(label == IGNORE, anew, label)
        guess = taught(logits, anew, valid, weight)
        if self.cross:
            guess = guess + across(logits, target, apart, valid, sighted)
        return guess, readings


def opinion(target: dict[str, Tensor], valid: Tensor, heads: Sequence[str]) -> Tensor:
    """Mean of what some heads say, (N, K, H, W), by their weights and where they have data to see; 0
    where none has."""
    said = torch.stack([target[h] * (WEIGHTS[h] * sight(h, valid)[:, None]) for h in heads]).sum(0)
    return said / said.sum(1, keepdim=True).clamp_min(1e-6)


def across(
    logits: Logits, target: dict[str, Tensor], apart: Tensor, valid: Tensor, sighted: Tensor
) -> Tensor:
    """Cross pseudo-supervision: each head learns the mean of what the teacher's others say.

    Where they agree on a class it is taken for the label, by its sureness; where they do not, what they
    say is kept soft and weighs e^(−2δ), δ their divergence `apart`: contested pixels are used, not
    dropped. valid: what the student sees; sighted: what the teacher saw.
    """
    agreed = likeliest(target["optical"]) == likeliest(target["sar"])
    agreed = agreed | ~sighted.all(1)  # one modality alone has nobody to disagree with
    trust = torch.where(agreed, 1.0, (-2 * apart).exp())
    parts = {}
    for head in WEIGHTS:
        said = opinion(target, sighted, OTHERS[head])
        soft = torch.where(agreed[:, None], one_hot(likeliest(said), said), said)
        weight = sureness(said).sqrt() * trust
        parts[head] = soft_loss(logits[head], soft, weight, sight(head, valid))
    return sum_of_heads(parts)


def modalities(logits: Logits, target: dict[str, Tensor], valid: Tensor) -> Tensor:
    """Difference-guided complementary learning: the surer modality teaches, most where they differ."""
    known = valid.all(1)
    smooth = {head: smoothed(target[head]) for head in ("optical", "sar")}
    sure = {head: sureness(p) for head, p in smooth.items()}
    # As the student's own probabilities differ; without gradient, so that no head gains by agreeing.
    own = {head: logits[head].detach().float().softmax(1) for head in ("optical", "sar")}
    weight = 1 + divergence(own["optical"], own["sar"])
    parts = [
        soft_loss(
            logits[pupil], smooth[teacher], weight * (sure[teacher] - sure[pupil] > SURER), known
        )
        for pupil, teacher in (("optical", "sar"), ("sar", "optical"))
    ]
    return torch.stack(parts).sum()


def smoothed(probability: Tensor) -> Tensor:
    """Means over 3 × 3 px of (N, K, H, W): a misregistration of a pixel is tolerated. Several times as
    fast as pooling."""
    wide = functional.pad(probability, (1, 1, 1, 1), mode="replicate")
    rows = wide[..., :-2, :] + wide[..., 1:-1, :] + wide[..., 2:, :]
    return (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) / 9


def one_hot(label: Tensor, like: Tensor) -> Tensor:
    """Labels (N, H, W) as probabilities of the shape of `like`."""
    return torch.zeros_like(like).scatter_(1, label[:, None], 1.0)


def under_masks(
    read: Features, whole: Features, boxes: cutmix.Boxes, hidden: Tensor, count: int
) -> Tensor:
    """1 − cosine between what the exchange makes of a masked place and what the teacher, who sees it,
    finds there; mean over masked places of all levels and both modalities."""
    parts = []
    pairs = [(read.exchanged_optical, whole.optical), (read.exchanged_sar, whole.sar)]
    for levels in zip(*(zip(*pair, strict=True) for pair in pairs), strict=True):
        inside = _centres(boxes.inside[:, None], levels[0][0])
        covered = _centres(hidden[count:], levels[0][0])
        for modality, (level, target) in enumerate(levels):
            seen = torch.where(inside, target.index_select(0, boxes.source), target)
            apart = 1 - _cosine(level[count:], seen)
            parts.append(mean(apart * covered[:, modality], covered[:, modality]))
    return torch.stack(parts).mean()


def _centres(mask: Tensor, like: Tensor) -> Tensor:
    """A mask (N, C, H, W) bool at the centres of the coarser cells of `like`."""
    size = like.shape[-2], like.shape[-1]
    return functional.interpolate(mask.to(like.dtype), size, mode="nearest-exact") > 0


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    """Cosine of (N, C, h, w) along C in single precision; half the passes of torch's own."""
    one, other = first.float(), second.float()
    lengths = (one * one).sum(1) * (other * other).sum(1)
    return (one * other).sum(1) * lengths.clamp_min(1e-16).rsqrt()
