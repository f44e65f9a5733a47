"""Evidence from phases: a plain shift by phase correlation (scikit-image), blind to rotation and scale."""

import math

import numpy as np
from skimage.registration import phase_cross_correlation

from dllr.registration.estimate import Estimate, Ties
from dllr.registration.pair import Box, Pair
from dllr.registration.search import NoEvidenceError, Reach
from dllr.registration.transform import Matrix

LARGEST = 1024  # px, longer side of the image that is looked at
PARTS = 20  # of a pixel that a shift is found to


class Shift:
    """Estimator: shift of the whole image; it has neither ties nor a measure of its evidence."""

    def find(self, pair: Pair, reach: Reach) -> Estimate:  # noqa: ARG002, the gate asks for plausibility
        return self.near(pair, np.eye(3))

    def near(self, pair: Pair, start: Matrix) -> Estimate:
        factor = max(1, math.ceil(max(pair.size) / LARGEST))
        height, width = (side // factor for side in pair.size)
        views = pair.views(factor, start, [Box(0, 0, height, width)])
        images = []
        for image, known in (
            (views.fixed[0].mean(axis=0), views.fixed_valid[0]),
            (views.moving[0], views.moving_valid[0]),
        ):
            if not known.any() or np.ptp(image[known]) == 0:
                raise NoEvidenceError("an image is constant or has no data")
            images.append(np.where(known, image - image[known].mean(), 0))
        back, *_ = phase_cross_correlation(*images, upsample_factor=PARTS)
        hop = np.eye(3)
        hop[:2, 2] = -factor * np.asarray(back)[::-1]
        coverage = float((views.fixed_valid & views.moving_valid).mean())
        nothing = np.empty((0, 2))
        return Estimate(start @ hop, Ties(nothing, nothing), math.nan, coverage, math.nan, {})
