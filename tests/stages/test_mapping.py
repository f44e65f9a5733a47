"""A scene's map: what every file of it promises, on scenes with missing pixels and missing modalities."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pystac
import pytest
import rasterio
import rasterio.shutil
import shapely
import torch
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pystac.extensions.mlm import MLMExtension
from rasterio.crs import CRS
from rasterio.features import rasterize, sieve
from rio_cogeo.cogeo import cog_validate

from dllr.maps.item import Model
from dllr.models import predict
from dllr.models.checkpoint import Trained
from dllr.models.network import HEADS, Network
from dllr.models.normalise import Normalisation
from dllr.models.predict import SYMMETRIES, logits
from dllr.params.map import Map
from dllr.raster.arrays import SceneArrays
from dllr.raster.grid import BLOCK, Grid, raster_writer, read_indices
from dllr.raster.roles import Role
from dllr.raster.superpixels import write_superpixels
from dllr.stages.mapping import Ground, head_for, write_item, write_map

HEIGHT, WIDTH = 600, 700  # more than a block: there are overviews
NAMES, COLOURS = ["water", "wood", "farm land"], ["#2166AC", "#1B7837", "#E3C56B"]
PLAIN: dict[str, Any] = {
    "overlap": 0.25, "augmentation": "none", "sieve": 0, "probabilities": False, "polygons": False,
    "suggestions": 0,
}  # fmt: skip
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def trained() -> Trained:
    torch.manual_seed(3)
    rng = np.random.default_rng(0)
    network = Network("light", 8, 2, 1, 3)
    for head in HEADS:  # an untrained network is sure of nothing
        for weights in network.decoders[head].parameters():
            weights.data.mul_(3)
    return Trained.new(
        network, optical=Normalisation.of(rng.random((5, 2, 9), np.float32), None),
        sar=Normalisation.of(rng.random((5, 1, 9), np.float32), None), optical_bands=["red", "nir"],
        sar_bands=["VV"], decibels=True, classes=NAMES, colours=COLOURS, size=64, pixel=5.0,
        temperatures={"fused": 0.5, "optical": 0.7, "sar": 0.9},
    )  # fmt: skip


@pytest.fixture(scope="module")
def scene() -> SceneArrays:
    """Smooth ground; rows without data, a corner without optical and one without SAR."""
    rng = np.random.default_rng(1)
    coarse = rng.random((3, HEIGHT // 20, WIDTH // 20), np.float32).repeat(20, 1).repeat(20, 2)
    values = coarse + rng.normal(0, 0.05, coarse.shape).astype(np.float32)
    valid = np.ones((2, HEIGHT, WIDTH), bool)
    valid[:, :37] = valid[:, 300:330, 100:400] = False
    valid[0, :200, :200] = valid[1, -200:, -200:] = False
    grid = Grid(CRS.from_epsg(32650), Affine(5, 0, 5e5, 0, -5, 3.3e6), HEIGHT, WIDTH)
    return SceneArrays(
        "s", grid, ["red", "nir"], ["VV"], 1.0, 0.0, values[:2], values[2:], valid
    )  # fmt: skip


@pytest.fixture
def write(trained: Trained, scene: SceneArrays, tmp_path: Path) -> Write:
    """Map a scene with these settings; the folder."""

    def made(
        name: str = "map",
        scene: SceneArrays = scene,
        used: Path | None = None,
        **settings: Any,
    ) -> Path:
        folder, ground = tmp_path / name, None
        folder.mkdir()
        if settings.get("suggestions"):
            ground = Ground(tmp_path / "superpixels.tif", used)
            write_superpixels(scene, ground.superpixels, 400, 0.7)
        write_map(scene, trained, Map(**(PLAIN | settings)), ground, folder)
        return folder

    return made


def seen_by(
    trained: Trained, scene: SceneArrays, head: str = "fused", augmentation: str = "none"
) -> NDArray[np.float32]:
    """The logits (K, H, W) that a map is made of."""
    bands = logits(
        trained, trained.teacher, scene, PLAIN["overlap"], torch.device("cpu"), (head,),
        SYMMETRIES[augmentation], scene.grid.origin(),
    )  # fmt: skip
    return np.concatenate([z[0] for _, z in bands], axis=1)


def without(scene: SceneArrays, modality: int) -> SceneArrays:
    valid = scene.valid.copy()
    valid[modality] = False
    return replace(scene, valid=valid)


def test_rasters_are_valid_cogs_on_the_scenes_grid_and_leave_no_data_alone(
    write: Write, scene: SceneArrays
) -> None:
    folder = write(probabilities=True)
    assert not (folder / "polygons.gpkg").exists()
    seen = scene.valid.any(axis=0)
    for name in ("class", "confidence", "entropy", "probabilities"):
        valid, errors, warnings = cog_validate(folder / f"{name}.tif", strict=True)
        assert valid and not errors and not warnings
        with rasterio.open(folder / f"{name}.tif") as source:
            assert Grid.of(source) == scene.grid
            assert source.nodata == 255 and source.dtypes[0] == "uint8"
            assert source.overviews(1)
            for values in source.read():
                assert np.array_equal(values != 255, seen)
                assert values[seen].max() <= 100


def test_the_class_raster_has_names_and_colours_and_its_overviews_only_classes(
    write: Write,
) -> None:
    folder = write()
    with rasterio.open(folder / "class.tif") as source:
        assert [source.colormap(1)[i] for i in range(3)] == [
            (0x21, 0x66, 0xAC, 255), (0x1B, 0x78, 0x37, 255), (0xE3, 0xC5, 0x6B, 255),
        ]  # fmt: skip
        assert [source.tags()[f"class_{i}"] for i in range(3)] == NAMES
    with rasterio.open(folder / "class.tif", overview_level=0) as thin:
        assert thin.shape == (HEIGHT // 2, WIDTH // 2)
        assert set(np.unique(thin.read(1))) <= {0, 1, 2, 255}
    rasterio.shutil.copy(folder / "class.tif", folder / "seen.vrt", driver="VRT")
    seen = ElementTree.parse(folder / "seen.vrt")
    assert [c.text for c in seen.iterfind(".//CategoryNames/Category")] == NAMES
    assert [
        e.get("label") for e in ElementTree.parse(folder / "class.qml").iter("paletteEntry")
    ] == NAMES


def test_classes_are_those_of_the_logits_and_confidence_is_calibrated(
    write: Write, scene: SceneArrays, trained: Trained
) -> None:
    folder, seen = write(probabilities=True), scene.valid.any(axis=0)
    z = seen_by(trained, scene) / 0.5
    expected = np.exp(z - z.max(axis=0)) / np.exp(z - z.max(axis=0)).sum(axis=0)
    assert np.array_equal(read_indices(folder / "class.tif")[seen], z.argmax(axis=0)[seen])
    confidence = read_indices(folder / "confidence.tif")
    assert np.abs(confidence - 100 * expected.max(axis=0))[seen].max() <= 0.51
    with rasterio.open(folder / "probabilities.tif") as source:
        assert list(source.descriptions) == NAMES
        assert np.abs(source.read() - 100 * expected)[:, seen].max() <= 0.51
    with rasterio.open(folder / "confidence.tif") as source:
        assert source.tags()["temperature"] == "0.5" and source.tags()["head"] == "fused"


@pytest.mark.parametrize(("missing", "head"), [(0, "sar"), (1, "optical")])
def test_a_scene_of_one_modality_is_mapped_by_its_head(
    missing: int, head: str, write: Write, scene: SceneArrays, trained: Trained
) -> None:
    alone = without(scene, missing)
    assert (head_for(alone), head_for(scene)) == (head, "fused")
    folder, seen = write(scene=alone), alone.valid.any(axis=0)
    expected = seen_by(trained, alone, head).argmax(axis=0)
    assert np.array_equal(read_indices(folder / "class.tif")[seen], expected[seen])
    assert (read_indices(folder / "class.tif")[~seen] == 255).all()


def test_a_scene_without_any_data_is_a_map_without_any(write: Write, scene: SceneArrays) -> None:
    folder = write(scene=without(without(scene, 0), 1), polygons=True, suggestions=3, sieve=9)
    for path in folder.glob("*.tif"):
        assert (read_indices(path) == 255).all()
    for name in ("polygons", "suggestions"):
        assert pyogrio.read_info(folder / f"{name}.gpkg", layer=0)["features"] == 0


@pytest.mark.parametrize(("y", "x"), [(48, 96), (1, 0), (13, 101)])
def test_scenes_that_overlap_have_the_same_map_there(
    y: int, x: int, write: Write, scene: SceneArrays, trained: Trained
) -> None:
    place = scene.grid.transform @ Affine.translation(x, y)
    grid = replace(scene.grid, transform=place, height=HEIGHT - y, width=WIDTH - x)
    part = (values[:, y:, x:] for values in (scene.optical, scene.sar, scene.valid))
    names = dict(zip(("optical", "sar", "valid"), part, strict=True))
    whole, cut = write(), write("cut", replace(scene, grid=grid, **names))
    inside = slice(trained.size, None), slice(trained.size, None)  # beyond the windows of the edge
    for file in ("class.tif", "confidence.tif", "entropy.tif"):
        ours, theirs = read_indices(whole / file)[y:, x:], read_indices(cut / file)
        assert np.array_equal(ours[inside], theirs[inside])
        assert len(np.unique(theirs[inside])) > 2


def test_a_wide_scene_is_mapped_in_sections_without_a_seam(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write(probabilities=True)
    monkeypatch.setattr(predict, "WIDTH", 300)
    assert predict.sections(WIDTH) == [range(256), range(256, 512), range(512, WIDTH)]
    apart = write("apart", probabilities=True)
    names = [path.name for path in whole.glob("*.tif")]
    assert len(names) == 4
    assert all((whole / name).read_bytes() == (apart / name).read_bytes() for name in names)


@given(st.integers(1, 300_000))
def test_sections_cover_a_scene_in_parts_of_bounded_width(width: int) -> None:
    found = predict.sections(width)
    assert all(one.stop == other.start for one, other in pairwise(found))
    assert (found[0].start, found[-1].stop) == (0, width)
    assert all(0 < len(part) <= predict.WIDTH + BLOCK for part in found)
    assert all(part.start % BLOCK == 0 for part in found)


def test_augmentation_averages_what_the_network_sees_turned(
    write: Write, scene: SceneArrays, trained: Trained
) -> None:
    folder, seen = write(augmentation="flips"), scene.valid.any(axis=0)
    expected = seen_by(trained, scene, augmentation="flips").argmax(axis=0)
    found = read_indices(folder / "class.tif")
    assert np.array_equal(found[seen], expected[seen])
    assert (found != read_indices(write("plain") / "class.tif")).any()


def test_the_sieve_leaves_no_small_patch_and_no_data_as_it_was(
    write: Write, scene: SceneArrays
) -> None:
    raw, found = (read_indices(write(f"{n}", sieve=n) / "class.tif") for n in (0, 30))
    seen = scene.valid.any(axis=0)
    assert np.array_equal(found != 255, seen)
    assert (found != raw).any()
    assert np.array_equal(found, sieve(raw, 30, mask=seen, connectivity=4))


@pytest.mark.parametrize("size", [0, 20])
def test_polygons_have_the_areas_of_the_finished_raster(size: int, write: Write) -> None:
    folder = write(polygons=True, sieve=size)
    meta, _, _, (names, area) = pyogrio.raw.read(folder / "polygons.gpkg", layer="classes")
    assert meta["fields"].tolist() == ["class", "area_m2"]
    values = read_indices(folder / "class.tif")
    for index, name in enumerate(NAMES):
        assert area[names == name].sum() == pytest.approx(25 * (values == index).sum())
    assert (folder / "polygons.qml").read_text() == str(
        pyogrio.raw.read(folder / "polygons.gpkg", layer="layer_styles", columns=["styleQML"])[3][
            0
        ][0]
    )


def test_suggestions_are_ranked_regions(write: Write) -> None:
    folder = write(suggestions=7)
    meta, _, geometry, fields = pyogrio.raw.read(folder / "suggestions.gpkg")
    assert len(geometry) == 7
    found = dict(zip(meta["fields"], fields, strict=True))
    assert list(found) == ["rank", "score", "class", "entropy", "area_m2"]
    assert found["rank"].tolist() == list(range(1, 8))
    assert (np.diff(found["score"]) <= 0).all() and set(found["class"]) <= set(NAMES)
    mean = read_indices(folder / "entropy.tif")
    assert found["entropy"].mean() > mean[mean != 255].mean()
    assert (found["area_m2"] % 25 == 0).all()


def test_a_suggestion_is_the_part_of_a_region_that_nothing_is_known_of(
    write: Write, scene: SceneArrays, tmp_path: Path
) -> None:
    roles = np.full((HEIGHT, WIDTH), Role.UNLABELLED, np.uint8)
    roles[HEIGHT // 2 :, ::3] = Role.TEST  # regions are cut into pieces
    roles[:, WIDTH // 2 :] = Role.LABELLED
    with raster_writer(
        tmp_path / "roles.tif", scene.grid, bands=1, dtype="uint8", nodata=255
    ) as file:
        file.write(roles, 1)
    folder = write(suggestions=40, used=tmp_path / "roles.tif")
    meta, _, geometry, fields = pyogrio.raw.read(folder / "suggestions.gpkg")
    area = dict(zip(meta["fields"], fields, strict=True))["area_m2"]
    mapped = read_indices(folder / "class.tif") != 255
    pieces = 0
    for outline, size in zip(shapely.from_wkb(geometry), area, strict=True):
        inside = rasterize([outline], roles.shape, transform=scene.grid.transform) == 1
        assert (roles[inside] == Role.UNLABELLED).all() and mapped[inside].all()
        assert 25 * inside.sum() == size
        pieces += len(outline.geoms) - 1
    assert pieces


def test_the_item_is_valid_stac_and_describes_files_and_model(
    write: Write, trained: Trained
) -> None:
    folder = write(polygons=True)
    write_item(folder, "scene 1", trained, Model("../evaluation/checkpoint.pt", "ab" * 32))
    value = json.loads((folder / "item.json").read_text())
    # The schemas of the core lie in the library, those of extensions on the network.
    pystac.validation.validate_dict(value | {"stac_extensions": []})
    item = pystac.Item.from_dict(value)
    model = MLMExtension.ext(item)
    assert model.tasks == ["semantic-segmentation"]
    assert [i.name for i in model.input] == ["optical", "sar"]
    named = {band["name"] for band in item.assets["model"].extra_fields["bands"]}
    assert {band.name for i in model.input for band in i.bands} == named
    assert model.input[0].input.shape == [-1, 2, 64, 64]
    values = np.linspace(-1, 2, 50, dtype=np.float32)
    for read, scale in zip(model.input, (trained.optical, trained.sar), strict=True):
        wanted = scale(torch.from_numpy(values).expand(1, len(read.bands), 1, 50))[0, :, 0]
        for band, expected in zip(read.properties["value_scaling"], wanted, strict=True):
            assert (band["type"], band["format"]) == ("processing", "gdal-calc")
            found = eval(band["expression"], {"clip": np.clip, "A": values})
            np.testing.assert_allclose(found, expected, atol=1e-5)
    assert "fused head; divided by 0.5 " in model.output[0].description
    assert [c.description for c in model.output[0].classes] == NAMES
    assert model.total_parameters == sum(p.numel() for p in trained.teacher.parameters())
    roles = {key: asset.roles for key, asset in item.assets.items()}
    assert [key for key, role in roles.items() if "mlm:model" in role] == ["model"]
    assert set(roles) == {"class", "confidence", "entropy", "polygons", "model"}
    for key, asset in item.assets.items():
        assert key == "model" or (folder / asset.href).exists()
    west, south, east, north = item.bbox
    assert 116 < west < east < 118 and 29 < south < north < 30


def test_the_same_scene_gives_the_same_bytes(write: Write) -> None:
    one, other = (write(name, polygons=True, suggestions=3, sieve=4) for name in ("one", "other"))
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in names)
