"""A lazy image holds what its strips hold, and computes only what is asked for."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from dllr.errors import SceneError
from dllr.raster.grid import STRIP
from dllr.raster.image import Image, Mask, Strip, strips
from dllr.raster.lazy import chunks, open_image

ROWS = 2 * STRIP + 50


def write(path: Path, values: np.ndarray, pixel: float = 10.0) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", crs="EPSG:32650", transform=Affine(pixel, 0, 500_000, 0, -pixel, 3_300_000),
        height=values.shape[1], width=values.shape[2], count=len(values), dtype=values.dtype, nodata=0,
    ) as target:  # fmt: skip
        target.write(values)
    return path


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """Three bands of which two are taken, with nodata rows and a coarse mask."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 900, (3, ROWS, 40)).astype(np.int16)
    values[:, 500:530] = 0
    mask = (rng.random((1, ROWS // 2, 20)) < 0.2).astype(np.uint8)
    cloud = Mask(write(tmp_path / "m.tif", mask, 20), 1, (1.0,))
    return Image(write(tmp_path / "a.tif", values), (3, 1), mask=cloud)


def whole(parts: list[Strip], field: str) -> np.ndarray:
    return np.concatenate([getattr(part, field) for part in parts], axis=-2)


def test_it_holds_what_the_strips_hold(image: Image) -> None:
    lazy, read = open_image(image, ["red", "blue"]), list(strips(image))
    for field in ("values", "valid", "masked"):
        wanted = whole(read, field)
        assert lazy[field].dtype == wanted.dtype
        assert np.array_equal(lazy[field].compute(scheduler="threads"), wanted)
        assert np.array_equal(whole(list(chunks(lazy)), field), wanted)
    assert lazy["masked"].any() and not lazy["valid"][500:530].any()
    window = lazy["values"].sel(band="blue")[700:710, 3:9]
    with rasterio.open(image.path) as source:
        assert np.array_equal(window, source.read(1)[700:710, 3:9])
    assert float(lazy["x"][0]) == 500_005 and float(lazy["y"][0]) == 3_299_995


@pytest.mark.parametrize("height", [None, 208, 1088])
def test_each_block_is_read_once(
    image: Image, height: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rasterio.open(image.path) as source:
        values, profile = source.read(), source.profile
        block = {"tiled": True, "blockxsize": 16, "blockysize": height} if height else {}
    with rasterio.open(image.path, "w", **profile | block) as target:
        target.write(values)
    windows = []
    read = rasterio.io.DatasetReader.read

    def counting(source: object, *args: object, **kwargs: object) -> object:
        windows.append((kwargs["window"].row_off, kwargs["window"].height))
        return read(source, *args, **kwargs)

    lazy = open_image(Image(image.path, image.bands), ["red", "blue"])
    monkeypatch.setattr("rasterio.io.DatasetReader.read", counting)
    assert windows == []
    list(chunks(lazy))
    assert sum(height for _, height in windows) == ROWS
    with rasterio.open(image.path) as source:
        (rows, _), *_ = source.block_shapes
    assert rows == height or (height is None and rows < STRIP)
    assert all(first % rows == 0 for first, _ in windows)
    assert max(height for _, height in windows) < STRIP + rows


def test_it_can_be_sent_to_another_process(image: Image) -> None:
    lazy = open_image(image, ["red", "blue"])
    again = pickle.loads(pickle.dumps(lazy))
    assert lazy.equals(again)


def test_damage_is_told_when_it_is_met(image: Image) -> None:
    image.path.write_bytes(image.path.read_bytes()[: image.path.stat().st_size // 2])
    with pytest.raises(SceneError, match="a.tif breaks off at row"):
        list(chunks(open_image(image, ["red", "blue"])))
