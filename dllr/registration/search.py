"""The first guess: every shift, rotation and scale in reach, on thinned images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dllr.registration.measure import Measure, surface
from dllr.registration.pair import Box, Pair
from dllr.registration.transform import Matrix, scaled, similarity

STEP = 2.0  # px of the thinned image that neighbours of the lattice lie apart at its corners


@dataclass(frozen=True)
class Reach:
    """How far an estimator looks, and what is plausible: shift of the centre (px), rotation (degrees)
    and relative change of scale, each either way."""

    shift: float
    rotation: float
    scale: float


class NoEvidenceError(Exception):
    """Nothing to go by; the message says why."""


def search(pair: Pair, measure: Measure, reach: Reach, factor: int, near: int) -> Matrix:
    """The best of the lattice of transforms, in full-size pixels.

    Raises:
        NoEvidenceError: the images share too little ground, or show nothing.
    """
    height, width = (side // factor for side in pair.size)
    whole = [Box(0, 0, height, width)]
    lags = int(np.ceil(reach.shift / factor)) + 1
    corner = np.hypot(height, width) / 2
    fixed = None
    best, found = -np.inf, np.eye(3)
    for rotation in _lattice(reach.rotation, np.radians(reach.rotation) * corner):
        for scale in _lattice(reach.scale, reach.scale * corner):
            turn = similarity(pair.size, rotation=float(rotation), scale=1 + float(scale))
            views = pair.views(factor, turn, whole)
            if fixed is None:
                fixed = measure.fixed(views.fixed, views.fixed_valid, near, factor > 1)
            moving = measure.moving(views.moving, views.moving_valid, near, factor > 1)
            scores = surface(measure, fixed, moving, (0, 0, 0, height, width), lags)
            if np.isnan(scores).all():
                continue
            i, j = np.unravel_index(np.nanargmax(scores), scores.shape)
            if scores[i, j] > best:
                best = scores[i, j]
                hop = np.eye(3)
                hop[:2, 2] = int(j) - lags, int(i) - lags
                found = turn @ scaled(hop, 1 / factor)
    if not np.isfinite(best):
        raise NoEvidenceError("too little ground is known in both images")
    if best <= 0:
        raise NoEvidenceError("the images show nothing in common")
    return found


def _lattice(reach: float, corner: float) -> NDArray[np.float64]:
    """Values either way of 0, so dense that neighbours lie STEP px apart at the image's corner."""
    steps = int(np.ceil(corner / STEP))
    return np.linspace(-reach, reach, 2 * steps + 1) if reach else np.zeros(1)
