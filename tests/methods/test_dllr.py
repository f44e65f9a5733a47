"""The parts of the method: who teaches whom, what, and how strongly."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dllr.augmentation import cutmix
from dllr.methods.dllr import across, modalities, smoothed, under_masks
from dllr.models.network import Features
from dllr.training.losses import WEIGHTS

N, K, SIDE = 2, 3, 8
SEEN = torch.ones(N, 2, SIDE, SIDE, dtype=torch.bool)


def said(*shares: float) -> Tensor:
    """The same probabilities in every pixel."""
    return torch.tensor(shares)[None, :, None, None].expand(N, K, SIDE, SIDE).contiguous()


def logits() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {head: torch.randn(N, K, SIDE, SIDE, requires_grad=True) for head in WEIGHTS}


def apart(value: float) -> Tensor:
    return torch.full((N, SIDE, SIDE), value)


def test_where_all_are_sure_of_one_class_it_is_the_label_of_every_head() -> None:
    z = logits()
    sure = dict.fromkeys(WEIGHTS, said(1.0, 0.0, 0.0))
    label = torch.zeros(N, SIDE, SIDE, dtype=torch.long)
    wanted = sum(w * functional.cross_entropy(z[h], label) for h, w in WEIGHTS.items())
    torch.testing.assert_close(across(z, sure, apart(0.0), SEEN, SEEN), wanted)


def test_what_is_contested_stays_soft_and_counts_the_less_the_more_they_differ() -> None:
    z = logits()
    target = {
        "optical": said(0.9, 0.1, 0.0),
        "sar": said(0.1, 0.9, 0.0),
        "fused": said(0.5, 0.5, 0.0),
    }
    near, far = (across(z, target, apart(d), SEEN, SEEN) for d in (0.0, 0.5))
    torch.testing.assert_close(far, near * math.exp(-1))
    # The fused head learns the even mixture: its loss is least where it says just that.
    even = {h: (said(0.5, 0.5, 0.0) + 1e-9).log().requires_grad_() for h in WEIGHTS}
    gradient = torch.autograd.grad(across(even, target, apart(0.0), SEEN, SEEN), even["fused"])[0]
    assert gradient.abs().max() < 1e-6


def test_a_modality_without_data_has_no_say_and_nothing_to_learn() -> None:
    z = logits()
    blind = SEEN.clone()
    blind[:, 0] = False
    target = {
        "optical": said(1.0, 0.0, 0.0),
        "sar": said(0.0, 1.0, 0.0),
        "fused": said(0.0, 1.0, 0.0),
    }
    label = torch.ones(N, SIDE, SIDE, dtype=torch.long)
    found = across(z, target, apart(1.0), blind, blind)
    wanted = sum(WEIGHTS[h] * functional.cross_entropy(z[h], label) for h in ("sar", "fused"))
    torch.testing.assert_close(found, wanted)
    assert not torch.autograd.grad(found, z["optical"])[0].any()


def test_what_is_hidden_from_the_student_has_its_say_by_the_teacher_who_saw_it() -> None:
    z = logits()
    hidden = SEEN.clone()
    hidden[:, 0] = False
    sure, unsure = said(1.0, 0.0, 0.0), said(0.2, 0.4, 0.4)
    target = {"optical": sure, "sar": unsure, "fused": unsure}
    label = torch.zeros(N, SIDE, SIDE, dtype=torch.long)
    found = torch.autograd.grad(across(z, target, apart(0.0), hidden, SEEN), list(z.values()))
    assert not found[1].any()  # hidden from the optical head, which has nothing to learn from
    towards = torch.autograd.grad(functional.cross_entropy(z["sar"], label), z["sar"])[0]
    assert (functional.cosine_similarity(found[2].flatten(), towards.flatten(), dim=0)) > 0.5


@pytest.mark.parametrize(("pupil", "teacher"), [("optical", "sar"), ("sar", "optical")])
def test_the_surer_modality_teaches_the_other_and_learns_nothing(pupil: str, teacher: str) -> None:
    z = logits()
    target = {pupil: said(0.4, 0.3, 0.3), teacher: said(0.98, 0.01, 0.01), "fused": said(1, 0, 0)}
    loss = modalities(z, target, SEEN)
    taught, own = torch.autograd.grad(loss, [z[pupil], z[teacher]], allow_unused=True)
    assert (taught[:, 0] < 0).all()  # more of the class that the surer one sees
    assert not own.any()


def test_modalities_as_sure_as_one_another_teach_nothing() -> None:
    z = logits()
    target = {"optical": said(0.8, 0.1, 0.1), "sar": said(0.1, 0.8, 0.1), "fused": said(1, 0, 0)}
    assert modalities(z, target, SEEN).item() == 0


def test_smoothing_is_a_mean_over_three_by_three_pixels() -> None:
    values = torch.rand(N, K, SIDE, SIDE)
    inside = functional.avg_pool2d(values, 3, 1)
    torch.testing.assert_close(smoothed(values)[..., 1:-1, 1:-1], inside)
    torch.testing.assert_close(smoothed(said(0.2, 0.3, 0.5)), said(0.2, 0.3, 0.5))


def features(*levels: Tensor) -> Features:
    both = list(levels)
    return Features(both, both, both, both, both, None)


def test_features_under_masks_shall_be_those_of_who_sees_them() -> None:
    torch.manual_seed(1)
    whole = [torch.randn(N, 6, s, s) for s in (4, 2)]
    boxes = cutmix.Boxes(torch.zeros(N, SIDE, SIDE, dtype=torch.bool), torch.tensor([1, 0]))
    hidden = torch.zeros(2 * N, 2, SIDE, SIDE, dtype=torch.bool)
    same = features(*(torch.cat([torch.randn_like(f), 3 * f]) for f in whole))
    other = features(*(torch.cat([f, -f]) for f in whole))
    assert under_masks(other, features(*whole), boxes, hidden, N).item() == 0  # nothing is hidden
    hidden[N:, 0, :4] = True
    assert under_masks(same, features(*whole), boxes, hidden, N).abs() < 1e-6
    # Opposite in all of one modality's hidden places, and of the other's none are hidden.
    assert under_masks(other, features(*whole), boxes, hidden, N).item() == pytest.approx(2 / 2)
    boxes = boxes._replace(inside=torch.ones_like(boxes.inside))
    swapped = features(*(torch.cat([f, f.flip(0)]) for f in whole))
    assert under_masks(swapped, features(*whole), boxes, hidden, N).abs() < 1e-6
