"""Weights from elsewhere fill both encoders whole, or are refused with what does not fit."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dllr.errors import TrainingError
from dllr.models.blocks import Affine
from dllr.models.encoders import ENCODERS, TIMM, make, module
from dllr.models.network import Network
from dllr.models.weights import adapted, load_weights

RESIDUAL = ["resnet18", "resnet50"]
HAS_TIMM = importlib.util.find_spec("timm") is not None


def network(encoder: str = "resnet18", optical: int = 4, sar: int = 1) -> Network:
    torch.manual_seed(0)
    return Network(encoder, 8, optical, sar, 3)


def with_batch_normalisation(encoder: nn.Module) -> nn.Module:
    """The network that published weights are of: batch normalisation at the places of scales and offsets,
    after it has seen something."""
    for name, part in list(encoder.named_modules()):
        if isinstance(part, Affine):
            norm = nn.BatchNorm2d(len(part.weight))
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias)
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.2, 3)
            parent, _, last = name.rpartition(".")
            encoder.get_submodule(parent).add_module(last, norm)
    return encoder.eval()


def published(encoder: str = "resnet18", bands: int = 3) -> dict[str, Tensor]:
    torch.manual_seed(1)
    made = make(encoder, bands)
    return (with_batch_normalisation(made) if encoder in RESIDUAL else made).state_dict()


def saved(folder: Path, state: Any) -> Path:
    torch.save(state, folder / "weights.pt")
    return folder / "weights.pt"


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("wrapped", [False, True])
def test_both_encoders_take_all_weights(encoder: str, wrapped: bool, tmp_path: Path) -> None:
    net, state = network(encoder), published(encoder)
    file = saved(tmp_path, {"state_dict": state, "epoch": 3} if wrapped else state)
    load_weights(net, file)
    first = next(iter(state))
    for part, bands in zip(net.encoders, (4, 1), strict=True):
        own = part.state_dict()
        norms = [n for n, layer in part.named_modules() if isinstance(layer, Affine)]
        changed = norms if encoder in RESIDUAL else []  # folded: see the next test
        assert own.keys() <= state.keys()
        assert all(
            torch.equal(own[name], state[name])
            for name in own
            if name != first and name.rpartition(".")[0] not in changed
        )
        assert torch.equal(own[first], adapted(state[first], bands))


@pytest.mark.parametrize("encoder", RESIDUAL)
def test_batch_normalisation_in_published_weights_becomes_part_of_the_scales(
    encoder: str, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    whole = with_batch_normalisation(make(encoder, 4))
    state = whole.state_dict() | {"fc.weight": torch.zeros(10, 512), "fc.bias": torch.zeros(10)}
    net = network(encoder)
    load_weights(net, saved(tmp_path, state))
    x = torch.randn(2, 4, 64, 64)
    with torch.no_grad():
        pairs = zip(net.encoders[0](x), whole(x), strict=True)
        for found, wanted in pairs:
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * wanted.std().item())


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 7, 12])
def test_a_grey_image_passes_an_adapted_convolution_as_before(bands: int) -> None:
    torch.manual_seed(0)
    weight = torch.randn(5, 1, 3, 3).repeat(1, 3, 1, 1)
    found = adapted(weight, bands)
    assert found.shape == (5, bands, 3, 3)
    assert torch.allclose(found.sum(1), weight.sum(1), atol=1e-5)


def test_adapted_weights_are_the_files_in_turn_or_their_mean() -> None:
    weight = torch.randn(2, 3, 1, 1)
    assert torch.equal(adapted(weight, 3), weight)
    assert torch.allclose(adapted(weight, 4)[:, 3], weight[:, 0] * 3 / 4)
    assert torch.allclose(adapted(weight, 4)[:, 1], weight[:, 1] * 3 / 4)
    assert torch.allclose(adapted(weight, 2)[:, 1], weight.mean(1) * 3 / 2)


def test_a_classifier_in_the_file_is_left_out(tmp_path: Path) -> None:
    state = published() | {"fc.weight": torch.zeros(10, 512), "fc.bias": torch.zeros(10)}
    net = network()
    load_weights(net, saved(tmp_path, state))
    name = "layer4.1.conv2.weight"
    assert torch.equal(net.encoders[0].state_dict()[name], state[name])


def _without(state: dict[str, Tensor]) -> Any:
    return {name: weight for name, weight in state.items() if name != "layer1.0.conv1.weight"}


def _of_group_normalisation(state: dict[str, Tensor]) -> Any:
    return {name: w for name, w in state.items() if "running" not in name and "num_" not in name}


def _with_statistics_of_another_shape(state: dict[str, Tensor]) -> Any:
    wide = torch.ones(128)
    return state | {"bn1.running_mean": wide, "bn1.running_var": wide}


def _of_another_shape(state: dict[str, Tensor]) -> Any:
    return state | {"bn1.bias": torch.zeros(32)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_without, "missing: layer1.0.conv1.weight"),
        (_of_group_normalisation, "without statistics of batch normalisation: bn1, layer1"),
        (_with_statistics_of_another_shape, "unknown: bn1.running_mean, bn1.running_var"),
        (_of_another_shape, "of another shape: bn1.bias"),
        (lambda _: published("light"), r"missing: conv1.weight, .* and \d+ more; unknown: levels"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_filled(
    change: Any, words: str, tmp_path: Path
) -> None:
    net = network()
    before = {name: weight.clone() for name, weight in net.state_dict().items()}
    with pytest.raises(TrainingError, match=rf"weights\.pt.*resnet18.*{words}"):
        load_weights(net, saved(tmp_path, change(published())))
    assert all(torch.equal(weight, before[name]) for name, weight in net.state_dict().items())


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, torch.zeros(3)])
def test_a_file_of_something_else_is_refused(content: Any, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no weights by name"):
        load_weights(network("light"), saved(tmp_path, content))


def test_a_file_that_is_missing_or_broken_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="does not exist.*weights: null"):
        load_weights(network("light"), tmp_path / "none.pt")
    (tmp_path / "broken.pt").write_bytes(b"\x80\x04cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(TrainingError, match=r"broken\.pt.*cannot be read as weights"):
        load_weights(network("light"), tmp_path / "broken.pt")


def test_an_unknown_encoder_is_named_with_those_there_are() -> None:
    with pytest.raises(TrainingError, match="no encoder `resnet19`.*resnet18.*timm:NAME"):
        make("resnet19", 3)


def test_without_timm_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(TrainingError, match=r"pip install 'dllr\[models\]'"):
        make("timm:resnet18", 3)


def test_code_of_an_encoder_is_found_by_its_name() -> None:
    for name in [*ENCODERS, f"{TIMM}resnet18"]:
        assert importlib.util.find_spec(module(name)) is not None
    assert module("resnet50") == "dllr.models.encoders.resnet"
    assert module("timm:resnet50") == "dllr.models.encoders.timm"


# An extra of its own: its torchvision does not import beside a CPU build of torch.
@pytest.mark.skipif(not HAS_TIMM, reason="timm is not installed (pip install 'dllr[models]')")
class TestTimm:
    def test_an_unknown_name_is_refused(self) -> None:
        with pytest.raises(TrainingError, match="timm has no encoder `nonsense`"):
            make("timm:nonsense", 3)

    @pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "mobilenetv3_small_050"])
    def test_weights_of_the_whole_network_fill_the_encoders(
        self, name: str, tmp_path: Path
    ) -> None:
        import timm

        torch.manual_seed(1)
        whole = timm.create_model(name, in_chans=4)
        net = network(f"timm:{name}")
        load_weights(net, saved(tmp_path, whole.state_dict()))
        x = torch.randn(1, 4, 64, 64)
        cut = timm.create_model(name, in_chans=4, features_only=True).eval()
        wanted = {k.replace(".", "_"): v for k, v in whole.state_dict().items()}
        cut.load_state_dict({k: wanted[k.replace(".", "_")] for k in cut.state_dict()})
        found = net.encoders[0].eval()(x)
        assert all(torch.equal(a, b) for a, b in zip(found, cut(x), strict=True))
        with pytest.raises(TrainingError, match="unknown: stranger"):
            load_weights(net, saved(tmp_path, whole.state_dict() | {"stranger": torch.zeros(1)}))

    def test_statistics_of_batches_stay_as_they_were_loaded(self) -> None:
        encoder = make("timm:resnet18", 3).train()
        before = {name: b.clone() for name, b in encoder.named_buffers()}
        encoder(torch.randn(2, 3, 64, 64) + 5)
        assert all(torch.equal(b, before[name]) for name, b in encoder.named_buffers())
