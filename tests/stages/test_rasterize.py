"""Polygons become labels: boxes by hand, rasterio's burning as oracle, what was there stays, bad files are refused."""

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
from dllr.params.load import load
from dllr.params.scenes import Label
from dllr.raster import grid as grids
from dllr.stages.rasterize import rasterize

UTM, SIDE = CRS.from_epsg(32650), 40
PLACE = Affine(10, 0, 500_000, 0, -10, 4_000_000)
BOX = st.tuples(
    *[st.integers(0, SIDE - 1)] * 2, *[st.integers(1, 15)] * 2, st.sampled_from([10, 20, 30])
)
LABEL = Label.model_validate(
    {
        "pattern": "{scene}.tif",
        "band": 1,
        "classes": {
            "field": {"codes": [10, 11], "colour": "#112233"},
            "town": {"codes": [20], "colour": "#445566"},
            "water": {"codes": [30], "colour": "#778899"},
        },
        "ignore": [0, 255],
    }
)


def write_raster(path: Path, values: np.ndarray, crs: CRS | None = UTM, **more: Any) -> Path:
    profile = {"driver": "GTiff", "count": 1, "height": SIDE, "width": SIDE, "transform": PLACE}
    with rasterio.open(path, "w", crs=crs, dtype=values.dtype, **(profile | more)) as file:
        file.write(np.broadcast_to(values, (file.count, SIDE, SIDE)))
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
    values = np.asarray(codes, object if isinstance(codes[0], str | None) else None)
    pyogrio.raw.write(path, shapes, [values], [name], **kind, **more)
    return path


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        values: np.ndarray = file.read(1)
        return values


def draw(
    polygons: Path, label: Path, image: Path | None = None, settings: Label = LABEL, layer: str | None = None
) -> str:  # fmt: skip
    return rasterize(polygons, label, image, "code", layer, settings)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_raster(tmp_path / "optical.tif", np.ones((SIDE, SIDE), np.uint16))


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
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
        dice = np.random.default_rng(len(boxes))
        before = dice.choice(np.array([0, 10, 11, 30, 255], np.uint8), before.shape)
        write_raster(label, before)
    held = {code: np.zeros(before.shape, bool) for code in (10, 20, 30)}
    for column, row, width, height, code in boxes:
        held[code][row : row + height, column : column + width] = True
    count = sum(inside.astype(int) for inside in held.values())
    expected = before.copy()
    for code, inside in held.items():
        expected[inside & (count == 1)] = code
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grids, "STRIP", 16)  # several strips
        told = draw(polygons, label, image)
    np.testing.assert_array_equal(read(label), expected)
    coded = ~np.isin(before, LABEL.ignore)
    for number, words in (
        ((count > 1).sum(), "px lie in polygons of several codes"),
        (((count == 1) & coded & (before != expected)).sum(), "px had another code before"),
        (((count == 0) & coded).sum(), "px outside these polygons"),
        *(((expected == c)[count == 1].sum(), f"polygons, {(expected == c)[count == 1].sum()} px")
          for c in {b[4] for b in boxes}),
    ):  # fmt: skip
        assert (words in told) == (number > 0 or words.startswith("polygons")), told


def test_polygons_in_degrees_are_burnt_as_on_the_grid(tmp_path: Path, image: Path) -> None:
    """Edges that are straight on the grid bend in degrees; pieces of them hardly do."""
    rng = np.random.default_rng(0)
    centres = 500_000 + rng.uniform(50, 350, 5), 4_000_000 - rng.uniform(50, 350, 5)
    discs = [
        shapely.Point(x, y).buffer(r) for x, y, r in zip(*centres, [20, 35, 50, 60, 33], strict=True)
    ]  # fmt: skip

    def degrees(places: np.ndarray) -> np.ndarray:
        return np.column_stack(transform(UTM, CRS.from_epsg(4326), *places.T))

    turned = [shapely.transform(disc, degrees) for disc in discs]
    polygons = write_polygons(tmp_path / "p.gpkg", turned, ["water"] * 5, "EPSG:4326")
    draw(polygons, label := tmp_path / "new" / "label.tif", image)
    expected = burn([(disc, 30) for disc in discs], (SIDE, SIDE), transform=PLACE, dtype="uint8")
    assert (
        expected.any() and (read(label) == expected).mean() > 0.999
    )  # an edge through a centre may turn


def test_long_edges_follow_the_ground(tmp_path: Path) -> None:
    """A box of 4° of longitude in degrees: its parallel is no straight line in UTM."""
    coarse = Affine(2000, 0, 320_000, 0, -2000, 5_600_000)
    with rasterio.open(
        tmp_path / "coarse.tif", "w", driver="GTiff", count=1, height=220, width=180, dtype="uint8",
        crs=UTM, transform=coarse,
    ) as file:  # fmt: skip
        file.write(np.ones((1, 220, 180), np.uint8))
    polygons = write_polygons(
        tmp_path / "p.gpkg", [shapely.box(115, 48, 119, 50)], [20], "EPSG:4326"
    )
    draw(polygons, label := tmp_path / "label.tif", tmp_path / "coarse.tif")
    rows, columns = np.indices((220, 180))
    x, y = coarse @ (columns.ravel() + 0.5, rows.ravel() + 0.5)
    east, north = (np.array(v) for v in transform(UTM, CRS.from_epsg(4326), x, y))
    inside = ((east > 115) & (east < 119) & (north > 48) & (north < 50)).reshape(220, 180)
    assert inside.any() and ((read(label) == 20) != inside).mean() < 0.0005


def test_a_new_file_knows_nothing_outside_and_has_the_colours(tmp_path: Path, image: Path) -> None:
    polygons = write_polygons(tmp_path / "p.gpkg", [box(1, 2, 3, 4)], [20])
    floods = LABEL.model_copy(update={"ignore": [255, 7]})
    draw(polygons, label := tmp_path / "label.tif", image, floods)
    with rasterio.open(label) as file:
        assert (file.crs, file.transform, file.dtypes, file.nodata) == (UTM, PLACE, ("uint8",), 255)
        assert file.colormap(1)[20][:3] == (0x44, 0x55, 0x66)
    assert np.unique(read(label), return_counts=True)[1].tolist() == [12, SIDE**2 - 12]
    with pytest.raises(SceneError, match="ignore names no code, .* add one"):
        draw(polygons, tmp_path / "b.tif", image, LABEL.model_copy(update={"ignore": []}))


def test_what_a_label_file_has_beside_its_values_stays(tmp_path: Path) -> None:
    label = write_raster(tmp_path / "label.tif", np.full((SIDE, SIDE), 30, np.int16), nodata=9)
    link = tmp_path / "link.tif"
    link.symlink_to(label)
    overviews = tmp_path / "label.tif.ovr"
    overviews.write_bytes(b"of the values before")
    polygons = write_polygons(tmp_path / "p.gpkg", [box(1, 2, 3, 4)], ["11"])
    draw(polygons, link)
    assert link.is_symlink() and not overviews.exists()
    with rasterio.open(label) as file:
        assert (file.nodata, file.dtypes) == (9, ("int16",))
    assert (read(label) == 11).sum() == 12 and (read(label) == 30).sum() == SIDE**2 - 12


def test_polygons_without_a_code_are_left_out(tmp_path: Path, image: Path) -> None:
    """A column of whole numbers with an empty field is read as one of floating-point numbers."""
    drawn = [box(0, 0, 2, 2), box(5, 5, 2, 2), None]
    polygons = write_polygons(tmp_path / "p.gpkg", drawn, [20.0, np.nan, 30.0])
    told = draw(polygons, label := tmp_path / "label.tif", image)
    assert "1 polygons without a code are left out" in told and "20: 1 polygons, 4 px" in told
    assert "1 rows without a shape are left out" in told
    assert np.unique(read(label), return_counts=True)[1].tolist() == [SIDE**2 - 4, 4]
    words = write_polygons(tmp_path / "w.gpkg", drawn[:2], [None, "town"])
    draw(words, label)
    assert (read(label) == 20).sum() == 8


def test_of_several_layers_one_must_be_named(tmp_path: Path, image: Path) -> None:
    path = write_polygons(tmp_path / "p.gpkg", [box(0, 0, 2, 2)], [10], layer="one")
    write_polygons(path, [box(0, 0, 3, 3)], [20], layer="two", append=True)
    for layer in (None, "three"):
        with pytest.raises(SceneError, match="shapes one, two; name the one"):
            draw(path, tmp_path / "label.tif", image, layer=layer)
    draw(path, tmp_path / "label.tif", image, layer="two")
    assert (read(tmp_path / "label.tif") == 20).sum() == 9


def test_the_command_line_goes_by_the_classes_of_params(tmp_path: Path, image: Path) -> None:
    label = load().scenes.label
    polygons = write_polygons(tmp_path / "p.gpkg", [box(0, 0, 2, 2)], [label.names[1]], name="what")
    words = ["rasterize", str(polygons), str(tmp_path / "l.tif"), "--image", str(image)]
    assert main([*words, "--column", "what"]) == 0
    assert (read(tmp_path / "l.tif") == label.classes[label.names[1]].codes[0]).sum() == 4
    assert main(words) == 1


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "column": ({"name": "class_id"}, "columns class_id, and no code; add it"),
    "text": ({"codes": ["forest"]}, r"holds 'forest'; expected codes .* \(10 field, 20 town"),
    "fraction": ({"codes": [10.5]}, "holds 10.5; expected codes"),
    "infinite": ({"codes": [np.inf]}, "holds inf; expected codes"),
    "unknown": ({"codes": [40]}, "holds 40; expected codes"),
    "empty": ({"codes": [np.nan]}, "1 rows, 1 without a code in code"),
    "elsewhere": ({"polygons": [box(100, 0, 2, 2)]}, "no polygon .* holds the centre of a pixel"),
    "lines": ({"polygons": [shapely.LineString([(500_010, 3_999_990), (500_090, 3_999_900)])]}, "LineString"),
    "no crs": ({"crs": None}, "no CRS"),
    "no degrees": ({"crs": "EPSG:4326"}, "check the layer's CRS"),
    "undefined": ({"crs": 'LOCAL_CS["Undefined Cartesian SRS",UNIT["metre",1]]'}, "no CRS"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
@pytest.mark.parametrize("case", WRONG)
def test_bad_polygons_are_refused_and_nothing_is_written(
    case: str, tmp_path: Path, image: Path
) -> None:
    changed, message = WRONG[case]
    good: dict[str, Any] = {"polygons": [box(0, 0, 2, 2)], "codes": [10]}
    path = write_polygons(tmp_path / "p.gpkg", **(good | changed))
    with pytest.raises(SceneError, match=message):
        draw(path, tmp_path / "label.tif", image)
    assert {p.name for p in tmp_path.iterdir()} == {"p.gpkg", "optical.tif"}


@pytest.mark.filterwarnings("ignore:Non closed ring")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cut.gpkg", b"SQLite format 3\0 and no more"),
        ("open.geojson", b'{"type": "Feature", "properties": {"code": 10}, "geometry": {"type": "Polygon", '
         b'"coordinates": [[[117, 36], [117.1, 36], [117.1, 36.1]]]}}'),
    ],
)  # fmt: skip
def test_broken_files_of_polygons_are_refused(
    name: str, text: bytes, tmp_path: Path, image: Path
) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(SceneError, match="cannot be read as a file of polygons"):
        draw(tmp_path / name, tmp_path / "label.tif", image)


def test_bad_label_files_are_refused_and_left_alone(tmp_path: Path, image: Path) -> None:
    polygons = write_polygons(tmp_path / "p.gpkg", [box(0, 0, 2, 2)], [10])
    label = tmp_path / "label.tif"
    with pytest.raises(SceneError, match="does not exist; for a new label file name the image"):
        draw(polygons, label)
    with pytest.raises(SceneError, match="no name of a GeoTIFF"):
        draw(polygons, tmp_path / "label.png", image)
    with pytest.raises(SceneError, match="nowhere.gpkg does not exist"):
        draw(tmp_path / "nowhere.gpkg", label, image)
    with pytest.raises(SceneError, match="cannot be read as a file of polygons"):
        draw(image, label, image)
    with pytest.raises(SceneError, match="is the image itself"):
        draw(polygons, image, image)
    shifted = write_raster(tmp_path / "other.tif", np.full((SIDE, SIDE), 10, np.uint8))
    with rasterio.open(shifted, "r+") as file:
        file.transform = PLACE @ Affine.translation(1, 0)
    ones, more = np.full((SIDE, SIDE), 10, np.uint8), dict[str, Any]()
    for values, crs, other, more, message in (
        (ones.astype(np.float32), UTM, image, {}, "1 bands of type float32; expected a label"),
        (ones, UTM, image, {"count": 2}, "2 bands of type uint8; expected a label"),
        (ones + 3, UTM, image, {}, "holds 13, codes that neither"),
        (ones, UTM, shifted, {}, "does not lie on the grid"),
        (ones, None, None, {}, "has no CRS"),
    ):  # fmt: skip
        before = write_raster(label, values, crs, **more).read_bytes()
        with pytest.raises(SceneError, match=message):
            draw(polygons, label, other)
        assert label.read_bytes() == before
    large = LABEL.model_copy(update={"classes": {**LABEL.classes, "ice": LABEL.classes["town"].model_copy(update={"codes": [300]})}})  # fmt: skip
    before = write_raster(label, ones).read_bytes()
    with pytest.raises(SceneError, match="codes from 300 to 300, and .* is of type uint8"):
        draw(write_polygons(tmp_path / "q.gpkg", [box(0, 0, 2, 2)], [300]), label, None, large)
    assert label.read_bytes() == before
