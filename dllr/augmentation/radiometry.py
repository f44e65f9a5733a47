"""Weak and strong radiometric views of normalised bands.

Bands are normalised: the unit is a band's deviation over the data set. SAR bands are decibels before
that, so a factor g on backscattered power is the addition of 10 log10(g) / deviation, and speckle,
which multiplies, adds. SAR bands in digital numbers (unit dn) have lost their decibels: they are taken
for stretched logarithms of power with a deviation of NOMINAL.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

NOMINAL = 5.0  # dB, a usual deviation of backscatter over land
FADE = 0.1  # least cube root of speckle: fades end at −30 dB


@dataclass(frozen=True)
class Radiometry:
    """How strongly views differ. A `share` is the probability that a sample is touched.

    Results are new tensors and are not clipped. What is not valid is returned as it came, and no
    valid pixel takes anything from it.
    """

    sar_deviation: Tensor  # (B_s,) dB: what SAR bands were divided by, or what stands for it
    ratio: tuple[int, int, int] | None = None  # a SAR band that is another one over a third one
    contrast: float = 0.2  # deviation of the log of the gain about the data set's mean, all bands
    brightness: float = 0.2  # deviation of the offset, all bands; in deviations
    band_contrast: float = 0.1  # the same, of each band by itself
    band_brightness: float = 0.1
    blur_share: float = 0.5
    blur_sigma: tuple[float, float] = (0.3, 1.5)  # px, uniform
    veil_share: float = 0.3
    veil_opacity: tuple[float, float] = (0.1, 0.7)  # upper bound in a sample, uniform; in [0, 1]
    veil_bright: float = 3.0  # what a veil moves all bands to; deviations above the mean
    veil_cells: int = 4  # of the veil along a side: smaller is smoother
    looks: tuple[float, float] = (4.0, 32.0)  # of the added speckle, uniform in the logarithm; ≥ 1
    gain: float = 1.0  # deviation of the gain, all SAR bands; dB
    band_gain: float = 0.5  # of each SAR band by itself; dB
    weak_part: float = 0.25  # of jitter and gain in the weak view

    def weak(
        self, optical: Tensor, sar: Tensor, valid: Tensor, dice: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """A little colour jitter and SAR gain, the same for all pixels of a band; nothing else.

        optical (N, B_o, H, W), sar (N, B_s, H, W) float32, valid (N, 2, H, W) bool; all on the
        device of `dice`.
        """
        gain, offset = self._jitter(optical, self.weak_part, dice)
        lift = self._agreeing(self._gain(sar, self.weak_part, dice)) / self._deviation(sar)
        v_o, v_s = valid[:, :1], valid[:, 1:]
        return (
            torch.where(v_o, torch.addcmul(offset, optical, gain), optical),
            torch.where(v_s, sar + lift, sar),
        )

    def strong(
        self, optical: Tensor, sar: Tensor, valid: Tensor, dice: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Optical: blur, colour jitter and a bright veil. SAR: gain and speckle. Shapes as in `weak`.

        A constant optical image without a veil stays constant by band; a constant SAR image becomes
        gamma speckle of the drawn looks, whose mean power is the constant's times the drawn gain.
        """
        # Views are the data: convolutions and products here stay in single precision.
        with torch.autocast(optical.device.type, enabled=False):
            return self._strong(optical, sar, valid, dice)

    def _strong(
        self, optical: Tensor, sar: Tensor, valid: Tensor, dice: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        v_o, v_s = valid[:, :1], valid[:, 1:]
        seen = self._blurred(optical, v_o, dice)
        gain, offset = self._jitter(optical, 1.0, dice)
        seen = torch.addcmul(offset, seen, gain)
        bright = torch.full((), self.veil_bright).to(optical)
        seen = torch.lerp(seen, bright, self._veil(optical, dice))
        few, many = (math.log(n) for n in self.looks)
        looks = (few + (many - few) * _uniform((len(sar),), dice)).exp()
        lift = self._agreeing(self._gain(sar, 1.0, dice) + speckle(looks, sar.shape, dice))
        return (
            torch.where(v_o, seen, optical),
            torch.where(v_s, torch.addcdiv(sar, lift, self._deviation(sar)), sar),
        )

    def _jitter(self, like: Tensor, part: float, dice: torch.Generator) -> tuple[Tensor, Tensor]:
        """Gain > 0 and offset, (N, B, 1, 1) both: a common part, and one by band."""
        count, bands = like.shape[:2]
        contrast, brightness = _normal((2, count, 1, 1, 1), dice)
        band_contrast, band_brightness = _normal((2, count, bands, 1, 1), dice)
        gain = part * (self.contrast * contrast + self.band_contrast * band_contrast)
        offset = part * (self.brightness * brightness + self.band_brightness * band_brightness)
        return gain.exp(), offset

    def _gain(self, like: Tensor, part: float, dice: torch.Generator) -> Tensor:
        """(N, B_s, 1, 1), dB."""
        count, bands = like.shape[:2]
        common, single = _normal((count, 1, 1, 1), dice), _normal((count, bands, 1, 1), dice)
        return part * (self.gain * common + self.band_gain * single)

    def _agreeing(self, lift: Tensor) -> Tensor:
        """What is added to SAR bands (N, B_s, ...), dB: to a ratio, what is added to its two bands."""
        if self.ratio is None:
            return lift
        band, over, under = self.ratio
        parts = list(lift.unbind(1))
        parts[band] = parts[over] - parts[under]
        return torch.stack(parts, 1)

    def _blurred(self, image: Tensor, valid: Tensor, dice: torch.Generator) -> Tensor:
        """Gaussian means of the valid pixels (normalised convolution), in `blur_share` of samples."""
        chosen, place = _uniform((2, len(image), 1, 1, 1), dice)
        low, high = self.blur_sigma
        sigma = low + (high - low) * place
        reach = math.ceil(3 * high)
        step = torch.arange(-reach, reach + 1, device=image.device)
        kernel = (-0.5 * (step / sigma).square()).exp()  # (N, 1, 1, taps), of any sum
        known = valid.to(image.dtype)
        weight = _convolved(known, kernel)
        blurred = _convolved(image.where(valid, 0), kernel) / weight.clamp_min(1e-12)
        return torch.where(chosen < self.blur_share, blurred, image)

    def _veil(self, like: Tensor, dice: torch.Generator) -> Tensor:
        """Opacity (N, 1, H, W) in [0, upper `veil_opacity`]: value noise above a drawn level."""
        count, _, height, width = like.shape
        nodes = self.veil_cells + 1
        chosen, place, level = _uniform((3, count, 1, 1, 1), dice)
        low, high = self.veil_opacity
        opacity = (low + (high - low) * place) * (chosen < self.veil_share)
        level = 0.5 * level  # what lies below it is clear: from overall haze to single clouds
        coarse = _uniform((count, 1, nodes, nodes), dice)
        field = _steps(height, nodes, like) @ coarse @ _steps(width, nodes, like).T
        veil: Tensor = opacity * ((field - level).clamp_min_(0) / (1 - level))
        return veil

    def _deviation(self, like: Tensor) -> Tensor:
        return self.sar_deviation.to(like)[:, None, None]


def speckle(looks: Tensor, shape: torch.Size, dice: torch.Generator) -> Tensor:
    """Gamma speckle of unit mean and variance 1 / looks in power, as decibels; white over pixels.

    looks (N,) ≥ 1, shape (N, ...). The cube root of a gamma variable is taken as normal (Wilson and
    Hilferty, PNAS 17, 1931): one normal number and one logarithm a pixel, for any number of looks.
    Distribution functions differ by at most .0123 at one look, .0033 at two, .0017 at four, .0008 at
    eight; the mean is low by (9 looks)⁻³, the variance by less than .5 %. Fades end at −30 dB, where
    .9 % of the pixels lie at one look (truth: .1 %), .02 % at two and none to speak of from three on.
    """
    error = 1 / (9 * looks.view(-1, *[1] * (len(shape) - 1)))
    root = torch.addcmul(1 - error, _normal(tuple(shape), dice), error.sqrt())
    return root.clamp_min_(FADE).log_().mul_(30 / math.log(10))


def _convolved(image: Tensor, kernel: Tensor) -> Tensor:
    """(N, B, H, W) with each sample's separable kernel (N, 1, 1, taps), zero outside."""
    count, bands, height, width = image.shape
    taps, planes = kernel.shape[-1], count * bands
    rows = kernel.expand(count, bands, 1, taps).reshape(planes, 1, 1, taps)
    out = image.reshape(1, planes, height, width)
    out = functional.conv2d(out, rows, padding=(0, taps // 2), groups=planes)
    out = functional.conv2d(out, rows.mT, padding=(taps // 2, 0), groups=planes)
    return out.view(image.shape)


def _steps(length: int, nodes: int, like: Tensor) -> Tensor:
    """(length, nodes): smooth steps from node to node; rows ≥ 0 and of sum 1, so values stay between."""
    place = torch.linspace(0, nodes - 1, length, device=like.device, dtype=like.dtype)
    near = 1 - (place[:, None] - torch.arange(nodes, device=like.device)).abs().clamp_max(1)
    return near * near * (3 - 2 * near)


def _normal(shape: tuple[int, ...], dice: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=dice, device=dice.device)


def _uniform(shape: tuple[int, ...], dice: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=dice, device=dice.device)
