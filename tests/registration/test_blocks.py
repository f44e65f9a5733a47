"""A transform that blocks were moved by is found again, whatever single blocks show."""

import numpy as np
import pytest

from dllr.registration.blocks import TERMS, Blocks, design

SIZE = (1000, 1400)
REACH = 3


def blocks(model: str, values: np.ndarray, blind: float = 0.0, seed: int = 0) -> Blocks:
    """Paraboloids around each block's shift; a share of blocks shows nothing but noise."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(60, 940, 8), np.linspace(60, 1340, 8), indexing="ij")
    centres = np.stack([x.ravel(), y.ravel()], axis=1)
    shifts = design(centres, SIZE, model) @ values
    lags = np.arange(-REACH, REACH + 1)
    down, right = np.meshgrid(lags, lags, indexing="ij")
    surfaces = np.stack([np.exp(-((right - dx) ** 2 + (down - dy) ** 2) / 8) for dx, dy in shifts])
    hidden = rng.random(len(surfaces)) < blind
    surfaces[hidden] = 0.02 * rng.normal(size=surfaces[hidden].shape)
    return Blocks(centres, surfaces, np.ones(len(surfaces)), SIZE)


@pytest.mark.parametrize("model", TERMS)
@pytest.mark.parametrize("blind", [0.0, 0.5])
def test_the_transform_is_found(model: str, blind: float) -> None:
    values = np.random.default_rng(1).uniform(-0.7, 0.7, TERMS[model])
    found = blocks(model, values, blind)
    error = found.shifts(model, found.fit(model)) - found.shifts(model, values)
    assert np.hypot(*error.T).max() < (0.2 if blind else 0.1)


def test_its_matrix_moves_points_alike() -> None:
    values = np.array([0.5, -1.0, 0.4, -0.3, 0.2, 0.1])
    found = blocks("affine", values)
    matrix = found.matrix("affine", values)
    points = np.c_[found.centres, np.ones(len(found))] @ matrix.T
    assert points[:, :2] - found.centres == pytest.approx(found.shifts("affine", values))


def test_held_out_blocks_are_foretold_and_ties_agree() -> None:
    values = np.array([0.5, -1.0, 0.4, -0.3, 0.2, 0.1])
    found = blocks("affine", values)
    truth = found.shifts("affine", values)
    assert np.abs(found.held_out("affine") - truth).max() < 0.1
    assert np.abs(found.own() - truth).max() < 0.15
    far = blocks("similarity", np.array([2.9, 0.0, 0.0, 0.0]))
    assert np.isnan(far.own()).all()  # a best shift on the border may lie beyond it
