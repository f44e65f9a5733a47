"""A convolutional network after ConvNeXt (Liu et al., CVPR 2022).

What differs: the stem goes to stride 2 and its features are a level of their own, since maps are wanted
at full resolution; strided convolutions overlap, so that any size of image will do.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from dllr.models.encoders.encoder import Encoder

SCALE = (
    0.1  # of a block's contribution at first, for networks this shallow (Touvron et al., ICCV 2021)
)


class Norm(nn.Module):
    """Layer normalisation over the channels of each place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same; fast where channels come last in memory."""
        last = functional.layer_norm(
            x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias
        )
        return last.permute(0, 3, 1, 2)


class Block(nn.Module):
    """7×7 convolution of each channel, then two layers across channels, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = Norm(width)
        self.widen = nn.Conv2d(width, 4 * width, 1)
        self.active = nn.GELU()
        self.narrow = nn.Conv2d(4 * width, width, 1)
        self.scale = nn.Parameter(torch.full((width, 1, 1), SCALE))

    def forward(self, x: Tensor) -> Tensor:
        y = self.narrow(self.active(self.widen(self.norm(self.spread(x)))))
        out: Tensor = x + self.scale * y
        return out


class ConvNeXtPico(Encoder):
    """Stem at stride 2, then four stages at strides 4 to 32, narrow and shallow."""

    strides = (2, 4, 8, 16, 32)
    widths = (32, 64, 128, 256, 512)
    depths = (0, 2, 2, 6, 2)  # blocks a level

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        inputs = bands
        for width, depth in zip(self.widths, self.depths, strict=True):
            thin = nn.Conv2d(inputs, width, 3, 2, 1)
            blocks = (Block(width) for _ in range(depth))
            self.levels.append(nn.Sequential(thin, Norm(width), *blocks))
            inputs = width
