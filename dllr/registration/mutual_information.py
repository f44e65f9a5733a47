"""Whole-image affine registration by Mattes mutual information (SimpleITK).

Mattes et al., IEEE Trans. Medical Imaging 22(1), 2003. A coarse search over whole-pixel shifts comes
first, because the metric has many local optima between optical and SAR.
"""

import numpy as np
import SimpleITK as sitk  # noqa: N813, its documented alias
from numpy.typing import NDArray
from scipy import ndimage

from dllr.registration.estimate import Estimate

BINS = 32
COARSE = 4  # px: how far images are thinned for the coarse search
SMOOTHING = 1.5  # px, tames the speckle; for matching only


def estimate(
    fixed: NDArray[np.float32],
    fixed_valid: NDArray[np.bool_],
    moving: NDArray[np.float32],
    moving_valid: NDArray[np.bool_],
    max_shift: float,
) -> Estimate:
    """Affine from the fixed (H, W) to the moving (H, W) image, both on one grid.

    Deterministic with one ITK thread. max_shift (px) bounds the coarse search.
    """
    fix = _image(fixed, fixed_valid)
    move = _image(moving, moving_valid)
    method = _metric(_mask(fixed_valid), _mask(moving_valid))
    identity = sitk.AffineTransform(2)
    identity.SetCenter(((fixed.shape[1] - 1) / 2, (fixed.shape[0] - 1) / 2))
    method.SetInitialTransform(identity, inPlace=False)
    before = -method.MetricEvaluate(fix, move)
    start = _coarse(fix, move, fixed_valid, moving_valid, identity, max_shift)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.5, seed=1)  # 0 would mean the clock
    method.SetInitialTransform(start, inPlace=False)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0, minStep=1e-3, numberOfIterations=200, gradientMagnitudeTolerance=1e-8
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([2, 0])
    found = sitk.AffineTransform(method.Execute(fix, move).GetNthTransform(0))
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInitialTransform(found, inPlace=False)
    after = -method.MetricEvaluate(fix, move)
    moved = sitk.Resample(move, fix, found, sitk.sitkLinear, 0.0)
    seen = sitk.Resample(_mask(moving_valid), fix, found, sitk.sitkNearestNeighbor, 0)
    edges = (
        _edges(fix, move, fixed_valid & moving_valid),
        _edges(fix, moved, fixed_valid & (sitk.GetArrayFromImage(seen) > 0)),
    )
    return Estimate(_from_corner(found), (before, after), edges)


def _metric(fixed_mask: sitk.Image, moving_mask: sitk.Image) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(fixed_mask)
    method.SetMetricMovingMask(moving_mask)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _coarse(
    fix: sitk.Image,
    move: sitk.Image,
    fixed_valid: NDArray[np.bool_],
    moving_valid: NDArray[np.bool_],
    identity: sitk.AffineTransform,
    max_shift: float,
) -> sitk.AffineTransform:
    """The best of a lattice of shifts, half a thinned pixel apart; positions are physical throughout."""
    thin = [COARSE, COARSE]
    method = _metric(sitk.Shrink(_mask(fixed_valid), thin), sitk.Shrink(_mask(moving_valid), thin))
    small = [
        sitk.Shrink(sitk.DiscreteGaussian(image, [float(COARSE)] * 2), thin)
        for image in (fix, move)
    ]
    reach = np.arange(-(max_shift // 2) * 2, max_shift + 1e-9, COARSE / 2)
    best, start = np.inf, identity
    for dy in reach:
        for dx in reach:
            trial = sitk.AffineTransform(identity)
            trial.SetTranslation((float(dx), float(dy)))
            method.SetInitialTransform(trial, inPlace=False)
            value = method.MetricEvaluate(*small)
            if value < best:
                best, start = value, trial
    return start


def _image(values: NDArray[np.float32], valid: NDArray[np.bool_]) -> sitk.Image:
    filled = np.where(valid, values, values[valid].mean()).astype(np.float32)
    low, high = np.percentile(values[valid], [1, 99])
    smooth = ndimage.gaussian_filter(filled.clip(low, high), SMOOTHING)
    return sitk.GetImageFromArray(smooth)


def _mask(valid: NDArray[np.bool_]) -> sitk.Image:
    return sitk.GetImageFromArray(valid.astype(np.uint8))


def _edges(a: sitk.Image, b: sitk.Image, valid: NDArray[np.bool_]) -> float:
    inside = ndimage.binary_erosion(valid, iterations=6)
    if not inside.any():
        return float("nan")
    first, second = (
        ndimage.gaussian_gradient_magnitude(sitk.GetArrayFromImage(image), 1.0)[inside]
        for image in (a, b)
    )
    return float(np.corrcoef(first, second)[0, 1])


def _from_corner(found: sitk.AffineTransform) -> NDArray[np.float64]:
    """ITK counts from the centre of the first pixel, a grid from its corner."""
    matrix = np.eye(3)
    matrix[:2, :2] = np.array(found.GetMatrix()).reshape(2, 2)
    matrix[:2, 2] = found.TransformPoint((0.0, 0.0))
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return half @ matrix @ np.linalg.inv(half)
