"""How both modalities are brought together at one level. A new fusion is a class and a line below.

Each takes features (N, C, h, w) of both and shares of valid pixels (N, 2, h, w) in [0, 1]. Features are
multiplied by the share of their modality first: what is missing contributes exactly nothing.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dllr.models.blocks import Affine, conv


class Exchange(NamedTuple):
    """Fused features and each modality's after the exchange, all (N, C, h, w), and the mean of the
    gates in [0, 1], a scalar without gradient; None where nothing is gated."""

    fused: Tensor
    optical: Tensor
    sar: Tensor
    gate: Tensor | None


class Fusion(nn.Module, ABC):
    """What every fusion is; made from the width C."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def forward(self, optical: Tensor, sar: Tensor, valid: Tensor) -> Exchange:
        """Of one level, as the head of this file says."""


class Difference(Fusion):
    """Exchange where and as far as the modalities differ.

    D = |A(F_o) − A(F_s)|, A a scale and offset of each channel, g_o = σ(conv[D, F_o, v_s]),
    F̃_o = F_o + g_o · v_s · F_s, likewise for SAR, and F_f = conv[F̃_o, F̃_s, D].
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.norm = nn.ModuleList(Affine(width) for _ in range(2))
        self.gate = nn.ModuleList(nn.Conv2d(2 * width + 1, width, 1) for _ in range(2))
        self.fuse = conv(3 * width, width, kernel=1)

    def forward(self, optical: Tensor, sar: Tensor, valid: Tensor) -> Exchange:
        v_o, v_s = valid[:, :1], valid[:, 1:]
        optical, sar = optical * v_o, sar * v_s
        difference = (self.norm[0](optical) - self.norm[1](sar)).abs() * v_o * v_s
        g_o = torch.sigmoid(self.gate[0](torch.cat([difference, optical, v_s], 1)))
        g_s = torch.sigmoid(self.gate[1](torch.cat([difference, sar, v_o], 1)))
        from_sar, from_optical = optical + g_o * sar, sar + g_s * optical
        fused = self.fuse(torch.cat([from_sar, from_optical, difference], 1))
        return Exchange(fused, from_sar, from_optical, _mean_gate(g_o, g_s, v_o, v_s))


class Concatenation(Fusion):
    """F_f = conv[F_o, F_s]; nothing is exchanged."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.fuse = conv(2 * width, width, kernel=1)

    def forward(self, optical: Tensor, sar: Tensor, valid: Tensor) -> Exchange:
        optical, sar = optical * valid[:, :1], sar * valid[:, 1:]
        return Exchange(self.fuse(torch.cat([optical, sar], 1)), optical, sar, None)


class Sum(Fusion):
    """F_f = conv(F_o + F_s); nothing is exchanged."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.fuse = conv(width, width, kernel=1)

    def forward(self, optical: Tensor, sar: Tensor, valid: Tensor) -> Exchange:
        optical, sar = optical * valid[:, :1], sar * valid[:, 1:]
        return Exchange(self.fuse(optical + sar), optical, sar, None)


class Rectification(Fusion):
    """Each modality is rectified by the other, channel by channel and place by place, then both are
    joined: after CMX (Zhang et al., IEEE T-ITS 2023), with a convolution in place of its attention.

    F̃_o = F_o + ½ (a_s + b_s) · F_s with a_s of each channel, from means and maxima over the valid
    places, and b_s of each place, both in [0, 1]; likewise for SAR; F_f = conv[F̃_o, F̃_s].
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.channels = nn.Sequential(
            nn.Linear(4 * width, width), nn.ReLU(inplace=True), nn.Linear(width, 2 * width)
        )
        self.places = nn.Sequential(
            nn.Conv2d(2 * width, width, 1), nn.ReLU(inplace=True), nn.Conv2d(width, 2, 1)
        )
        self.fuse = conv(2 * width, width, kernel=1)

    def forward(self, optical: Tensor, sar: Tensor, valid: Tensor) -> Exchange:
        v_o, v_s = valid[:, :1], valid[:, 1:]
        optical, sar = optical * v_o, sar * v_s
        both = torch.cat([optical, sar], 1)
        known = valid.sum((2, 3)).clamp(min=1).repeat_interleave(self.width, 1)
        there = (valid > 0).repeat_interleave(self.width, 1)
        most = both.masked_fill(~there, -torch.inf).amax((2, 3)).where(there.any(3).any(2), 0)
        pooled = torch.cat([both.sum((2, 3)) / known, most], 1)
        channel = torch.sigmoid(self.channels(pooled))[:, :, None, None]
        place = torch.sigmoid(self.places(both))
        a_o, a_s = channel[:, : self.width], channel[:, self.width :]
        g_o, g_s = (a_s + place[:, 1:]) / 2, (a_o + place[:, :1]) / 2
        from_sar, from_optical = optical + g_o * sar, sar + g_s * optical
        fused = self.fuse(torch.cat([from_sar, from_optical], 1))
        return Exchange(fused, from_sar, from_optical, _mean_gate(g_o, g_s, v_o, v_s))


def _mean_gate(g_o: Tensor, g_s: Tensor, v_o: Tensor, v_s: Tensor) -> Tensor:
    """Mean of what lets SAR into optical and the reverse, over the places that have it to give."""
    with torch.no_grad():
        passed = (g_o.mean(1, keepdim=True) * v_s).sum() + (g_s.mean(1, keepdim=True) * v_o).sum()
        return passed / (v_o.sum() + v_s.sum()).clamp(min=1)


FUSIONS: dict[str, type[Fusion]] = {
    "difference": Difference,
    "concatenation": Concatenation,
    "sum": Sum,
    "rectification": Rectification,
}
