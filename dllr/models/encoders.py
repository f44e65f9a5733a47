"""Encoders: an image in, features at strides 2, 4, 8 and 16 out. A new one is a class and a line below."""

from collections.abc import Callable

from torch import Tensor, nn

LEVELS = 4  # strides 2, 4, 8, 16
GROUPS = 8  # of group normalisation: batches are small, and half of one may be empty


def conv(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution, group normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.GroupNorm(GROUPS, outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two convolutions around a shortcut (He et al., CVPR 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = conv(inputs, outputs, stride)
        self.second = nn.Sequential(
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.GroupNorm(GROUPS, outputs)
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.active = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.active(self.second(self.first(x)) + self.shortcut(x))
        return out


class Light(nn.Module):
    """One residual block a level: learns from random weights on two CPU cores."""

    widths = (24, 32, 48, 64)

    def __init__(self, bands: int) -> None:
        super().__init__()
        inputs = (bands, *self.widths[:-1])
        pairs = zip(inputs, self.widths, strict=True)
        self.levels = nn.ModuleList(
            conv(i, o, 2) if n == 0 else Residual(i, o, 2) for n, (i, o) in enumerate(pairs)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, bands, H, W) → LEVELS tensors (N, widths[l], H / 2^(l+1), W / 2^(l+1))."""
        features = []
        for level in self.levels:
            x = level(x)
            features.append(x)
        return features


ENCODERS: dict[str, Callable[[int], nn.Module]] = {"light": Light}
