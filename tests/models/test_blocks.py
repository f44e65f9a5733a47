"""What the network is made of: scales that are set from data, and places that are mapped by what is near."""

import pytest
import torch
from torch import Tensor, nn

from dllr.models.blocks import Affine, conv, settle
from dllr.models.fusion import FUSIONS
from dllr.models.network import Network

BANDS = 4, 1


def network(encoder: str = "light", fusion: str = "difference") -> Network:
    torch.manual_seed(0)
    return Network(encoder, 8, *BANDS, classes=3, fusion=fusion)


def windows(count: int = 3, side: int = 64) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    optical, sar = (5 * torch.randn(count, b, side, side) + 3 for b in BANDS)
    return optical, sar, torch.ones(count, 2, side, side, dtype=torch.bool)


def outputs(network: nn.Module, *images: Tensor) -> dict[str, Tensor]:
    """Of every scale and offset, by name."""
    found: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_hook(lambda _, __, out, name=name: found.update({name: out.clone()}))
        for name, layer in network.named_modules()
        if isinstance(layer, Affine)
    ]
    with torch.no_grad():
        network(*images)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_channel_leaves_with_mean_0_and_deviation_1(fusion: str) -> None:
    made, images = network(fusion=fusion), windows()
    made.settle(*images)
    found = outputs(made, *images)
    assert len(found) >= 2 * 7 + 3 * 3  # of both encoders and of three decoders
    for values in found.values():
        deviation, mean = torch.std_mean(values, (0, 2, 3))
        torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-4, rtol=0)
        torch.testing.assert_close(deviation, torch.ones_like(deviation), atol=1e-3, rtol=0)


def test_without_it_they_fade() -> None:
    found = outputs(network(), *windows())
    assert min(values.std().item() for values in found.values()) < 0.3


def test_what_has_nothing_to_see_stays_as_it_is() -> None:
    made = network()
    optical, sar, valid = windows()
    valid[:, 1] = False
    made.settle(optical, sar, valid)
    assert all(torch.isfinite(weight).all() for weight in made.parameters())
    first = made.encoders[1].levels[0][1]  # type: ignore[index]
    assert isinstance(first, Affine)
    assert (first.weight == 1).all()
    assert (first.bias == 0).all()


def test_scales_that_came_with_weights_stay() -> None:
    made, images = network(), windows()
    before = {name: weight.clone() for name, weight in made.encoders.state_dict().items()}
    made.settle(*images, encoders=False)
    assert all(torch.equal(weight, before[n]) for n, weight in made.encoders.state_dict().items())
    decoded = [out for name, out in outputs(made, *images).items() if name.startswith("decoders")]
    assert decoded
    for values in decoded:
        assert values.std((0, 2, 3)).sub(1).abs().max() < 1e-3


def test_settling_leaves_nothing_behind() -> None:
    layers, data = conv(2, 8), torch.randn(2, 2, 8, 8)
    settle([layers], lambda: layers(data))
    before = {name: weight.clone() for name, weight in layers.state_dict().items()}
    layers(9 * data + 1)
    assert all(torch.equal(weight, before[name]) for name, weight in layers.state_dict().items())
    with pytest.raises(ZeroDivisionError):
        settle([layers], lambda: 1 / 0)
    layers(9 * data + 1)
    assert all(torch.equal(weight, before[name]) for name, weight in layers.state_dict().items())


def test_a_place_is_mapped_by_what_is_near_alone() -> None:
    """So that a map does not hang on how a scene is cut into windows."""
    made = network().eval()
    optical, sar, valid = windows(1, 320)
    made.settle(optical, sar, valid)
    with torch.no_grad():
        before = made(optical, sar, valid)
        optical[..., :64, :64] += 7
        sar[..., :64, :64] -= 7
        after = made(optical, sar, valid)
    for head, logits in before.items():
        assert not torch.equal(after[head][..., :64, :64], logits[..., :64, :64])
        torch.testing.assert_close(after[head][..., 192:, 192:], logits[..., 192:, 192:])
