"""Peers of `benchmarks.registration`, each a function of a pair to a 3×3 transform; they know no doubt.

Each gets what its documentation asks for: smoothed and masked images, a pyramid, one thread.
"""

from collections.abc import Callable

import cv2
import numpy as np
import SimpleITK as sitk  # noqa: N813, its documented alias
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from dllr.registration.pair import ArrayPair
from dllr.registration.transform import Matrix, scaled

HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # indices of centres → px from the corner
SMOOTHING = 1.5  # px
LEVELS = (4, 2, 1)  # times that the images are thinned, one after the other
Images = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32], NDArray[np.bool_]]


def images(pair: ArrayPair, smoothing: float) -> Images:
    """Mean of the optical bands and SAR, smoothed, limited to 1–99 %, missing pixels at the mean."""
    found = []
    for bands in (pair.fixed, pair.moving):
        known = np.isfinite(bands).all(axis=0)
        values = np.where(known, bands, 0).mean(axis=0)
        low, high = np.percentile(values[known], [1, 99])
        filled = np.where(known, values.clip(low, high), values[known].mean())
        found += [ndimage.gaussian_filter(filled.astype(np.float32), smoothing), known]
    return found[0], found[1], found[2], found[3]


def phase(pair: ArrayPair) -> Matrix:
    """scikit-image: phase correlation, to a twentieth of a pixel; a shift."""
    fixed, _, moving, _ = images(pair, SMOOTHING)
    back, *_ = phase_cross_correlation(fixed, moving, upsample_factor=20)
    found = np.eye(3)
    found[:2, 2] = -np.asarray(back)[::-1]
    return found


def mutual_information(pair: ArrayPair) -> Matrix:
    """SimpleITK: Mattes mutual information, affine, from the identity over a pyramid."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    fixed, known, moving, seen = images(pair, SMOOTHING)
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
    """OpenCV: enhanced correlation coefficient of gradient magnitudes, affine, from the identity over a
    pyramid."""
    cv2.setNumThreads(1)
    fixed, known, moving, seen = images(pair, 0.0)
    found = np.eye(3)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-6)
    for level in LEVELS:
        sides = fixed.shape[1] // level, fixed.shape[0] // level
        edges, masks = [], []
        for image, mask in ((fixed, known), (moving, seen)):
            small = cv2.resize(image, sides, interpolation=cv2.INTER_AREA)
            inside = cv2.resize(mask.astype(np.uint8), sides, interpolation=cv2.INTER_NEAREST)
            edge = ndimage.gaussian_gradient_magnitude(small, SMOOTHING)
            masks.append(cv2.erode(inside, np.ones((13, 13), np.uint8)))
            edges.append((edge / edge.std()).astype(np.float32))
        start = (np.linalg.inv(HALF) @ scaled(found, level) @ HALF)[:2].astype(np.float32)
        _, step = cv2.findTransformECCWithMask(
            edges[0], edges[1], masks[0], masks[1], start, cv2.MOTION_AFFINE, criteria, 5
        )
        whole = np.vstack([step, [0, 0, 1]])
        found = scaled(HALF @ whole @ np.linalg.inv(HALF), 1 / level)
    return found


PEERS: dict[str, Callable[[ArrayPair], Matrix]] = {
    "scikit-image phase correlation": phase,
    "SimpleITK mutual information": mutual_information,
    "OpenCV ECC on gradients": ecc,
}
