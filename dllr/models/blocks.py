"""Layers that several parts of the network are made of."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

FLAT = 1e-3  # deviation of a channel that has nothing to see yet: it stays as it is


class Affine(nn.Module):
    """Scale and offset of each channel, the same everywhere; `settle` sets them from data.

    In place of a normalisation. Statistics over a window, group normalisation's, take from a place how
    bright its whole window is, which water and forest are told apart by, and make its class hang on what
    else the window holds; those over a batch mean little where half of one may be empty.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As if it were not there."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same."""
        return torch.addcmul(self.bias[:, None, None], x, self.weight[:, None, None])


def conv(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution, scale and offset, ReLU; (N, inputs, H, W) → (N, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        Affine(outputs),
        nn.ReLU(inplace=True),
    )


@torch.no_grad()
def settle(parts: Iterable[nn.Module], forward: Callable[[], Any]) -> None:
    """Set the scales and offsets in parts of a network so that each channel leaves them with mean 0 and
    deviation 1 (Mishkin and Matas, ICLR 2016; Salimans and Kingma, NeurIPS 2016).

    forward: sends data through the network, once; layers are set in the order the data reaches them.
    """

    def before(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(layer, Affine)
        deviation, mean = torch.std_mean(inputs[0].float(), (0, 2, 3))
        scale = torch.where(deviation > FLAT, 1 / deviation, layer.weight)
        layer.weight.copy_(scale)
        layer.bias.copy_(-mean * scale)

    handles = [
        layer.register_forward_pre_hook(before)
        for part in parts
        for layer in part.modules()
        if isinstance(layer, Affine)
    ]
    try:
        forward()
    finally:
        for handle in handles:
            handle.remove()
