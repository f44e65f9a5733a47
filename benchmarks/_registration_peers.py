"""Peers of `benchmarks.registration`, each a function of a pair to a 3×3 transform; they know no doubt.

Each gets what its documentation asks for: filled or masked images, a pyramid, one thread. Settings are
those that failed least among some tried on forty simulated pairs of other seeds.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import SimpleITK as sitk  # noqa: N813, its documented alias
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from dllr.registration.pair import ArrayPair
from dllr.registration.transform import Matrix, scaled

HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # indices of centres → px from the corner
SMOOTHING = 1.5  # px, that gradients are taken at
GAP = 6  # px next to missing ones, where a gradient would be that of the gap
LEVELS = (4, 2, 1)  # times that the images are thinned, one after the other
Images = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32], NDArray[np.bool_]]


def images(pair: ArrayPair, smoothing: float) -> Images:
    """Mean of the optical bands and of the SAR bands, limited to 1–99 %, missing pixels at the mean,
    smoothed; with where they are known."""
    found = []
    for bands in (pair.fixed, pair.moving):
        known = np.isfinite(bands).all(axis=0)
        values = np.where(known, bands, 0).mean(axis=0)
        low, high = np.percentile(values[known], [1, 99])
        filled = np.where(known, values.clip(low, high), values[known].mean())
        found += [ndimage.gaussian_filter(filled.astype(np.float32), smoothing), known]
    return found[0], found[1], found[2], found[3]


def phase(pair: ArrayPair) -> Matrix:
    """scikit-image: phase correlation of values, to a twentieth of a pixel; a shift."""
    fixed, _, moving, _ = images(pair, SMOOTHING)
    return _shift(fixed, moving, "phase")


def gradient_correlation(pair: ArrayPair) -> Matrix:
    """scikit-image: the same of gradient magnitudes under a window, not whitened: phases of two sensors
    have little in common."""
    found = []
    fixed, known, moving, seen = images(pair, 0.0)
    for image, mask in ((fixed, known), (moving, seen)):
        edges = ndimage.gaussian_gradient_magnitude(image, SMOOTHING)
        edges = np.where(ndimage.binary_erosion(mask, iterations=GAP), edges, edges[mask].mean())
        window = np.outer(*(np.hanning(side) for side in image.shape))
        found.append((edges - edges.mean()) * window)
    return _shift(found[0], found[1], None)


def _shift(fixed: NDArray[Any], moving: NDArray[Any], normalization: str | None) -> Matrix:
    back, *_ = phase_cross_correlation(
        fixed, moving, upsample_factor=20, normalization=normalization
    )
    found = np.eye(3)
    found[:2, 2] = -np.asarray(back)[::-1]
    return found


def mutual_information(pair: ArrayPair) -> Matrix:
    """SimpleITK: Mattes mutual information, affine, from the identity over a pyramid."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    fixed, known, moving, seen = images(pair, 0.0)  # each level smooths
    start = sitk.AffineTransform(2)
    start.SetCenter([(side - 1) / 2 for side in fixed.shape[::-1]])
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(sitk.GetImageFromArray(known.astype(np.uint8)))
    method.SetMetricMovingMask(sitk.GetImageFromArray(seen.astype(np.uint8)))
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.25, seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetInitialTransform(start, inPlace=False)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 200, gradientMagnitudeTolerance=1e-8)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(LEVELS)
    method.SetSmoothingSigmasPerLevel([level / 2 for level in LEVELS])
    done = method.Execute(sitk.GetImageFromArray(fixed), sitk.GetImageFromArray(moving))
    affine = sitk.AffineTransform(done.GetNthTransform(0))
    found = np.eye(3)
    found[:2, :2] = np.array(affine.GetMatrix()).reshape(2, 2)
    found[:2, 2] = affine.TransformPoint((0.0, 0.0))
    return np.asarray(HALF @ found @ np.linalg.inv(HALF))


def ecc(pair: ArrayPair) -> Matrix:
    """OpenCV: enhanced correlation coefficient of roots of gradient magnitudes, affine after a rigid first
    level, from the identity over a pyramid; a level that does not converge changes nothing."""
    cv2.setNumThreads(1)
    fixed, known, moving, seen = images(pair, 0.0)
    found = np.eye(3)
    steps = 0
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-6)
    for level in LEVELS:
        sides = fixed.shape[1] // level, fixed.shape[0] // level
        edges, masks = [], []
        for image, mask in ((fixed, known), (moving, seen)):
            small = cv2.resize(image, sides, interpolation=cv2.INTER_AREA)
            inside = cv2.resize(mask.astype(np.uint8), sides, interpolation=cv2.INTER_NEAREST)
            inside = cv2.erode(inside, np.ones((2 * GAP + 1, 2 * GAP + 1), np.uint8))
            edge = np.sqrt(ndimage.gaussian_gradient_magnitude(small, SMOOTHING))
            masks.append(inside)
            edges.append((edge / edge[inside > 0].std()).astype(np.float32))
        start = (np.linalg.inv(HALF) @ scaled(found, level) @ HALF)[:2].astype(np.float32)
        kind = cv2.MOTION_EUCLIDEAN if level == LEVELS[0] else cv2.MOTION_AFFINE
        try:
            _, step = cv2.findTransformECCWithMask(
                edges[0], edges[1], masks[0], masks[1], start, kind, criteria, 1
            )
        except cv2.error:
            continue
        steps += 1
        whole = np.vstack([step, [0, 0, 1]])
        found = scaled(HALF @ whole @ np.linalg.inv(HALF), 1 / level)
    if not steps:
        raise RuntimeError("no level converged")
    return found


PEERS: dict[str, Callable[[ArrayPair], Matrix]] = {
    "scikit-image, phase correlation": phase,
    "scikit-image, correlation of gradients": gradient_correlation,
    "SimpleITK, mutual information": mutual_information,
    "OpenCV, ECC of gradients": ecc,
}
