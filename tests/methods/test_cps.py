"""The second network of cross pseudo-supervision."""

import torch

from dllr.methods.cps import CPS
from dllr.models.blocks import Affine
from dllr.models.network import Network


def test_its_decoders_are_drawn_anew_and_all_else_is_the_first_ones() -> None:
    torch.manual_seed(0)
    first = Network("light", 8, 4, 1, 3)
    with torch.no_grad():
        for weight in first.parameters():
            weight.add_(1)
    method = CPS(1.0)
    method.begin(first)
    second = dict(method.second.named_parameters())
    for name, weight in first.named_parameters():
        assert torch.equal(second[name], weight) != name.startswith("decoders."), name
    for part in method.second.decoders.modules():
        if isinstance(part, Affine):
            assert (part.weight == 1).all()
            assert (part.bias == 0).all()
