"""Arrays hold what the GeoTIFFs hold, whoever writes them first; rows of array files come back as written."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.crs import CRS

from dllr.raster.arrays import Layer, SceneArrays, load_arrays, write_arrays
from dllr.raster.grid import STRIP, Grid
from dllr.raster.gridding import as_stored
from dllr.raster.image import Image
from dllr.raster.rows import create, read_rows, write_rows
from dllr.raster.strips import validity

GRID = Grid(CRS.from_epsg(32650), Affine(5, 0, 500_000, 0, -5, 3_300_000), STRIP + 9, 13)
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@shared
@given(
    dtype=st.sampled_from(["bool", "uint8", "int16", "float32", "float64"]),
    shape=st.tuples(*[st.integers(1, 6)] * 3),
    cut=st.integers(0, 6),
    seed=st.integers(0, 99),
)
def test_rows_come_back_as_written(
    tmp_path: Path, dtype: str, shape: tuple[int, int, int], cut: int, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, 2, shape).astype(dtype)
    cut = min(cut, shape[1])
    path = tmp_path / "a.npy"
    create(path, dtype, shape)
    assert not np.load(path).any() and np.load(path).shape == shape
    write_rows(path, cut, values[:1, cut:])
    write_rows(path, 0, values[:, :cut])
    write_rows(path, cut, values[1:, cut:], first=1)
    assert np.array_equal(np.load(path), values)
    assert np.array_equal(read_rows(path, cut, shape[1] - cut), values[:, cut:])


@pytest.mark.parametrize("threads", [1, 2])
def test_arrays_and_validity_are_those_of_the_layers(tmp_path: Path, threads: int) -> None:
    rng = np.random.default_rng(0)
    shape = GRID.height, GRID.width
    optical = rng.integers(0, 3, (2, *shape)).astype(np.uint16)
    sar = rng.normal(size=(1, *shape)).astype(np.float32)
    sar[rng.random(sar.shape) < 0.1] = np.nan

    def layer(values: NDArray[np.generic], nodata: float) -> Layer:
        strips = ((w, values[:, w.row_off : w.row_off + w.height]) for w in GRID.strips())
        return Layer(strips, len(values), str(values.dtype), nodata)

    with ThreadPoolExecutor(threads) as pool:
        write_arrays(tmp_path, GRID, layer(optical, 0), layer(sar, float("nan")), pool.map)
    found = {name: np.load(tmp_path / f"{name}.npy") for name in ("optical", "sar", "valid")}
    assert np.array_equal(found["optical"], optical)
    assert np.array_equal(found["sar"], sar, equal_nan=True)
    assert np.array_equal(found["valid"], [optical.any(axis=0), np.isfinite(sar[0])])


def test_what_was_released_is_read_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.random((3, GRID.height, GRID.width), np.float32)

    def layer(bands: NDArray[np.float32]) -> Layer:
        strips = ((w, bands[:, w.row_off : w.row_off + w.height]) for w in GRID.strips())
        return Layer(strips, len(bands), "float32", float("nan"))

    write_arrays(tmp_path, GRID, layer(values[:2]), layer(values[2:]))
    arrays = load_arrays(tmp_path)
    scene = SceneArrays("s", GRID, ["a", "b"], ["c"], 1.0, 0.0, *arrays)
    whole = (0, 0, GRID.height, GRID.width)
    for _ in range(2):
        assert np.array_equal(scene.crop(*whole).optical, values[:2])
        assert np.array_equal(scene.crop(*whole).sar, values[2:])
        scene.release()


def test_an_error_in_a_layer_comes_out(tmp_path: Path) -> None:
    def broken() -> None:
        yield from ()
        raise ValueError("broken")

    layer = Layer(broken(), 1, "uint8", None)
    with pytest.raises(ValueError, match="broken"):
        write_arrays(tmp_path, GRID, Layer([], 1, "uint8", None), layer)


@given(
    dtype=st.sampled_from(["uint8", "int16", "uint16", "int32", "float32", "float64"]),
    nodata=st.sampled_from([None, 0.0, 3.0, 2.5, -1.0, 70_000.0, float("nan")]),
    bands=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_validity_is_its_definition(
    dtype: str, nodata: float | None, bands: int, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, 4, (bands, 5, 6)).astype(dtype)
    if np.issubdtype(dtype, np.floating):
        values[0, 0, 0], values[-1, 1, 1] = np.nan, np.inf
    for y, x in np.ndindex(5, 6):
        pixel = values[:, y, x].tolist()
        expected = all(np.isfinite(pixel)) and not all(v == nodata for v in pixel)
        assert validity(values, nodata)[y, x] == expected


@shared
@given(
    dtype=st.sampled_from(["uint8", "int16", "uint16", "int32", "float32", "float64"]),
    empty=st.sampled_from([0, 7]),
    seed=st.integers(0, 9),
)
def test_images_on_their_own_grid_change_in_missing_pixels_only(
    tmp_path: Path, dtype: str, empty: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 3, (2, 20, 13)).astype(dtype)
    kind = np.issubdtype(dtype, np.floating)
    if kind:
        values += rng.random(values.shape)
        values[0, 3, 3] = np.nan
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", crs=GRID.crs, transform=GRID.transform, height=20, width=13,
        count=2, dtype=dtype, nodata=1,
    ) as target:  # fmt: skip
        target.write(values)
    blank = float("nan") if kind else empty
    found = np.concatenate([v for _, v in as_stored(Image(path, (1, 2)), blank)], axis=1)
    known = validity(values, 1)
    # The long way: through single precision, not a number where there is nothing.
    single = np.where(known, values, np.nan).astype(np.float32)
    expected = np.where(np.isfinite(single), single, blank).astype(dtype)
    assert found.dtype == dtype
    assert np.array_equal(found, expected, equal_nan=kind)
