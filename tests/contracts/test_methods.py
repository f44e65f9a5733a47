"""What every method keeps, whichever it is."""

from typing import get_args

import pytest
import torch

from dllr.methods import METHODS, make
from dllr.models.network import HEADS, Network
from dllr.params.train_round import TrainRound
from dllr.training.samples import Labelled, PseudoLabelled, Views

N, K, SIDE = 2, 3, 32


def network() -> Network:
    torch.manual_seed(0)
    return Network("light", 8, 3, 2, K)


def views(seed: int) -> Views:
    dice = torch.Generator().manual_seed(seed)
    return Views(
        torch.randn(N, 3, SIDE, SIDE, generator=dice),
        torch.randn(N, 2, SIDE, SIDE, generator=dice),
        torch.ones(N, 2, SIDE, SIDE, dtype=torch.bool),
    )


def samples(ignored: bool = False) -> tuple[Labelled, PseudoLabelled]:
    dice = torch.Generator().manual_seed(5)
    label = torch.randint(K, (N, SIDE, SIDE), generator=dice)
    label = torch.full_like(label, 255) if ignored else label
    weight = torch.zeros(N, SIDE, SIDE) if ignored else torch.ones(N, SIDE, SIDE)
    return Labelled(views(1), label), PseudoLabelled(views(2), label, weight)


def loss(name: str, net: Network, ignored: bool = False) -> dict[str, torch.Tensor]:
    return make(name, 1.0).loss(net, *samples(ignored), torch.Generator().manual_seed(3))


def test_params_offer_just_the_methods_there_are() -> None:
    assert set(get_args(TrainRound.model_fields["method"].annotation)) == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
class TestEveryMethod:
    def test_loss_is_finite_and_reaches_every_head(self, name: str) -> None:
        net = network()
        parts = loss(name, net)
        assert set(parts) == {"loss", "supervised", "unlabelled"}
        assert all(torch.isfinite(part).all() for part in parts.values())
        parts["loss"].backward()
        for head in HEADS:
            gradients = [p.grad for p in net.decoders[head].parameters()]
            assert any(g is not None and g.abs().sum() > 0 for g in gradients)

    def test_nothing_known_means_exactly_no_loss(self, name: str) -> None:
        net = network()
        parts = loss(name, net, ignored=True)
        assert parts["loss"].item() == 0
        parts["loss"].backward()
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())

    def test_same_dice_same_loss_and_inputs_unchanged(self, name: str) -> None:
        net, before = network(), samples()[0].views.optical.clone()
        assert loss(name, net)["loss"] == loss(name, net)["loss"]
        assert torch.equal(samples()[0].views.optical, before)


def test_pseudo_labels_of_no_weight_teach_nothing() -> None:
    net = network()
    labelled, unlabelled = samples()
    dice = torch.Generator().manual_seed(3)
    empty = unlabelled._replace(weight=torch.zeros_like(unlabelled.weight))
    parts = make("self_training", 1.0).loss(net, labelled, empty, dice)
    assert parts["unlabelled"].item() == 0
    assert torch.isclose(parts["loss"], parts["supervised"])
