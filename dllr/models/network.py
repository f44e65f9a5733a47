"""The network: two encoders that share nothing, an exchange guided by their difference, three heads."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dllr.models.encoders import ENCODERS, LEVELS, conv

HEADS = ("fused", "optical", "sar")


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

    def forward(self, optical: Tensor, sar: Tensor, valid: Tensor) -> Tensor:
        """Features (N, C, h, w) of both and shares of valid pixels (N, 2, h, w) → (N, C, h, w)."""
        v_o, v_s = valid[:, :1], valid[:, 1:]
        optical, sar = optical * v_o, sar * v_s
        difference = (self.norm[0](optical) - self.norm[1](sar)).abs() * v_o * v_s
        g_o = torch.sigmoid(self.gate[0](torch.cat([difference, optical, v_s], 1)))
        g_s = torch.sigmoid(self.gate[1](torch.cat([difference, sar, v_o], 1)))
        mixed = [optical + g_o * sar, sar + g_s * optical, difference]
        out: Tensor = self.fuse(torch.cat(mixed, 1))
        return out


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

    def forward(self, optical: Tensor, sar: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """Normalised bands (N, B, H, W) and validity (N, 2, H, W) → logits (N, K, H, W) by head."""
        size = (optical.shape[-2], optical.shape[-1])
        valid = valid.to(optical.dtype)
        features = [
            self._levels(0, optical * valid[:, :1]),
            self._levels(1, sar * valid[:, 1:]),
        ]
        shares = [
            functional.adaptive_avg_pool2d(valid, (f.shape[-2], f.shape[-1])) for f in features[0]
        ]
        fused = [g(o, s, v) for g, o, s, v in zip(self.gates, *features, shares, strict=True)]
        inputs = dict(zip(HEADS, (fused, *features), strict=True))
        return {head: self.decoders[head](inputs[head], size) for head in HEADS}

    def _levels(self, modality: int, x: Tensor) -> list[Tensor]:
        levels: list[Tensor] = self.encoders[modality](x)
        projections: nn.ModuleList = self.project[modality]  # type: ignore[assignment]
        return [project(f) for project, f in zip(projections, levels, strict=True)]
