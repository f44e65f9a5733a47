"""What every method keeps, whichever it is."""

import math
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from dllr.augmentation.radiometry import Radiometry
from dllr.methods import METHODS, make
from dllr.models.checkpoint import frozen
from dllr.models.network import HEADS, Network
from dllr.params.train_round import Dllr, TrainRound
from dllr.training.history import READINGS
from dllr.training.method import Method, Step
from dllr.training.samples import Labelled, PseudoLabelled, Views
from dllr.transport.partial import Aim

N, K, SIDE = 4, 3, 32
BANDS = {"optical": 3, "sar": 2}
PARTS = [
    dict(zip(("masking", "difference", "cross", "labels"), values, strict=True))
    for values in product(*(get_args(Dllr.model_fields["masking"].annotation), (False, True), (False, True), ("written", "refreshed")))
]  # fmt: skip
DEFAULT: dict[str, Any] = {
    "masking": "asymmetric",
    "difference": True,
    "cross": True,
    "labels": "refreshed",
    "temperatures": {"fused": 1.5, "optical": 2.0, "sar": 0.8},
    "aim": Aim(np.array([0.5, 0.3, 0.2]), 0.8, 0.05, math.inf, np.zeros(K + 1)),
}


def network() -> Network:
    torch.manual_seed(0)
    return Network("light", 8, *BANDS.values(), K)


def views(seed: int, absent: str | None = None) -> Views:
    dice = torch.Generator().manual_seed(seed)
    optical, sar = (torch.randn(N, b, SIDE, SIDE, generator=dice) for b in BANDS.values())
    valid = torch.ones(N, 2, SIDE, SIDE, dtype=torch.bool)
    if absent:
        valid[:, list(BANDS).index(absent)] = False
    return Views(optical, sar, valid)


def step(net: Network, ignored: bool = False, absent: str | None = None, weight: float = 1) -> Step:
    dice = torch.Generator().manual_seed(5)
    label = torch.randint(K, (N, SIDE, SIDE), generator=dice)
    seen, more = views(1, absent), views(2, absent)
    if ignored:
        label = torch.full_like(label, 255)
        seen, more = (v._replace(valid=torch.zeros_like(v.valid)) for v in (seen, more))
    guesses = PseudoLabelled(more, label.flip(0), torch.full((N, SIDE, SIDE), weight))
    radiometry = Radiometry(torch.full((BANDS["sar"],), 5.0))
    dice = torch.Generator().manual_seed(3)
    return Step(net, frozen(net), radiometry, Labelled(seen, label), guesses, 1.0, dice)


def method(name: str, net: Network, **parts: Any) -> Method:
    torch.manual_seed(1)
    found = make(name, unlabelled_weight=1.0, threshold=0.0, **(DEFAULT | parts))
    found.begin(net)
    return found


def loss(name: str, net: Network, **given: Any) -> dict[str, Tensor]:
    return method(name, net).loss(step(net, **given))


def test_params_offer_just_the_methods_there_are() -> None:
    assert set(get_args(TrainRound.model_fields["method"].annotation)) == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
class TestEveryMethod:
    def test_loss_is_finite_and_reaches_every_weight(self, name: str) -> None:
        net = network()
        parts = loss(name, net)
        assert {"loss", "supervised", "unlabelled"} <= set(parts) <= {
            "loss", "supervised", "unlabelled", *READINGS,
        }  # fmt: skip
        assert all(part.ndim == 0 and torch.isfinite(part) for part in parts.values())
        assert not any(part.requires_grad for key, part in parts.items() if key != "loss")
        parts["loss"].backward()
        without = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum()]
        assert [n for n in without if not n.startswith("fill")] == []

    def test_a_teacher_gets_no_gradient(self, name: str) -> None:
        net = network()
        given = step(net)
        method(name, net).loss(given)["loss"].backward()
        assert all(p.grad is None for p in given.teacher.parameters())

    def test_nothing_known_means_exactly_no_loss(self, name: str) -> None:
        net = network()
        parts = loss(name, net, ignored=True)
        assert parts["loss"].item() == 0
        parts["loss"].backward()
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())

    @pytest.mark.parametrize("absent", BANDS)
    def test_an_absent_modality_leaves_a_finite_loss_and_its_encoder_alone(
        self, name: str, absent: str
    ) -> None:
        net = network()
        parts = loss(name, net, absent=absent)
        assert all(torch.isfinite(part) for part in parts.values())
        parts["loss"].backward()
        head = net.decoders[absent]
        assert all(p.grad is None or not p.grad.abs().sum() for p in head.parameters())
        for other in set(HEADS) - {absent}:
            assert any(p.grad.abs().sum() > 0 for p in net.decoders[other].parameters())

    def test_same_dice_same_loss_and_inputs_unchanged(self, name: str) -> None:
        net = network()
        given = step(net)
        before = [t.clone() for t in (*given.labelled.views, *given.unlabelled.views)]  # type: ignore[union-attr]
        first = method(name, net).loss(given)["loss"]
        assert first == loss(name, net)["loss"]
        after = (*given.labelled.views, *given.unlabelled.views)  # type: ignore[union-attr]
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: "-".join(map(str, parts.values())))
def test_every_choice_of_parts_of_dllr_learns_from_what_it_names(parts: dict[str, Any]) -> None:
    net = network()
    found = method("dllr", net, **parts).loss(step(net))
    assert all(torch.isfinite(part) for part in found.values())
    assert found["unlabelled"] > 0
    assert ("used" in found) == (parts["labels"] == "refreshed")
    found["loss"].backward()
    hidden = parts["masking"] != "none"
    assert all((p.grad is not None and p.grad.abs().sum() > 0) == hidden for p in net.fill)


def test_pseudo_labels_of_no_weight_teach_nothing() -> None:
    parts = loss("self_training", network(), weight=0.0)
    assert parts["unlabelled"].item() == 0
    assert torch.isclose(parts["loss"], parts["supervised"])


def test_unsure_labels_teach_nothing() -> None:
    net = network()
    for name in ("fixmatch", "unimatch"):
        unsure = make(name, unlabelled_weight=1.0, threshold=1.0)
        found = unsure.loss(step(net))
        assert found["unlabelled"] == 0
        assert found["used"] == 0


def test_the_second_network_of_cps_has_scales_from_data() -> None:
    """From the first step's; drawn anew alone, its logits would hardly differ from place to place."""
    net, seen, fresh = network(), views(2), network()
    fresh.settle(*seen)
    spread = {}
    for ramp in (0.0, 1.0):
        method_of = method("cps", net)
        method_of.loss(replace(step(net), ramp=ramp))
        second = method_of.get_submodule("second")
        spread[ramp] = second(*seen)["fused"].std((0, 2, 3)).mean().item()
    wanted = fresh(*seen)["fused"].std((0, 2, 3)).mean().item()
    assert spread[0.0] == pytest.approx(wanted, rel=0.5)
    assert spread[1.0] < 0.5 * wanted
