"""Polygons become labels: rasterio's own burning is the oracle, what was there stays, bad files are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.features import rasterize as burn
from rasterio.warp import transform

from dllr.cli import main
from dllr.errors import SceneError
from dllr.stages.rasterize import rasterize

UTM, SIDE = CRS.from_epsg(32650), 40
PLACE = Affine(10, 0, 500_000, 0, -10, 4_000_000)
BOX = st.tuples(
    *[st.integers(0, SIDE - 1)] * 2, *[st.integers(1, 15)] * 2, st.sampled_from([10, 20, 30])
)


def write_raster(path: Path, values: np.ndarray, crs: CRS | None = UTM, **more: Any) -> Path:
    profile = {"driver": "GTiff", "count": 1, "height": SIDE, "width": SIDE, "transform": PLACE}
    with rasterio.open(path, "w", crs=crs, dtype=values.dtype, **profile, **more) as file:
        file.write(values, 1)
    return path


def box(column: int, row: int, width: int, height: int) -> shapely.Polygon:
    """Along pixel edges."""
    left, top = PLACE @ (column, row)
    return shapely.box(left, top - 10 * height, left + 10 * width, top)


def write_polygons(
    path: Path, polygons: list[Any], codes: Any, crs: str | None = "EPSG:32650", name: str = "code",
    layer: str = "drawn", **more: Any,
) -> Path:  # fmt: skip
    kind = {"geometry_type": polygons[0].geom_type, "layer": layer, "crs": crs, "driver": "GPKG"}
    shapes = np.asarray(shapely.to_wkb(np.array(polygons, object)), object)
    pyogrio.raw.write(path, shapes, [np.asarray(codes)], [name], **kind, **more)
    return path


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        values: np.ndarray = file.read(1)
        return values


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_raster(tmp_path / "optical.tif", np.ones((SIDE, SIDE), np.uint16))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(BOX, min_size=1, max_size=8), st.booleans())
def test_a_pixel_has_the_one_code_of_its_polygons(
    tmp_path: Path, image: Path, boxes: list[tuple[int, ...]], there: bool
) -> None:
    """By hand, box by box; with and without a label file, whose values stay in all other places."""
    polygons = write_polygons(
        tmp_path / "p.gpkg", [box(*b[:4]) for b in boxes], [b[4] for b in boxes]
    )
    label = tmp_path / "label.tif"
    label.unlink(missing_ok=True)
    before = np.zeros((SIDE, SIDE), np.uint8)
    if there:
        before += np.random.default_rng(len(boxes)).integers(1, 9, before.shape, np.uint8)
        write_raster(label, before)
    held = {code: np.zeros(before.shape, bool) for code in (10, 20, 30)}
    for column, row, width, height, code in boxes:
        held[code][row : row + height, column : column + width] = True
    count = sum(inside.astype(int) for inside in held.values())
    expected = before.copy()
    for code, inside in held.items():
        expected[inside & (count == 1)] = code
    told = rasterize(polygons, label, image, "code", None)
    assert (read(label) == expected).all()
    assert (f"{(count > 1).sum()} px lie in polygons of several codes" in told) == (count > 1).any()


def test_polygons_in_degrees_are_burnt_as_rasterio_burns_them_on_the_grid(
    tmp_path: Path, image: Path
) -> None:
    rng = np.random.default_rng(0)
    centres = 500_000 + rng.uniform(50, 350, 5), 4_000_000 - rng.uniform(50, 350, 5)
    discs = [
        shapely.Point(x, y).buffer(r)
        for x, y, r in zip(*centres, [20, 35, 50, 60, 33], strict=True)
    ]

    def degrees(places: np.ndarray) -> np.ndarray:
        return np.column_stack(transform(UTM, CRS.from_epsg(4326), *places.T))

    turned = [shapely.transform(disc, degrees) for disc in discs]
    polygons = write_polygons(tmp_path / "p.gpkg", turned, [7] * 5, "EPSG:4326")
    label = tmp_path / "new" / "label.tif"
    assert main(["rasterize", str(polygons), str(label), "--image", str(image)]) == 0
    expected = burn([(disc, 7) for disc in discs], (SIDE, SIDE), transform=PLACE, dtype="uint8")
    assert (
        expected.any() and (read(label) == expected).mean() > 0.999
    )  # edges through a centre may turn
    with rasterio.open(label) as file:
        assert (file.crs, file.transform, file.dtypes, file.nodata) == (UTM, PLACE, ("uint8",), 0)


def test_what_a_label_file_has_beside_its_values_stays(tmp_path: Path) -> None:
    label = write_raster(tmp_path / "label.tif", np.full((SIDE, SIDE), 3, np.uint8), nodata=9)
    with rasterio.open(label, "r+") as file:
        file.write_colormap(1, {3: (1, 2, 3, 255)})
    polygons = write_polygons(tmp_path / "p.gpkg", [box(1, 2, 3, 4)], [5])
    rasterize(polygons, label, None, "code", None)
    with rasterio.open(label) as file:
        assert file.nodata == 9 and file.colormap(1)[3] == (1, 2, 3, 255)
    assert (read(label) == 5).sum() == 12 and (read(label) == 3).sum() == SIDE**2 - 12


def test_polygons_without_a_code_are_left_out_and_large_codes_are_held(
    tmp_path: Path, image: Path
) -> None:
    """A column of whole numbers with an empty field is read as one of floating-point numbers."""
    drawn = [box(0, 0, 2, 2), box(5, 5, 2, 2)]
    polygons = write_polygons(tmp_path / "p.gpkg", drawn, [1000.0, np.nan])
    told = rasterize(polygons, label := tmp_path / "label.tif", image, "code", None)
    assert (
        "1 polygons without a code are left out" in told and "code 1000: 1 polygons, 4 px" in told
    )
    assert np.unique(read(label), return_counts=True)[1].tolist() == [SIDE**2 - 4, 4]


def test_of_several_layers_one_must_be_named(tmp_path: Path, image: Path) -> None:
    path = write_polygons(tmp_path / "p.gpkg", [box(0, 0, 2, 2)], [1], layer="one")
    write_polygons(path, [box(0, 0, 3, 3)], [2], layer="two", append=True)
    for layer in (None, "three"):
        with pytest.raises(SceneError, match="layers one, two; name the one"):
            rasterize(path, tmp_path / "label.tif", image, "code", layer)
    rasterize(path, tmp_path / "label.tif", image, "code", "two")
    assert (read(tmp_path / "label.tif") == 2).sum() == 9


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "column": ({"name": "class_id"}, "columns class_id, and no code; add it"),
    "text": ({"codes": ["forest"]}, "holds forest; expected whole numbers"),
    "fraction": ({"codes": [1.5]}, "holds 1.5; expected whole numbers"),
    "empty": ({"codes": [np.nan]}, "none of them with a code"),
    "negative": ({"codes": [-1]}, "codes from -1 to -1, and .* holds 0 to 255"),
    "large": ({"codes": [70_000]}, "codes from 70000 to 70000, and .* holds 0 to 65535"),
    "elsewhere": ({"polygons": [box(100, 0, 2, 2)]}, "no polygon .* holds the centre of a pixel"),
    "lines": ({"polygons": [shapely.LineString([(500_010, 3_999_990), (500_090, 3_999_900)])]}, "LineString"),
    "no crs": ({"crs": None}, "no CRS; set the one"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
@pytest.mark.parametrize("case", WRONG)
def test_bad_polygons_are_refused_and_nothing_is_written(
    case: str, tmp_path: Path, image: Path
) -> None:
    changed, message = WRONG[case]
    good: dict[str, Any] = {"polygons": [box(0, 0, 2, 2)], "codes": [1]}
    path = write_polygons(tmp_path / "p.gpkg", **(good | changed))
    with pytest.raises(SceneError, match=message):
        rasterize(path, tmp_path / "label.tif", image, "code", None)
    assert not (tmp_path / "label.tif").exists()


def test_bad_label_files_are_refused_and_left_alone(tmp_path: Path, image: Path) -> None:
    polygons = write_polygons(tmp_path / "p.gpkg", [box(0, 0, 2, 2)], [300])
    label = tmp_path / "label.tif"
    with pytest.raises(SceneError, match="does not exist; for a new label file name the image"):
        rasterize(polygons, label, None, "code", None)
    with pytest.raises(SceneError, match="cannot be opened as a vector file"):
        rasterize(image, label, image, "code", None)
    shifted = write_raster(tmp_path / "other.tif", np.ones((SIDE, SIDE), np.uint8))
    with rasterio.open(shifted, "r+") as file:
        file.transform = PLACE @ Affine.translation(1, 0)
    for values, crs, other, message in (
        (
            np.ones((SIDE, SIDE), np.float32),
            UTM,
            image,
            "1 bands of type float32; expected a label",
        ),
        (
            np.ones((SIDE, SIDE), np.uint8),
            UTM,
            image,
            "codes from 300 to 300, and .* holds 0 to 255",
        ),
        (np.ones((SIDE, SIDE), np.uint8), UTM, shifted, "does not lie on the grid"),
        (np.ones((SIDE, SIDE), np.uint8), None, None, "has no CRS"),
    ):
        before = write_raster(label, values, crs).read_bytes()
        with pytest.raises(SceneError, match=message):
            rasterize(polygons, label, other, "code", None)
        assert label.read_bytes() == before
