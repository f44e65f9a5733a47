"""Superpixels cover what has data, are connected, follow borders, and do not depend on the bands' units."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from scipy import ndimage

from dllr.raster import superpixels
from dllr.raster.arrays import SceneArrays
from dllr.raster.grid import Grid
from dllr.raster.superpixels import write_superpixels

AREA, COMPACTNESS = 36, 0.7


def scene(optical: np.ndarray, sar: np.ndarray, valid: np.ndarray) -> SceneArrays:
    grid = Grid(CRS.from_epsg(32650), Affine(5, 0, 500_000, 0, -5, 3_300_000), *optical.shape[1:])
    bands = [[f"b{i}" for i in range(len(a))] for a in (optical, sar)]
    return SceneArrays("s", grid, *bands, 0.0001, 0.0, optical, sar, valid)


def fields(height: int, width: int, seed: int, holes: float = 0.0) -> SceneArrays:
    """Two halves that both modalities tell apart, noise, and rectangles of missing pixels."""
    rng = np.random.default_rng(seed)
    side = np.add.outer(np.arange(height), np.arange(width)) > (height + width) / 2
    optical = (2000 + 3000 * side + rng.normal(0, 200, (2, height, width))).astype(np.uint16)
    sar = (-15 + 6 * side + rng.normal(0, 2, (1, height, width))).astype(np.float32)
    valid = np.ones((2, height, width), bool)
    for mask in valid:
        if rng.random() < 2 * holes:
            y, x = rng.integers(0, height), rng.integers(0, width)
            mask[y : y + height // 2, x : x + width // 2] = False
        mask &= rng.random(mask.shape) > holes / 4
    return scene(optical, sar, valid)


def segmented(of: SceneArrays, folder: Path, **settings: Any) -> np.ndarray:
    path = folder / "superpixels.tif"
    chosen = {"area": AREA, "compactness": COMPACTNESS} | settings
    number = write_superpixels(of, path, **chosen)
    with rasterio.open(path) as source:
        assert (source.dtypes, source.nodata) == (("uint32",), 0)
        assert source.profile["tiled"] and Grid.of(source) == of.grid
        ids: np.ndarray = source.read(1)
    assert np.array_equal(np.unique(ids[ids > 0]), np.arange(1, number + 1))
    return ids


def pieces(ids: np.ndarray) -> int:
    """Number of regions connected through edges, counted id by id."""
    boxes = ndimage.find_objects(ids.astype(int))
    return sum(int(ndimage.label(ids[box] == i)[1]) for i, box in enumerate(boxes, 1))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(superpixels, "SIDE", 32)
    monkeypatch.setattr(superpixels, "BLOCK", 8)


@given(
    height=st.integers(1, 75),
    width=st.integers(1, 75),
    seed=st.integers(0, 2**31),
    holes=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_each_pixel_with_data_lies_in_one_connected_superpixel(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, seed: int, holes: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(superpixels, "SIDE", 32)
        patch.setattr(superpixels, "BLOCK", 8)
        of = fields(height, width, seed, holes)
        ids = segmented(of, tmp_path_factory.mktemp("s"))
    assert np.array_equal(ids > 0, of.valid.any(axis=0))
    assert pieces(ids) == ids.max()


@pytest.mark.parametrize("area", [25, 64, 144])
def test_the_mean_area_is_about_what_was_asked_for(tmp_path: Path, area: int) -> None:
    ids = segmented(fields(200, 300, 0), tmp_path, area=area)
    assert 0.7 * area < ids.size / ids.max() < 1.5 * area


def test_superpixels_keep_to_one_side_of_a_border(tmp_path: Path) -> None:
    of = fields(120, 130, 1)
    side = np.add.outer(np.arange(120), np.arange(130)) > 125

    def impure(ids: np.ndarray) -> float:
        """Share of pixels on the lesser side of their superpixel."""
        counts = np.bincount(2 * ids.ravel() + side.ravel(), minlength=2 * ids.max() + 2)
        return float(counts.reshape(-1, 2).min(axis=1).sum() / ids.size)

    found = impure(segmented(of, tmp_path))
    squares = impure(segmented(of, tmp_path, compactness=100.0))
    assert found < 0.005
    assert found < squares / 4


def test_either_modality_alone_draws_a_border(tmp_path: Path) -> None:
    of = fields(90, 90, 2)
    side = np.add.outer(np.arange(90), np.arange(90)) > 90
    for modality in (0, 1):
        valid = of.valid.copy()
        valid[1 - modality] = False
        ids = segmented(scene(of.optical, of.sar, valid), tmp_path)
        counts = np.bincount(2 * ids.ravel() + side.ravel(), minlength=2 * ids.max() + 2)
        assert (ids > 0).all()
        assert counts.reshape(-1, 2).min(axis=1).sum() / ids.size < (0.005, 0.04)[modality]


def test_units_of_the_bands_do_not_matter(tmp_path: Path) -> None:
    of = fields(60, 70, 3)
    other = scene(of.optical, of.sar * np.float32(4) + np.float32(64), of.valid)
    ids, scaled = segmented(of, tmp_path), segmented(other, tmp_path)
    assert (ids == scaled).mean() > 0.99  # single precision may move a pixel


def test_a_bright_pixel_changes_its_surroundings_alone(tmp_path: Path) -> None:
    of = fields(96, 96, 8)
    sar = np.random.default_rng(0).uniform(-13, -11, of.sar.shape).astype(np.float32)
    optical = np.full_like(of.optical, 3000)
    bright = sar.copy()
    bright[0, 2, 2] = 20
    ids, other = (segmented(scene(optical, s, of.valid), tmp_path) for s in (sar, bright))

    def borders(ids: np.ndarray) -> np.ndarray:
        far = ids[30:, 30:]
        return np.stack([far[1:, 1:] != far[:-1, 1:], far[1:, 1:] != far[1:, :-1]])

    assert (borders(ids) == borders(other)).mean() > 0.99


def test_what_missing_pixels_hold_does_not_matter(tmp_path: Path) -> None:
    of = fields(60, 70, 4, holes=0.6)
    assert not of.valid.all()
    lies = scene(
        np.where(of.valid[0], of.optical, 60_000).astype(np.uint16),
        np.where(of.valid[1], of.sar, np.float32(np.nan)),
        of.valid,
    )
    assert np.array_equal(segmented(of, tmp_path), segmented(lies, tmp_path))


@pytest.mark.usefixtures("small_blocks")
def test_equal_input_gives_equal_bytes_on_any_number_of_threads(tmp_path: Path) -> None:
    first, second = tmp_path / "a.tif", tmp_path / "b.tif"
    with ThreadPoolExecutor(3) as pool:
        for path, each in ((first, map), (second, pool.map)):
            write_superpixels(fields(70, 80, 5, holes=0.3), path, AREA, COMPACTNESS, each)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.usefixtures("small_blocks")
def test_a_block_is_segmented_as_a_scene_of_its_own_would_be(tmp_path: Path) -> None:
    """Blocks share the scene's scaling only: where this is the same, so are their superpixels."""
    of = fields(32, 32, 6)
    twice = scene(*(np.concatenate([a, a], axis=-1) for a in (of.optical, of.sar, of.valid)))
    alone, both = segmented(of, tmp_path), segmented(twice, tmp_path)
    assert np.array_equal(both[:, :32], alone)
    assert np.array_equal(both[:, 32:], alone + alone.max())


@pytest.mark.parametrize("length", [1, 7, 8, 39, 40, 41, 64, 71, 72, 200])
@pytest.mark.usefixtures("small_blocks")
def test_blocks_cover_a_side_and_none_is_a_sliver(length: int) -> None:
    spans = superpixels._spans(length)
    assert spans[0][0] == 0 and spans[-1][1] == length
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    assert all(8 <= end - start < 40 for start, end in spans) or len(spans) == 1
    assert all(start % 32 == 0 for start, _ in spans)


def test_a_scene_without_data_has_no_superpixels(tmp_path: Path) -> None:
    of = fields(20, 20, 7)
    assert not segmented(scene(of.optical, of.sar, np.zeros_like(of.valid)), tmp_path).any()


def test_a_constant_scene_is_cut_into_squares(tmp_path: Path) -> None:
    flat = np.full((1, 48, 48), 7, np.uint16)
    of = scene(flat, flat.astype(np.float32), np.ones((2, 48, 48), bool))
    ids = segmented(of, tmp_path)
    assert ids.max() == 64
