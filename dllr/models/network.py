"""The network: two encoders that share nothing, a fusion at each level, three heads."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from dllr.models import encoders
from dllr.models.blocks import settle
from dllr.models.decoder import Decoder
from dllr.models.fusion import FUSIONS

HEADS = ("fused", "optical", "sar")
_ALONE = {"optical": 0, "sar": 1}  # heads that one modality is enough for


class Features(NamedTuple):
    """Levels (N, width, h, w) from the finest to the coarsest, before the exchange and after it.

    gate: mean of the fusion's gates over the levels, a scalar; None where the fusion has none.
    """

    optical: list[Tensor]
    sar: list[Tensor]
    exchanged_optical: list[Tensor]
    exchanged_sar: list[Tensor]
    fused: list[Tensor]
    gate: Tensor | None


class Network(nn.Module):
    """Optical, SAR and fused maps of a scene's window.

    The optical and SAR heads read features before the exchange: each maps a scene whose other
    modality is missing, and the heads stay independent views of a pixel.
    """

    def __init__(
        self,
        encoder: str,
        width: int,
        optical_bands: int,
        sar_bands: int,
        classes: int,
        fusion: str = "difference",
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "encoder": encoder, "width": width, "optical_bands": optical_bands,
            "sar_bands": sar_bands, "classes": classes, "fusion": fusion,
        }  # fmt: skip
        both = [encoders.make(encoder, bands) for bands in (optical_bands, sar_bands)]
        widths = both[0].widths
        self.encoders = nn.ModuleList(both)
        self.project = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(w, width, 1) for w in widths) for _ in range(2)
        )
        self.fusions = nn.ModuleList(FUSIONS[fusion](width) for _ in widths)
        self.decoders = nn.ModuleDict(
            {head: Decoder(width, classes, len(widths)) for head in HEADS}
        )
        self.fill = nn.ParameterList(torch.zeros(b, 1, 1) for b in (optical_bands, sar_bands))

    def forward(
        self,
        optical: Tensor,
        sar: Tensor,
        valid: Tensor,
        hidden: Tensor | None = None,
        heads: Sequence[str] = HEADS,
    ) -> dict[str, Tensor]:
        """Normalised bands (N, B, H, W), validity and hidden pixels (N, 2, H, W) bool → logits
        (N, K, H, W) by head. Without the fused head only the encoders of the others run."""
        size = (optical.shape[-2], optical.shape[-1])
        if "fused" in heads:
            return self.decode(self.encode(optical, sar, valid, hidden), size, heads)
        alone = {head: self._levels(_ALONE[head], (optical, sar), valid, hidden) for head in heads}
        return {head: self.decoders[head](levels, size) for head, levels in alone.items()}

    def settle(self, optical: Tensor, sar: Tensor, valid: Tensor, *, encoders: bool = True) -> None:
        """Before training: set the scales and offsets of its layers from normalised windows, so that it
        learns from the first step on, without a normalisation inside. encoders: False leaves theirs, which
        came with weights."""
        parts = [self] if encoders else [self.project, self.fusions, self.decoders]
        settle(parts, lambda: self(optical, sar, valid))

    def encode(
        self, optical: Tensor, sar: Tensor, valid: Tensor, hidden: Tensor | None = None
    ) -> Features:
        """hidden (N, 2, H, W) bool: pixels of a modality that are masked on purpose. A learned value
        stands there, and those that were valid stay so; None = nothing is masked."""
        before = [self._levels(m, (optical, sar), valid, hidden) for m in range(2)]
        known = valid.to(optical.dtype)
        shares = [
            functional.adaptive_avg_pool2d(known, (f.shape[-2], f.shape[-1])) for f in before[0]
        ]
        levels = [f(o, s, v) for f, o, s, v in zip(self.fusions, *before, shares, strict=True)]
        fused, from_sar, from_optical, gates = (list(part) for part in zip(*levels, strict=True))
        gate = None if gates[0] is None else torch.stack(gates).mean()
        return Features(before[0], before[1], from_sar, from_optical, fused, gate)

    def decode(
        self, features: Features, size: tuple[int, int], heads: Sequence[str] = HEADS
    ) -> dict[str, Tensor]:
        """Logits (N, K, H, W) by head, size = (H, W)."""
        return {head: self.decoders[head](getattr(features, head), size) for head in heads}

    def _levels(
        self, modality: int, images: tuple[Tensor, Tensor], valid: Tensor, hidden: Tensor | None
    ) -> list[Tensor]:
        x = images[modality]
        if hidden is not None:
            x = torch.where(hidden[:, modality, None], self.fill[modality].to(x.dtype), x)
        levels = self.encoders[modality](torch.where(valid[:, modality, None], x, 0))
        projections: nn.ModuleList = self.project[modality]  # type: ignore[assignment]
        return [project(f) for project, f in zip(projections, levels, strict=True)]
