"""Convolutions that several parts of the network are made of."""

from torch import nn

GROUPS = 8  # of group normalisation: batches are small, and half of one may be empty


def conv(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution, group normalisation, ReLU; (N, inputs, H, W) → (N, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.GroupNorm(GROUPS, outputs),
        nn.ReLU(inplace=True),
    )
