"""What one pass over the pixels finds is what numpy finds with all of them in memory."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from dllr.errors import SceneError
from dllr.ingest.profile import PERCENTILES, SAMPLE, Profile
from dllr.ingest.survey import survey, survey_label
from dllr.raster.grid import STRIP
from dllr.raster.image import Image, Mask
from dllr.raster.strips import validity

Array = NDArray[np.generic]
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 30), st.integers(1, 20))
ELEMENTS = {
    "uint8": st.sampled_from([0, 1, 7, 254, 255]),
    "int16": st.integers(-32768, 32767) | st.sampled_from([0, -9999]),
    "uint16": st.integers(0, 65535),
    "float32": st.floats(-1e6, 1e6, width=32) | st.sampled_from([np.nan, np.inf, 0.0, -9999.0]),
    "float64": st.floats(-1e9, 1e9) | st.sampled_from([np.nan, 1e20]),
}


@st.composite
def images(draw: st.DrawFn) -> Array:
    dtype = draw(st.sampled_from(sorted(ELEMENTS)))
    return draw(hnp.arrays(dtype, draw(SHAPES), elements=ELEMENTS[dtype]))


def profile(values: Array, valid: NDArray[np.bool_], nodata: float | None, cuts: list[int]) -> Any:
    _, height, width = values.shape
    found = Profile(height, width, nodata)
    rows = sorted({0, height, *(cut % height for cut in cuts)})
    for first, last in pairwise(rows):
        found.add(first, values[:, first:last], valid[first:last])
    return found.record()


@given(images(), st.sampled_from([None, 0.0, -9999.0]), st.lists(st.integers(0, 1000), max_size=4))
@example(np.float32([[[65535.0], [0.0]]]), None, [1])
def test_statistics_are_numpys_however_the_rows_are_cut(
    values: Array, nodata: float | None, cuts: list[int]
) -> None:
    valid = validity(values, nodata)
    found = profile(values, valid, nodata, cuts)
    assert found == profile(values, valid, nodata, []) | {"values": found["values"]}
    for band, plane in zip(found["values"], values, strict=True):
        known = plane[valid].astype(np.float64)
        empty = ~np.isfinite(plane.astype(np.float64)) | (
            plane == nodata if nodata is not None else False
        )
        assert band["missing"] == pytest.approx(empty.mean(), abs=1e-6)
        if not known.size:
            assert [band[k] for k in ("min", "max", "mean", "p1", "p50", "p99")] == [None] * 6
            continue
        assert (band["min"], band["max"]) == (known.min(), known.max())
        assert band["mean"] == pytest.approx(known.mean(), rel=1e-9, abs=1e-6)
        for percent in PERCENTILES:  # the sample of a small image is all of it
            near = np.abs(known).max() * 1e-6
            assert band[f"p{percent}"] == pytest.approx(np.percentile(known, percent), abs=near)
        assert band["at_max"] == pytest.approx((known == known.max()).mean(), abs=1e-6)
        assert band["negative"] == pytest.approx((known < 0).mean(), abs=1e-6)
        assert band["whole"] == (known == np.round(known)).all()
    for value, share in found["fills"]:
        assert value != nodata
        everywhere = (values == np.asarray(value).astype(values.dtype)).all(axis=0)
        assert share == pytest.approx(everywhere[valid].mean(), abs=1e-6)


@given(images(), st.lists(st.integers(0, 1000), max_size=4))
def test_the_digest_tells_images_apart_and_nothing_else(values: Array, cuts: list[int]) -> None:
    valid = validity(values, None)
    digest = profile(values, valid, None, cuts)["pixels"]
    assert digest == profile(values.copy(), valid, None, [])["pixels"]
    known = values[:, valid]
    assert (digest is None) == (not known.size or (known.min(axis=1) == known.max(axis=1)).all())
    if digest is not None:
        other = values.copy()
        other[0, 0, 0] = 1 if other[0, 0, 0] != 1 else 2
        changed = profile(other, validity(other, None), None, [])
        assert changed["pixels"] != digest
        assert (
            changed["values"][0]["pixels"]
            != profile(values, valid, None, [])["values"][0]["pixels"]
        )


@pytest.mark.parametrize("shape", [(1300, 1100), (3, 400_000), (400_000, 3)])
def test_the_sample_is_bounded_and_near_the_truth(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(100, 20, (1, *shape)).astype(np.float32)
    found = Profile(*shape, None)
    for row in range(0, shape[0], STRIP):
        block = values[:, row : row + STRIP]
        found.add(row, block, np.ones(block.shape[1:], bool))
    sample = sum(len(part) for part in found._bands[0].sample)
    assert SAMPLE / 8 < sample <= 1.1 * SAMPLE
    (band,) = found.record()["values"]
    for percent in PERCENTILES:
        assert band[f"p{percent}"] == pytest.approx(np.percentile(values, percent), abs=0.8)


def write(
    path: Path, values: Array, crs: Any = "EPSG:32650", pixel: float = 10.0, **more: Any
) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", crs=crs, transform=Affine(pixel, 0, 500_000, 0, -pixel, 3_300_000),
        height=values.shape[1], width=values.shape[2], count=len(values), dtype=values.dtype, **more,
    ) as target:  # fmt: skip
        target.write(values)
    return path


def test_a_file_of_many_strips_is_surveyed_as_a_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 3000, (3, 2 * STRIP + 37, 61)).astype(np.uint16)
    values[:, : STRIP // 2] = 0
    path = write(tmp_path / "a.tif", values, nodata=0)
    found = survey(Image(path, (3, 1)))
    valid = (values[[2, 0]] != 0).any(axis=0)
    assert found["nodata_share"] == pytest.approx(1 - valid.mean(), abs=1e-6)
    for band, plane in zip(found["values"], values[[2, 0]], strict=True):
        known = plane[valid]
        assert (band["min"], band["max"], band["p50"]) == (
            known.min(),
            known.max(),
            np.median(known),
        )
        assert band["mean"] == pytest.approx(known.mean())


def test_masked_pixels_do_not_count_as_values(tmp_path: Path) -> None:
    values = np.full((1, 60, 40), 5, np.uint8)
    values[0, :20] = 200
    path = write(tmp_path / "a.tif", values)
    cloud = write(tmp_path / "m.tif", (values > 100).astype(np.uint8))
    found = survey(Image(path, (1,), mask=Mask(cloud, 1, (1.0,))))
    assert found["values"][0]["max"] == 5
    assert found["masked_share"] == found["nodata_share"] == pytest.approx(1 / 3, abs=1e-6)


@pytest.mark.parametrize(
    ("crs", "band", "words"),
    [(None, 1, "m.tif has no CRS"), ("EPSG:32650", 2, "mend scenes.optical.mask.band")],
)
def test_a_mask_that_cannot_be_placed_is_refused(
    tmp_path: Path, crs: str | None, band: int, words: str
) -> None:
    path = write(tmp_path / "a.tif", np.ones((1, 8, 8), np.uint8))
    cloud = write(tmp_path / "m.tif", np.ones((1, 8, 8), np.uint8), crs)
    with pytest.raises(SceneError, match=words):
        survey(Image(path, (1,), mask=Mask(cloud, band, (0.0,))), "scenes.optical")


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32650", Affine(10, 0, 500_000, 0, -10, 3_300_000)),
        ("EPSG:32650", Affine(6, 8, 500_000, 8, -6, 3_300_000)),  # turned
        ("EPSG:4326", Affine(10 / 111_319.49, 0, 179.9999, 0, -10 / 110_574.0, 0.0002)),  # date line
        ("EPSG:3857", Affine(20, 0, 0, 0, -20, 8_399_738)),  # 60° north: twice as large as on the ground
    ],
)  # fmt: skip
def test_pixel_sizes_are_metres_on_the_ground(tmp_path: Path, crs: str, transform: Affine) -> None:
    path = write(tmp_path / "a.tif", np.ones((1, 4, 4), np.uint8), crs)
    with rasterio.open(path, "r+") as target:
        target.transform = transform
    assert survey(Image(path, (1,)))["pixel_size"] == pytest.approx(10, rel=2e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_label_codes_are_counted(tmp_path: Path, dtype: Any) -> None:
    values = np.random.default_rng(2).choice([0, 7, 101], (1, STRIP + 20, 33)).astype(dtype)
    codes = survey_label(write(tmp_path / "l.tif", values, nodata=7), 1)["codes"]
    assert codes == {str(code): int((values == code).sum()) for code in (0, 7, 101)}


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("extreme", ["min", "max"])
def test_whole_numbers_beyond_single_precision_are_refused(
    tmp_path: Path, dtype: str, extreme: str
) -> None:
    values = np.full((1, 9, 9), 5, dtype)
    values[0, 4, 4] = getattr(np.iinfo(dtype), extreme)
    path = write(tmp_path / "a.tif", values)
    if values[0, 4, 4] == 0:
        assert survey(Image(path, (1,)))["values"][0]["max"] == 5
        return
    with pytest.raises(SceneError, match=f"as {dtype}; whole numbers beyond 16777216"):
        survey(Image(path, (1,)))
