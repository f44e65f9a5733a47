"""Residual networks (He et al., CVPR 2016), a scale and an offset where they have batch normalisation.

Batches are small and half of one may be empty, so statistics of a batch mean little. Modules have the
names that published weights use: `bn1` is an `Affine`, which those weights' statistics become part of.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from dllr.models.blocks import Affine
from dllr.models.encoders.encoder import Encoder


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), Affine(outputs))


class Basic(nn.Module):
    """Two 3×3 convolutions around a shortcut."""

    growth = 1  # channels out over `width`

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = Affine(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = Affine(width)
        self.downsample = _shortcut(inputs, width, stride)
        self.active = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.active(self.bn1(self.conv1(x)))
        out: Tensor = self.active(self.bn2(self.conv2(y)) + self.downsample(x))
        return out


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions around a shortcut, the stride in the middle one."""

    growth = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.growth
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = Affine(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = Affine(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = Affine(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)
        self.active = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.active(self.bn1(self.conv1(x)))
        y = self.active(self.bn2(self.conv2(y)))
        out: Tensor = self.active(self.bn3(self.conv3(y)) + self.downsample(x))
        return out


class ResNet(Encoder):
    """Stem at stride 2, then four stages at strides 4 to 32; `depths` blocks a stage."""

    strides = (2, 4, 8, 16, 32)
    in_place_of_batch_normalisation = True
    block: type[Basic] | type[Bottleneck]
    depths: Sequence[int]

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(bands, 64, 7, 2, 3, bias=False)
        self.bn1 = Affine(64)
        self.active = nn.ReLU(inplace=True)
        self.thin = nn.MaxPool2d(3, 2, 1)
        inputs = 64
        for n, depth in enumerate(self.depths):
            width, blocks = 64 << n, []
            for place in range(depth):
                stride = 2 if n > 0 and place == 0 else 1
                blocks.append(self.block(inputs, width, stride))
                inputs = width * self.block.growth
            self.add_module(f"layer{n + 1}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [self.active(self.bn1(self.conv1(x)))]
        x = self.thin(features[0])
        for n in range(len(self.depths)):
            x = self.get_submodule(f"layer{n + 1}")(x)
            features.append(x)
        return features


class ResNet18(ResNet):
    block, depths = Basic, (2, 2, 2, 2)
    widths = (64, 64, 128, 256, 512)


class ResNet50(ResNet):
    block, depths = Bottleneck, (3, 4, 6, 3)
    widths = (64, 256, 512, 1024, 2048)
