"""The built-in small encoder."""

from torch import Tensor, nn

from dllr.models.blocks import Affine, conv
from dllr.models.encoders.encoder import Encoder


class Residual(nn.Module):
    """Two convolutions around a shortcut (He et al., CVPR 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = conv(inputs, outputs, stride)
        self.second = nn.Sequential(
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), Affine(outputs)
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.active = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.active(self.second(self.first(x)) + self.shortcut(x))
        return out


class Light(Encoder):
    """One residual block a level: learns from random weights on two CPU cores."""

    strides = (2, 4, 8, 16)
    widths = (24, 32, 48, 64)

    def __init__(self, bands: int) -> None:
        super().__init__()
        inputs = (bands, *self.widths[:-1])
        pairs = zip(inputs, self.widths, strict=True)
        self.levels = nn.ModuleList(
            conv(i, o, 2) if n == 0 else Residual(i, o, 2) for n, (i, o) in enumerate(pairs)
        )
