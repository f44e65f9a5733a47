"""What every encoder is."""

from collections.abc import Sequence

from torch import Tensor, nn


class Encoder(nn.Module):
    """Features at several strides, from the finest to the coarsest."""

    strides: Sequence[int]
    widths: Sequence[int]  # channels

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, bands, H, W) → a tensor (N, widths[l], ⌈H/strides[l]⌉, ⌈W/strides[l]⌉) a level."""
        raise NotImplementedError

    def surplus(self, name: str) -> bool:
        """Whether weights of that name belong to a classifier, which published files hold as well."""
        return name.startswith(("fc.", "head."))

    def own_name(self, name: str) -> str:
        """Name that a weight of a published file has in this encoder."""
        return name
