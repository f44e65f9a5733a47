"""A batch has the numbers of its crops, whatever they are stored as."""

import numpy as np
import pytest
import torch
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from dllr.models.batch import stacked
from dllr.raster.arrays import SceneArrays
from dllr.raster.grid import Grid

SIDE = 40


def scene(seed: int, dtype: str, scale: float, offset: float) -> SceneArrays:
    rng = np.random.default_rng(seed)
    optical = rng.integers(0, 250, (3, SIDE, SIDE)).astype(dtype)
    sar = rng.normal(-12, 3, (2, SIDE, SIDE)).astype(np.float32)
    valid = rng.random((2, SIDE, SIDE)) < 0.8
    sar[:, ~valid[1]] = np.nan
    if np.issubdtype(dtype, np.floating):
        optical[:, ~valid[0]] = np.nan
    grid = Grid(CRS.from_epsg(32650), Affine.identity(), SIDE, SIDE)
    return SceneArrays("s", grid, list("abc"), ["VV", "VH"], scale, offset, optical, sar, valid)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"])  # fmt: skip
@given(
    scale=st.floats(1e-6, 10), offset=st.floats(-5, 5), corner=st.tuples(*[st.integers(-20, 30)] * 2)
)  # fmt: skip
def test_units_on_the_batch_are_those_of_each_crop(
    dtype: str, scale: float, offset: float, corner: tuple[int, int]
) -> None:
    # Scenes of one batch may differ in type and scale.
    scenes = [scene(0, dtype, scale, offset), scene(1, "uint8", 1 / 255, 0.0)]
    found = stacked([s.crop(*corner, 16, 16) for s in scenes])
    patches = [s.read(*corner, 16, 16) for s in scenes]
    for part, tensor in enumerate(found):
        expected = np.stack([patch[part] for patch in patches])
        assert tensor.dtype == (torch.bool if part == 2 else torch.float32)
        assert np.array_equal(tensor.numpy(), expected)


def test_a_scene_is_not_changed_by_reading_it() -> None:
    picture = scene(0, "float32", 2.0, 1.0)
    before = [a.copy() for a in (picture.optical, picture.sar, picture.valid)]
    stacked([picture.crop(0, 0, SIDE, SIDE)])
    picture.read(0, 0, SIDE, SIDE)
    for a, b in zip(before, (picture.optical, picture.sar, picture.valid), strict=True):
        assert np.array_equal(a, b, equal_nan=True)
