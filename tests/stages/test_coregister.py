"""What `coregister` writes: arrays first, GeoTIFFs from them, and the one can be had from the other."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.warp import transform_bounds

from dllr.cli import main
from dllr.files import WORK
from dllr.params.load import read_yaml
from dllr.raster.arrays import open_arrays
from dllr.raster.grid import STRIP, Grid
from dllr.raster.gridding import gridded
from dllr.raster.image import Image, Mask

from .small_scenes import ROOT, save

HEIGHT, WIDTH = STRIP + 40, 90
ON = Affine(5, 0, 500_000, 0, -5, 3_300_000)
SCENE = Path("data/demo/a")
FOLDER = Path("results/coregistered/a")
BANDS = (3, 1, 4, 2)  # of the optical file, in the order asked for


def write(name: str, values: np.ndarray, crs: str, where: Affine, nodata: float | None) -> None:
    SCENE.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        SCENE / f"{name}.tif", "w", driver="GTiff", crs=crs, transform=where, height=values.shape[1],
        width=values.shape[2], count=len(values), dtype=values.dtype, nodata=nodata,
    ) as target:  # fmt: skip
        target.write(values)


def coregistered(dtype: str, nodata: float | None, masked: bool, other_crs: bool) -> None:
    """A scene with gaps of every kind, through the stage."""
    rng = np.random.default_rng(0)
    optical = rng.integers(1, 200, (4, HEIGHT, WIDTH)).astype(dtype)
    if nodata is not None:
        optical[:, :9] = nodata
    optical[0, 20] = 0
    if np.issubdtype(dtype, np.floating):
        optical[1, 30:33, 5] = np.nan
    write("optical", optical, "EPSG:32650", ON, nodata)
    write(
        "label", rng.choice([10, 20], (1, HEIGHT, WIDTH)).astype(np.uint8), "EPSG:32650", ON, None
    )
    write("cloud", rng.integers(0, 9, (1, HEIGHT // 2, WIDTH // 2)).astype(np.uint8), "EPSG:32650",
          ON @ Affine.scale(2), None)  # fmt: skip
    sar = rng.random((2, HEIGHT, WIDTH), np.float32) + 0.1
    sar[:, 40:50] = np.nan
    sar[1, 60] = 0
    crs, where = "EPSG:32650", ON
    if other_crs:
        grid = Grid(rasterio.CRS.from_epsg(32650), ON, HEIGHT, WIDTH)
        left, bottom, _, top = transform_bounds(grid.crs, "EPSG:4326", *grid.bounds())
        crs, where = "EPSG:4326", Affine(5e-5, 0, left, 0, -(top - bottom) / HEIGHT, top)
    write("sar", sar, crs, where, None)
    values = read_yaml(ROOT / "params.yaml")
    values["coregister"]["estimators"] = []
    values["scenes"]["optical"]["bands"] = dict(zip("abcd", BANDS, strict=True))
    values["scenes"]["sar"]["bands"] = {"HH": 1, "VV": 2}
    if masked:
        values["scenes"]["optical"]["mask"] = {
            "pattern": "{scene}/cloud.tif", "band": 1, "bad": [3], "above": None,
        }  # fmt: skip
    save(values)
    assert main(["scenes", "--out", "results/scenes"]) == 0
    words = "coregister --records results/scenes --out results/coregistered --labels-out results/l"
    assert main(words.split()) == 0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params").symlink_to(ROOT / "params")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("other_crs", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("uint8", None), ("uint8", 0), ("uint16", 65535), ("int16", -9999), ("float32", None), ("float64", 0)],
)  # fmt: skip
def test_the_direct_way_gives_the_pixels_of_the_long_way(
    dtype: str, nodata: float | None, masked: bool, other_crs: bool
) -> None:
    coregistered(dtype, nodata, masked, other_crs)
    mask = Mask(SCENE / "cloud.tif", 1, (3,)) if masked else None
    with rasterio.open(FOLDER / "optical.tif") as source:
        optical, empty, grid = source.read(), source.nodata, Grid.of(source)
    # Through single precision and not-a-number, as every image that is resampled.
    image = Image(SCENE / "optical.tif", BANDS, mask=mask)
    single = np.concatenate([values for _, values in gridded(image, grid)], axis=1)
    assert np.array_equal(
        np.isfinite(single), np.broadcast_to(optical_known(optical, empty), single.shape)
    )
    expected = np.where(np.isfinite(single), single, empty or 0).astype(dtype)
    assert np.array_equal(optical, expected, equal_nan=True)
    bands = Image(SCENE / "sar.tif", (1, 2))
    amplitude = np.concatenate([values for _, values in gridded(bands, grid)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        backscatter = np.where(amplitude > 0, 20 * np.log10(amplitude), np.nan)
    with rasterio.open(FOLDER / "sar.tif") as source:
        assert np.array_equal(source.read(), backscatter.astype(np.float32), equal_nan=True)


def optical_known(values: np.ndarray, empty: float | None) -> np.ndarray:
    finite = np.isfinite(values).all(axis=0)
    return finite if empty is None or np.isnan(empty) else finite & ~(values == empty).all(axis=0)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_arrays_are_remade_from_the_geotiffs_to_the_bit(dtype: str) -> None:
    coregistered(dtype, None, masked=True, other_crs=True)
    names = "optical", "sar", "valid"
    (folder,) = (WORK / "arrays").iterdir()
    first = [(folder / f"{name}.npy").read_bytes() for name in names]
    shutil.rmtree(WORK)
    scene = open_arrays(FOLDER)
    assert [(folder / f"{name}.npy").read_bytes() for name in names] == first
    assert scene.valid.shape == (2, HEIGHT, WIDTH) and not scene.valid.all() and scene.valid.any()


@pytest.mark.usefixtures("project")
def test_arrays_that_are_there_are_not_made_again() -> None:
    coregistered("uint16", None, masked=False, other_crs=False)
    (folder,) = (WORK / "arrays").iterdir()
    before = (folder / "sar.npy").stat().st_ino
    first = (FOLDER / "sar.tif").read_bytes()
    shutil.rmtree(WORK / "coregister")
    words = "coregister --records results/scenes --out results/coregistered --labels-out results/l"
    assert main(words.split()) == 0
    assert (folder / "sar.npy").stat().st_ino == before
    assert (FOLDER / "sar.tif").read_bytes() == first
