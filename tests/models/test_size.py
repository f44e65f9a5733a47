"""Sizes agree with a count by hand, and the command prints them for params.yaml."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dllr.cli import main
from dllr.models.encoders import ENCODERS
from dllr.models.fusion import FUSIONS
from dllr.models.network import Network
from dllr.models.size import size
from dllr.params import use

ROOT = Path(__file__).parents[2]


def counted(net: Network, side: int) -> int:
    """Operations of all convolutions and linear layers, from the shapes that pass through them."""
    total = 0

    def count(layer: Any, _: Any, out: Tensor) -> None:
        nonlocal total
        total += 2 * out.numel() * layer.weight[0].numel()

    for part in net.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.register_forward_hook(count)
    images = (torch.zeros(1, net.settings[f"{m}_bands"], side, side) for m in ("optical", "sar"))
    net(*images, torch.ones(1, 2, side, side, dtype=torch.bool))
    return total


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_size_is_that_of_all_parameters_and_layers(encoder: str, fusion: str) -> None:
    net = Network(encoder, 8, 4, 2, 3, fusion)
    found = size(net, 48)
    assert sum(found.parameters.values()) == sum(p.numel() for p in net.parameters())
    assert min(found.parameters.values()) > 0
    assert found.parameters["fill tokens"] == 6
    assert found.flops == counted(net, 48)
    assert all(not p.is_meta for p in net.parameters())


def test_the_light_network_stays_small() -> None:
    found = size(Network("light", 24, 4, 1, 7), 128)
    assert sum(found.parameters.values()) < 330_000
    assert found.flops < 0.4e9


@pytest.mark.parametrize("ratio", [None, "[VV, VH]"])
def test_the_command_counts_the_bands_of_params_yaml(
    ratio: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(ROOT / "params", tmp_path / "params")
    monkeypatch.chdir(tmp_path)
    use.use("terramesh")  # 12 optical bands, VV and VH, 8 classes, windows of 32 px
    file = tmp_path / "params.yaml"
    text = file.read_text()
    assert "ratio: null" in text
    file.write_text(text.replace("ratio: null", f"ratio: {ratio or 'null'}"))
    assert main(["model"]) == 0
    words = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    printed = dict(words[:6])
    sar = 3 if ratio else 2
    total = sum(p.numel() for p in Network("light", 24, 12, sar, 8).parameters())
    assert printed == {
        "encoder": "light", "fusion": "difference", "width": "24", "classes": "8",
        "bands": f"12 optical, {sar} SAR", "parameters": f"{total:,}",
    }  # fmt: skip
    assert words[-2][1].endswith("for a window of 32 px")
