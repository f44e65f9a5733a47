"""Evidence from edges: correlation of gradient magnitudes, whatever is darker or brighter.

The enhanced correlation coefficient (Evangelidis and Psarakis, IEEE TPAMI 30, 2008) of locally normalised
magnitudes, evaluated instead of linearised. Gradients of SAR are those of the logarithm of smoothed
power, so that speckle weighs alike on dark and bright ground.
"""

import numpy as np
from scipy import ndimage

from dllr.registration.estimate import ByBlocks
from dllr.registration.measure import LEAST, Field
from dllr.registration.pair import Floats, Mask, box_mean

FIXED_SCALE, MOVING_SCALE = 2.0, 1.5  # px, Gaussian that the gradients are taken at
THIN = 0.7  # times that is smaller in a thinned image, whose pixels are means already
MARGIN = 6  # px next to missing ones, where a gradient would be that of the gap
CONTRAST = 3  # times that the neighbourhood of the contrast is smaller than that of the level


class Gradients(ByBlocks):
    """Measure: correlation coefficient of gradient magnitudes, -1 to 1."""

    def fixed(self, image: Floats, valid: Mask, near: int, thin: bool) -> Field:
        spread = image[:, :, ::4, ::4].std(axis=(0, 2, 3)) + np.float32(1e-9)
        square = sum(
            _square(image[:, band] / spread[band], valid, FIXED_SCALE * (THIN if thin else 1))
            for band in range(image.shape[1])
        )
        return _field(np.asarray(square), valid, near)

    def moving(self, image: Floats, valid: Mask, near: int, thin: bool) -> Field:
        scale = MOVING_SCALE * (THIN if thin else 1)
        return _field(_square(image, valid, scale), valid, near)

    def score(self, fixed: Field, moving: Field) -> float:
        (a, aa, known), (b, bb, seen) = fixed, moving
        if np.vdot(known, seen) < LEAST * known.size:
            return float("nan")
        energy = float(np.vdot(aa, seen)) * float(np.vdot(bb, known))
        return float(np.vdot(a, b)) / np.sqrt(energy) if energy > 0 else 0.0


def _square(image: Floats, valid: Mask, scale: float) -> Floats:
    """Squared gradient magnitude (N, h, w)."""
    filled = np.where(valid, image, image[valid].mean() if valid.any() else 0).astype(np.float32)
    steps = [
        ndimage.gaussian_filter(filled, [0, scale, scale], order=order, truncate=3.0)
        for order in ([0, 1, 0], [0, 0, 1])
    ]
    return np.asarray(steps[0] ** 2 + steps[1] ** 2)


def _field(square: Floats, valid: Mask, near: int) -> Field:
    """Magnitudes, less their neighbourhood's mean and relative to it; their squares; what is known."""
    around = (1, 2 * MARGIN + 1, 2 * MARGIN + 1)
    inside = ndimage.minimum_filter(valid.view(np.uint8), around, mode="nearest").view(bool)
    size = np.sqrt(np.sqrt(square))  # the root keeps a few strong edges from deciding everything
    level = box_mean(size, inside, near)
    floor = 0.1 * (level[inside].mean() if inside.any() else 1.0) + 1e-12
    size = np.asarray(size / (level + floor), np.float32)
    size = np.where(inside, size - box_mean(size, inside, near // CONTRAST | 1), 0).astype(
        np.float32
    )
    return size, size**2, inside.astype(np.float32)
