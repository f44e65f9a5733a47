"""How large a network is: its parameters by part, and what a forward pass costs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from dllr.models.network import Network

PARTS = {
    "encoders": "encoders",
    "project": "projections",
    "fusions": "fusion",
    "decoders": "decoders",
    "fill": "fill tokens",
}


class Size(NamedTuple):
    """parameters: by part, in words. flops: floating-point operations (a multiplication and an addition
    are two) of a forward pass of all heads over one window."""

    parameters: dict[str, int]
    flops: int


def size(network: Network, side: int) -> Size:
    """side: px, of the window. The network is not changed; nothing is computed."""
    parameters = {
        words: sum(p.numel() for p in network.get_submodule(part).parameters())
        for part, words in PARTS.items()
    }
    settings = network.settings
    with torch.device("meta"):
        images = [torch.empty(1, settings[f"{m}_bands"], side, side) for m in ("optical", "sar")]
        valid = torch.ones(1, 2, side, side, dtype=torch.bool)
    weights = {name: w.to("meta") for name, w in network.state_dict().items()}
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        torch.func.functional_call(network, weights, (*images, valid))
    return Size(parameters, counter.get_total_flops())


def table(settings: Mapping[str, Any], side: int) -> str:
    """What a person reads of a network of these settings (arguments of `Network`)."""
    found = size(Network(**settings), side)
    gigas = found.flops / 1e9
    rows = [
        ("encoder", settings["encoder"]),
        ("fusion", settings["fusion"]),
        ("width", settings["width"]),
        ("bands", f"{settings['optical_bands']} optical, {settings['sar_bands']} SAR"),
        ("classes", settings["classes"]),
        ("parameters", f"{sum(found.parameters.values()):,}"),
        *((f"  {part}", f"{count:,}") for part, count in found.parameters.items()),
        ("GFLOPs forward", f"{gigas:.3g} for a window of {side} px"),
        ("", f"{gigas / side**2 * 1e6:.3g} for a megapixel"),
    ]
    return "\n".join(f"{name:16}{value}".rstrip() for name, value in rows)
