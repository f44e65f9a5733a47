"""What the network keeps with every encoder and every fusion, whatever is missing."""

import importlib.util
from itertools import product

import pytest
import torch
from torch import Tensor

from dllr.models.encoders import ENCODERS, make
from dllr.models.fusion import FUSIONS
from dllr.models.network import HEADS, Network

SIDE, K, WIDTH = 48, 3, 8  # px: a multiple of 16 that is none of 32
BANDS = ((4, 1), (12, 2), (3, 1), (6, 2))
PRESENCE = ("both", "no SAR", "no optical", "half nodata")
# An extra of its own: its torchvision does not import beside a CPU build of torch.
TIMM = pytest.param(
    "timm:resnet18",
    marks=pytest.mark.skipif(
        not importlib.util.find_spec("timm"),
        reason="timm is not installed (pip install 'dllr[models]')",
    ),
)
NAMES = (*ENCODERS, TIMM)
# Each encoder meets each pair of two among bands, presence and fusion.
CELLS = [
    (bands, presence, list(FUSIONS)[(b + p) % len(FUSIONS)])
    for (b, bands), (p, presence) in product(enumerate(BANDS), enumerate(PRESENCE))
]
Inputs = tuple[Tensor, Tensor, Tensor]


def network(
    name: str, bands: tuple[int, int] = (4, 1), fusion: str = "difference", width: int = WIDTH
) -> Network:
    torch.manual_seed(1)
    return Network(name, width, *bands, K, fusion)


def inputs(bands: tuple[int, int] = (4, 1), presence: str = "both", count: int = 2) -> Inputs:
    dice = torch.Generator().manual_seed(2)
    optical, sar = (torch.randn(count, b, SIDE, SIDE, generator=dice) for b in bands)
    valid = torch.ones(count, 2, SIDE, SIDE, dtype=torch.bool)
    if presence == "no SAR":
        valid[:, 1] = False
    elif presence == "no optical":
        valid[:, 0] = False
    elif presence == "half nodata":
        valid[:, 0, : SIDE // 2] = False
        valid[:, 1, :, : SIDE // 2] = False
    return optical, sar, valid


def spoilt(images: Inputs, where: Tensor, value: float) -> Inputs:
    """Images with another value where `where` (N, 2, H, W) says so."""
    optical, sar, valid = images
    return optical.masked_fill(where[:, :1], value), sar.masked_fill(where[:, 1:], value), valid


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> list[str]:
    return [head for head in before if not torch.equal(before[head], after[head])]


@pytest.mark.parametrize("name", NAMES)
class TestEveryEncoder:
    def test_levels_have_the_strides_and_widths_it_declares(self, name: str) -> None:
        encoder = make(name, 5)
        levels = encoder(torch.randn(2, 5, SIDE, SIDE + 32))
        assert [tuple(f.shape) for f in levels] == [
            (2, width, -(-SIDE // stride), -(-(SIDE + 32) // stride))
            for width, stride in zip(encoder.widths, encoder.strides, strict=True)
        ]
        assert list(encoder.strides) == sorted(encoder.strides)

    @pytest.mark.parametrize(("bands", "presence", "fusion"), CELLS)
    def test_maps_are_whole_and_follow_from_valid_pixels_alone(
        self, name: str, bands: tuple[int, int], presence: str, fusion: str
    ) -> None:
        net, given = network(name, bands, fusion), inputs(bands, presence)
        before = [t.clone() for t in given]
        with torch.no_grad():
            out = net(*given)
            assert {h: tuple(z.shape) for h, z in out.items()} == dict.fromkeys(
                HEADS, (2, K, SIDE, SIDE)
            )
            assert all(torch.isfinite(z).all() for z in out.values())
            assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True))
            assert not changed(out, net(*given))
            assert not changed(out, net(*spoilt(given, ~given[2], float("nan"))))
            assert "fused" in changed(out, net(*spoilt(given, given[2], 0.0)))

    @pytest.mark.parametrize("fusion", FUSIONS)
    def test_heads_teach_the_encoders_they_read(self, name: str, fusion: str) -> None:
        reads = {"optical": [0], "sar": [1], "fused": [0, 1]}
        for head, modalities in reads.items():
            net = network(name, fusion=fusion)
            with torch.no_grad():  # away from zeros that some layers begin with
                for p in net.parameters():
                    p.add_(0.02 * torch.randn_like(p))
            net(*inputs())[head].square().mean().backward()
            touched = [
                [p.grad is not None and bool(p.grad.any()) for p in part.parameters()]
                for part in net.encoders
            ]
            assert [all(t) for t in touched] == [m in modalities for m in range(2)]
            assert [any(t) for t in touched] == [m in modalities for m in range(2)]

    @pytest.mark.parametrize("presence", PRESENCE)
    def test_values_of_hidden_pixels_do_not_matter(self, name: str, presence: str) -> None:
        net, given = network(name), inputs(presence=presence)
        hidden = torch.zeros_like(given[2])
        hidden[:, 0, :16], hidden[:, 1, 16:32] = True, True
        with torch.no_grad():
            masked = net(*given, hidden)
            assert not changed(masked, net(*spoilt(given, hidden, float("nan")), hidden))
            assert changed(masked, net(*given))
            # Hidden on purpose is not missing: there the fill stands, and the fusion counts the place.
            assert "fused" in changed(masked, net(*given[:2], given[2] & ~hidden))
            for fill in net.fill:
                fill.fill_(0.7)
            assert not changed(net(*given, hidden), net(*spoilt(given, hidden, 0.7)))

    def test_nothing_valid_gives_finite_maps_and_gradients(self, name: str) -> None:
        net, (optical, sar, valid) = network(name), inputs()
        out = net(optical, sar, torch.zeros_like(valid))
        assert all(torch.isfinite(z).all() for z in out.values())
        sum(z.square().mean() for z in out.values()).backward()
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())

    def test_samples_of_a_batch_do_not_see_each_other(self, name: str) -> None:
        net, given = network(name), inputs()
        given[2][1] = False
        with torch.no_grad():
            both, alone = net(*given), net(*(t[:1] for t in given))
        for head in HEADS:
            assert torch.allclose(both[head][:1], alone[head], atol=1e-4)

    def test_some_heads_alone_are_the_same(self, name: str) -> None:
        net, given = network(name), inputs(presence="half nodata")
        with torch.no_grad():
            out = net(*given)
            for heads in (("optical",), ("sar",), ("sar", "optical"), ("fused",)):
                some = net(*given, heads=heads)
                assert tuple(some) == heads
                assert not changed(some, out)
            features = net.encode(*given)
            assert not changed(net.decode(features, (SIDE, SIDE), ("sar",)), out)

    def test_weights_are_all_in_the_state(self, name: str) -> None:
        net, given = network(name), inputs()
        torch.manual_seed(9)
        other = Network(**net.settings)
        with torch.no_grad():
            assert set(changed(net(*given), other(*given))) == set(HEADS)
            other.load_state_dict(net.state_dict())
            assert not changed(net(*given), other(*given))


@pytest.mark.parametrize("fusion", FUSIONS)
class TestEveryFusion:
    def features(self) -> Inputs:
        dice = torch.Generator().manual_seed(4)
        optical, sar = (torch.randn(2, WIDTH, 12, 12, generator=dice) for _ in range(2))
        return optical, sar, torch.rand(2, 2, 12, 12, generator=dice)

    @pytest.mark.parametrize("missing", [0, 1])
    def test_what_is_missing_contributes_nothing(self, fusion: str, missing: int) -> None:
        torch.manual_seed(0)
        fuse = FUSIONS[fusion](WIDTH)
        optical, sar, valid = self.features()
        valid[:, missing] *= torch.rand(2, 12, 12) < 0.5
        gone = torch.zeros_like(valid, dtype=torch.bool)
        gone[:, missing] = valid[:, missing] == 0
        before, after = fuse(optical, sar, valid), fuse(*spoilt((optical, sar, valid), gone, 1e4))
        for name in ("fused", "optical", "sar"):
            assert torch.equal(getattr(before, name), getattr(after, name))
        assert (before.gate is None) == (after.gate is None)
        assert before.gate is None or torch.equal(before.gate, after.gate)

    def test_alone_a_modality_stays_as_it_was(self, fusion: str) -> None:
        torch.manual_seed(0)
        optical, sar, valid = self.features()
        valid[:, 1] = 0
        found = FUSIONS[fusion](WIDTH)(optical, sar, valid)
        assert torch.equal(found.optical, optical * valid[:, :1])

    def test_each_modality_reaches_the_fused_features(self, fusion: str) -> None:
        torch.manual_seed(0)
        optical, sar, valid = self.features()
        optical.requires_grad_()
        sar.requires_grad_()
        FUSIONS[fusion](WIDTH)(optical, sar, valid).fused.square().sum().backward()
        assert optical.grad is not None and sar.grad is not None
        assert optical.grad.any() and sar.grad.any()

    def test_the_mean_gate_is_a_share(self, fusion: str) -> None:
        net = network("light", fusion=fusion)
        gate = net.encode(*inputs()).gate
        if fusion in ("concatenation", "sum"):
            assert gate is None
        else:
            assert gate is not None and gate.shape == () and not gate.requires_grad
            assert 0 < gate < 1
            nothing = torch.zeros(2, 2, SIDE, SIDE, dtype=torch.bool)
            assert net.encode(*inputs()[:2], nothing).gate == 0


@pytest.mark.parametrize("fusion", ["difference", "rectification"])
def test_a_gated_exchange_brings_each_modality_something_of_the_other(fusion: str) -> None:
    read = network("light", fusion=fusion).encode(*inputs())
    for before, after in ((read.optical, read.exchanged_optical), (read.sar, read.exchanged_sar)):
        for one, two in zip(before, after, strict=True):
            assert not torch.allclose(one, two)


def test_rectification_takes_maxima_over_what_is_there_alone() -> None:
    """Features that are below 0 everywhere: a place without data, which is 0, is not their largest."""
    torch.manual_seed(0)
    fusion, features = FUSIONS["rectification"](4), -1 - torch.rand(1, 4, 6, 6)
    valid = torch.ones(1, 2, 6, 6)
    valid[:, 1, 0, 0] = 0
    seen: list[torch.Tensor] = []
    channels = fusion.get_submodule("channels")
    channels.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    fusion(features, features, valid)
    means, places = torch.tensor_split(seen[0], 2, 1), features.flatten(2)
    torch.testing.assert_close(means[1], torch.cat([places.amax(2), places[..., 1:].amax(2)], 1))
    torch.testing.assert_close(means[0], torch.cat([places.mean(2), places[..., 1:].mean(2)], 1))
    assert torch.isfinite(fusion(features, features, torch.zeros(1, 2, 6, 6)).fused).all()


def test_the_fill_is_learned_where_pixels_are_hidden() -> None:
    net, given = network("light"), inputs()
    hidden = torch.zeros_like(given[2])
    hidden[:, 0, :16] = True
    net(*given, hidden)["fused"].square().mean().backward()
    gradients = [fill.grad for fill in net.fill]
    assert gradients[0] is not None and (gradients[0] != 0).all()
    assert gradients[1] is None or not gradients[1].any()
