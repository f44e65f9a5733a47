"""A real tile that training never saw: `dllr map`, its files read back by others, and the same map by ONNX."""

import os
import shutil
import subprocess
from pathlib import Path

import geopandas
import numpy as np
import onnxruntime
import pytest
import rasterio
from rasterio.features import rasterize

from dllr.cli import main
from dllr.params import use
from dllr.params.load import read_yaml
from dllr.raster.windows import positions

from .small_run import stage
from .small_scenes import front, save

ROOT = Path(__file__).parents[2]
R = "results"
SHARED = os.environ.get("DLLR_SHARED_DATA")
UNSEEN = "38D_378R_2_3"
pytestmark = pytest.mark.skipif(not SHARED, reason="DLLR_SHARED_DATA does not name the real scenes")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training on the three other tiles, its export, and the map of the fourth."""
    root, tiles = tmp_path_factory.mktemp("unseen"), Path(SHARED or "") / "terramesh"
    shutil.copytree(ROOT / "params", root / "params")
    for folder in (path for path in tiles.iterdir() if path.is_dir()):
        kept = "new" if folder.name == UNSEEN else f"data/terramesh/{folder.name}"
        shutil.copytree(folder, root / kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        use.use("terramesh")
        values = read_yaml(Path("params.yaml"))
        values["model"]["width"] = 8
        values["warmup"]["steps"] = 60
        values["rounds"] = {}
        values["map"] |= {"sieve": 0, "polygons": True}
        save(values)
        assert front() == 0
        stage(
            f"warmup --coregistered {R}/coregistered --tiles {R}/tiles --split {R}/split --out {R}/rounds/0"
        )
        stage(
            f"evaluate --coregistered {R}/coregistered --labels {R}/labels --split {R}/split "
            f"--trained {R}/rounds --out {R}/evaluation"
        )
        stage(
            f"export --coregistered {R}/coregistered --split {R}/split --checkpoint "
            f"{R}/evaluation/checkpoint.pt --scores {R}/evaluation/scores.json --out {R}/model"
        )
        files = ["--optical", "new/optical.tif", "--sar", "new/sar.tif"]
        assert main(["map", *files, "--out", "map"]) == 0
    return root


def test_rasters_are_read_back(project: Path) -> None:
    with (
        rasterio.open(project / "map/class.tif") as found,
        rasterio.open(project / "new/optical.tif") as given,
    ):
        assert (found.crs, found.transform, found.shape) == (
            given.crs,
            given.transform,
            given.shape,
        )
        names = list(read_yaml(project / "params.yaml")["scenes"]["label"]["classes"])
        values = found.read(1)
        assert set(np.unique(values)) <= {*range(len(names)), 255}
        assert len(set(np.unique(values)) - {255}) > 1  # else the comparisons below say little
        assert [found.tags()[f"class_{k}"] for k in range(len(names))] == names


@pytest.mark.skipif(not shutil.which("gdalinfo"), reason="GDAL's programs are not installed")
def test_gdalinfo_reads_names_colours_and_layout(project: Path) -> None:
    told = subprocess.run(
        ["gdalinfo", project / "map/class.tif"], capture_output=True, text=True, check=True
    ).stdout
    names = read_yaml(project / "params.yaml")["scenes"]["label"]["classes"]
    assert "LAYOUT=COG" in told and "NoData Value=255" in told
    assert all(f"{place}: {name}" in told for place, name in enumerate(names))
    red, green, blue = bytes.fromhex(next(iter(names.values()))["colour"][1:])
    assert f"0: {red},{green},{blue},255" in told


def test_polygons_are_the_raster_for_geopandas(project: Path) -> None:
    frame = geopandas.read_file(project / "map/polygons.gpkg")
    names = list(read_yaml(project / "params.yaml")["scenes"]["label"]["classes"])
    with rasterio.open(project / "map/class.tif") as source:
        values, place = source.read(1), source.transform
        assert frame.crs == source.crs
    shapes = zip(frame.geometry, map(names.index, frame["class"]), strict=True)
    again = rasterize(shapes, values.shape, fill=255, transform=place, dtype="uint8")
    assert np.array_equal(again, values)
    assert frame["area_m2"].to_numpy() == pytest.approx(frame.area.to_numpy())


def test_onnx_runtime_makes_the_same_map(project: Path) -> None:
    """Windows as `dllr map` lays them. Their mean logits have the largest value where the mean logarithms
    of probabilities do."""
    parts, params = [], read_yaml(project / "params.yaml")
    for name in ("optical", "sar"):
        bands = list(params["scenes"][name]["bands"].values())
        with rasterio.open(project / f"new/{name}.tif") as source:
            parts.append(source.read(bands, masked=True).astype(np.float32).filled(np.nan))
    image = np.concatenate(parts)
    with rasterio.open(project / "map/class.tif") as source:
        found, place = source.read(1), source.transform
    session = onnxruntime.InferenceSession(
        str(project / R / "model/model.onnx"), providers=["CPUExecutionProvider"]
    )
    size = session.get_inputs()[0].shape[-1]
    stride = round(size * (1 - params["map"]["overlap"]))
    ramp = np.maximum(np.hanning(size + 2)[1:-1], 0.03)
    # Windows begin at multiples of the stride, counted in pixels from the zero of the CRS.
    across, down = round(place.c / place.a), round(place.f / place.e)
    total = np.zeros((session.get_outputs()[0].shape[1], *found.shape))
    for y in positions(found.shape[0], size, stride, down):
        for x in positions(found.shape[1], size, stride, across):
            window = image[None, :, y : y + size, x : x + size]
            (probability,) = session.run(None, {"image": window})
            total[:, y : y + size, x : x + size] += np.outer(ramp, ramp) * np.log(
                probability[0].clip(1e-30)
            )
    known = found != 255
    same = total.argmax(axis=0)[known] == found[known]
    assert same.mean() > 0.9999  # probabilities differ by up to 1e-4, so ties may fall either way
