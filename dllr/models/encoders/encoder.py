"""What every encoder is."""

from collections.abc import Sequence

from torch import Tensor, nn


class Encoder(nn.Module):
    """Features at several strides, from the finest to the coarsest: `levels`, one after the other,
    unless an encoder's own `forward` says otherwise."""

    strides: Sequence[int]
    widths: Sequence[int]  # channels
    levels: nn.ModuleList
    # Whether scales and offsets stand where published weights have batch normalisation.
    in_place_of_batch_normalisation = False

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, bands, H, W) → a tensor (N, widths[l], ⌈H/strides[l]⌉, ⌈W/strides[l]⌉) a level."""
        features = []
        for level in self.levels:
            x = level(x)
            features.append(x)
        return features

    def surplus(self, name: str) -> bool:
        """Whether weights of that name belong to a classifier, which published files hold as well."""
        return name.startswith(("fc.", "head."))

    def own_name(self, name: str) -> str:
        """Name that a weight of a published file has in this encoder."""
        return name
