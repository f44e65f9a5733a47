"""The network: two encoders that share nothing, an exchange guided by their difference, three heads."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from dllr.models.encoders import ENCODERS, LEVELS, conv

HEADS = ("fused", "optical", "sar")


class Exchange(NamedTuple):
    """What a fusion makes of one level: fused features, each modality after the exchange, all
    (N, C, h, w), and the mean of its gates; None where it has none."""

    fused: Tensor
    optical: Tensor
    sar: Tensor
    gate: Tensor | None


class Features(NamedTuple):
    """Levels from the finest to the coarsest, before the exchange and after it; the mean gate."""

    optical: list[Tensor]
    sar: list[Tensor]
    exchanged_optical: list[Tensor]
    exchanged_sar: list[Tensor]
    fused: list[Tensor]
    gate: Tensor | None


class DifferenceGate(nn.Module):
    """Exchange between both modalities at one level, where and as far as they differ.

    D = |LN(F_o) − LN(F_s)|, g_o = σ(conv[D, F_o]), F̃_o = F_o + g_o · v_s · F_s, likewise for SAR, and
    F_f = conv[F̃_o, F̃_s, D]; v is 1 where the modality has data, so a missing one contributes nothing.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.ModuleList(nn.GroupNorm(1, width) for _ in range(2))
        self.gate = nn.ModuleList(nn.Conv2d(2 * width + 1, width, 1) for _ in range(2))
        self.fuse = conv(3 * width, width, kernel=1)

    def forward(self, optical: Tensor, sar: Tensor, valid: Tensor) -> Exchange:
        """Features (N, C, h, w) of both modalities and shares of valid pixels (N, 2, h, w)."""
        v_o, v_s = valid[:, :1], valid[:, 1:]
        optical, sar = optical * v_o, sar * v_s
        difference = (self.norm[0](optical) - self.norm[1](sar)).abs() * v_o * v_s
        g_o = torch.sigmoid(self.gate[0](torch.cat([difference, optical, v_s], 1)))
        g_s = torch.sigmoid(self.gate[1](torch.cat([difference, sar, v_o], 1)))
        from_sar, from_optical = optical + g_o * sar, sar + g_s * optical
        fused = self.fuse(torch.cat([from_sar, from_optical, difference], 1))
        return Exchange(fused, from_sar, from_optical, (g_o.mean() + g_s.mean()) / 2)


class Decoder(nn.Module):
    """Levels summed from the coarsest to the finest (Lin et al., CVPR 2017), then classified."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.smooth = nn.ModuleList(conv(width, width) for _ in range(LEVELS - 1))
        self.classify = nn.Conv2d(width, classes, 1)

    def forward(self, features: list[Tensor], size: tuple[int, int]) -> Tensor:
        x = features[-1]
        for finer, smooth in zip(reversed(features[:-1]), self.smooth, strict=True):
            x = functional.interpolate(
                x, size=finer.shape[-2:], mode="bilinear", align_corners=False
            )
            x = smooth(x + finer)
        return functional.interpolate(
            self.classify(x), size=size, mode="bilinear", align_corners=False
        )


class Network(nn.Module):
    """Optical, SAR and fused maps of a scene's window.

    The optical and SAR heads read features before the exchange: each maps a scene whose other
    modality is missing, and the heads stay independent views of a pixel.
    """

    def __init__(
        self, encoder: str, width: int, optical_bands: int, sar_bands: int, classes: int
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "encoder": encoder, "width": width, "optical_bands": optical_bands,
            "sar_bands": sar_bands, "classes": classes,
        }  # fmt: skip
        self.encoders = nn.ModuleList(
            ENCODERS[encoder](bands) for bands in (optical_bands, sar_bands)
        )
        widths: tuple[int, ...] = tuple(self.encoders[0].widths)  # type: ignore[arg-type]
        self.project = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(w, width, 1) for w in widths) for _ in range(2)
        )
        self.gates = nn.ModuleList(DifferenceGate(width) for _ in widths)
        self.decoders = nn.ModuleDict({head: Decoder(width, classes) for head in HEADS})
        self.fill = nn.ParameterList(torch.zeros(b, 1, 1) for b in (optical_bands, sar_bands))

    def forward(
        self, optical: Tensor, sar: Tensor, valid: Tensor, hidden: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Normalised bands (N, B, H, W), validity and hidden pixels (N, 2, H, W) → logits by head."""
        size = (optical.shape[-2], optical.shape[-1])
        return self.decode(self.encode(optical, sar, valid, hidden), size)

    def encode(
        self, optical: Tensor, sar: Tensor, valid: Tensor, hidden: Tensor | None = None
    ) -> Features:
        """hidden (N, 2, H, W) bool: pixels of a modality that are masked on purpose. A learned value
        stands there, and they stay valid; None = nothing is masked."""
        if hidden is not None:
            optical = torch.where(hidden[:, :1], self.fill[0].to(optical.dtype), optical)
            sar = torch.where(hidden[:, 1:], self.fill[1].to(sar.dtype), sar)
        valid = valid.to(optical.dtype)
        features = [
            self._levels(0, optical * valid[:, :1]),
            self._levels(1, sar * valid[:, 1:]),
        ]
        shares = [
            functional.adaptive_avg_pool2d(valid, (f.shape[-2], f.shape[-1])) for f in features[0]
        ]
        levels = [g(o, s, v) for g, o, s, v in zip(self.gates, *features, shares, strict=True)]
        fused, from_optical, from_sar, gates = (list(part) for part in zip(*levels, strict=True))
        return Features(
            features[0], features[1], from_optical, from_sar, fused, torch.stack(gates).mean()
        )

    def decode(
        self, features: Features, size: tuple[int, int], heads: tuple[str, ...] = HEADS
    ) -> dict[str, Tensor]:
        """Logits (N, K, H, W) by head, size = (H, W)."""
        return {head: self.decoders[head](getattr(features, head), size) for head in heads}

    def _levels(self, modality: int, x: Tensor) -> list[Tensor]:
        levels: list[Tensor] = self.encoders[modality](x)
        projections: nn.ModuleList = self.project[modality]  # type: ignore[assignment]
        return [project(f) for project, f in zip(projections, levels, strict=True)]
