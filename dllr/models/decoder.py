"""From features at several strides to a map at full resolution."""

from torch import Tensor, nn
from torch.nn import functional

from dllr.models.blocks import conv


class Decoder(nn.Module):
    """Levels summed from the coarsest to the finest (Lin et al., CVPR 2017), then classified."""

    def __init__(self, width: int, classes: int, levels: int) -> None:
        super().__init__()
        self.smooth = nn.ModuleList(conv(width, width) for _ in range(levels - 1))
        self.classify = nn.Conv2d(width, classes, 1)

    def forward(self, features: list[Tensor], size: tuple[int, int]) -> Tensor:
        """(N, width, h, w) a level, from the finest to the coarsest → logits (N, classes, *size)."""
        x = features[-1]
        for finer, smooth in zip(reversed(features[:-1]), self.smooth, strict=True):
            x = functional.interpolate(
                x, size=finer.shape[-2:], mode="bilinear", align_corners=False
            )
            x = smooth(x + finer)
        # Class by class from here on, as losses read it: a few classes are too short a last axis.
        logits = self.classify(x).contiguous()
        return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
