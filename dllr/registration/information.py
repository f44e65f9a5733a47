"""Evidence from values: the mutual information of what both images show, all optical bands at once.

Mutual information (Viola and Wells, IJCV 24, 1997; Maes et al., IEEE TMI 16, 1997) of joint histograms at
whole-pixel shifts, where nothing is interpolated. Pixels of the optical image are sorted into groups of
like spectra (k-means), those of the SAR image by brightness, each relative to its neighbourhood, so that
shading and haze of whole regions do not decide.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from dllr.registration.estimate import ByBlocks
from dllr.registration.measure import LEAST, Field
from dllr.registration.pair import Floats, Mask, box_mean, smoothed

GROUPS = 16  # of optical spectra
GREYS = 8  # of SAR brightness, equally many pixels each
LEARNT_FROM = 20_000  # px that the groups are learnt from
FLOOR = 0.05  # of the mean variance, that a neighbourhood's is taken to have at least


class Information(ByBlocks):
    """Measure: mutual information of groups and greys, nats."""

    def fixed(self, image: Floats, valid: Mask, near: int, thin: bool) -> Field:
        bands = np.stack(
            [
                _relative(smoothed(band, valid, 0.7 if thin else 1.0), valid, near)
                for band in np.moveaxis(image, 1, 0)
            ],
            axis=-1,
        )
        known = bands[valid]
        if not len(known):
            return (np.full(valid.shape, GROUPS * (GREYS + 1), np.int32),)
        if not known.any():  # every band is flat
            return (np.where(valid, 0, GROUPS * (GREYS + 1)).astype(np.int32),)
        rng = np.random.default_rng(0)
        few = known[rng.choice(len(known), min(len(known), LEARNT_FROM), replace=False)]
        centres, _ = kmeans2(few, GROUPS, minit="++", rng=rng)
        groups = np.full(valid.shape, GROUPS, np.int32)
        groups[valid] = _nearest(known, np.asarray(centres, np.float32))
        return (groups * (GREYS + 1),)

    def moving(self, image: Floats, valid: Mask, near: int, thin: bool) -> Field:  # noqa: ARG002
        bright = _relative(image, valid, near)
        known = bright[valid]
        if not known.size:
            return (np.full(valid.shape, GREYS, np.int32),)
        limits = np.quantile(known[::3], np.linspace(0, 1, GREYS + 1)[1:-1])
        return (np.where(valid, np.searchsorted(limits, bright), GREYS).astype(np.int32),)

    def score(self, fixed: Field, moving: Field) -> float:
        pairs = (fixed[0] + moving[0]).ravel()
        counts = np.bincount(pairs, minlength=(GROUPS + 1) * (GREYS + 1)).astype(np.float64)
        both = counts.reshape(GROUPS + 1, GREYS + 1)[:GROUPS, :GREYS]
        total = both.sum()
        if total < LEAST * pairs.size:
            return float("nan")
        together = both / total
        apart = together.sum(axis=1, keepdims=True) * together.sum(axis=0, keepdims=True)
        some = together > 0
        return float((together[some] * np.log(together[some] / apart[some])).sum())


def _relative(image: Floats, valid: Mask, near: int) -> Floats:
    """Values (N, h, w) in standard deviations of their neighbourhood from its mean."""
    rest = image - box_mean(image, valid, near)
    variance = box_mean(rest**2, valid, near)
    usual = float(variance[valid].mean()) if valid.any() else 1.0
    return np.asarray(rest / np.sqrt(variance + FLOOR * usual + 1e-12), np.float32)


def _nearest(spectra: Floats, centres: Floats) -> NDArray[np.int32]:
    """Index of the nearest of (K, B) centres for (P, B) spectra."""
    squares = (centres**2).sum(axis=1)
    found = np.empty(len(spectra), np.int32)
    for first in range(0, len(spectra), 1 << 17):  # bounds the memory
        part = spectra[first : first + (1 << 17)]
        found[first : first + len(part)] = (squares - 2 * part @ centres.T).argmin(axis=1)
    return found
