"""Places for images that have none: sheets tile the Earth, patches never share ground."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.warp import transform_bounds

from dllr.cli import main
from dllr.errors import SceneError
from dllr.ingest.place import GEOGRAPHIC, UTM, patch_key, sheet_bounds, side_by_side

LETTERS, PARTS = "ABCDEFGHIJKLMNOPQRSTUV", st.integers(1, 24)
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def write(path: Path, values: np.ndarray, **place: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = values.shape
    driver = "PNG" if path.suffix == ".png" else "GTiff"
    with rasterio.open(
        path, "w", driver=driver, height=height, width=width, count=bands, dtype=values.dtype, **place
    ) as target:  # fmt: skip
        target.write(values)


@given(st.sampled_from(LETTERS), st.integers(1, 60), PARTS, PARTS)
def test_a_sheets_centre_lies_in_no_other_sheet(
    letter: str, zone: int, row: int, column: int
) -> None:
    """The inverse of the numbering, from the centre's longitude and latitude."""
    west, south, east, north = sheet_bounds(f"N{letter}{zone:02}E{row:03}{column:03}")
    x, y = (west + east) / 2, (south + north) / 2
    assert -180 <= west < east <= 180 and south + 1e-9 >= 0
    assert (LETTERS[int(y // 4)], int((x + 180) // 6) + 1) == (letter, zone)
    assert (24 - int(y % 4 * 6), int(x % 6 * 4) + 1) == (row, column)


def test_sheets_are_as_large_as_the_authors_of_whu_opt_sar_say() -> None:
    listed = Path(__file__).parents[2] / "params" / "lists" / "whu_opt_sar.csv"
    names = [line.split(",")[0] for line in listed.read_text().splitlines()[1:]]
    boxes = np.array([sheet_bounds(name) for name in names])
    assert len(set(map(tuple, boxes.round(6)))) == 100
    steps = (boxes[:, 2:] - boxes[:, :2]) / [5556, 3704]
    assert steps == pytest.approx(np.full((100, 2), steps[0, 0]))  # square pixels, in degrees
    degree = 60 * 1852.0  # m, by the definition of the nautical mile
    assert steps[0, 0] * degree == pytest.approx(5, rel=1e-6)
    assert pytest.approx(51448.56, abs=0.005) == 100 * 5556 * 3704 * 25 / 1e6  # km², their README
    assert (boxes.min(axis=0)[:2] > [108, 29]).all() and (boxes.max(axis=0)[2:] < [117, 33]).all()


@pytest.mark.parametrize("name", ["NH49E000015", "NH49E010025", "NH61E001001", "NH49D001001", "1"])
def test_what_is_no_sheet_is_refused(name: str) -> None:
    with pytest.raises(SceneError, match="no map sheet 1:50,000"):
        sheet_bounds(name)


@settings(max_examples=30)
@given(
    st.integers(2, 6200),
    st.sampled_from([16, 64, 256]),
    st.floats(0.1, 10.0),
    st.integers(0, 2**31),
)
def test_no_two_patches_share_ground(count: int, side: int, pixel: float, seed: int) -> None:
    here = int(np.random.default_rng(seed).integers(count))
    width = int(np.ceil(np.sqrt(count)))
    near = [here + step for step in (1, width - 1, width, width + 1) if here + step < count]
    box = _degrees(side_by_side(here, count, side, pixel), side)
    assert np.isfinite(box).all()
    for other in near:
        w, s, e, n = _degrees(side_by_side(other, count, side, pixel), side)
        assert min(e, box[2]) <= max(w, box[0]) or min(n, box[3]) <= max(s, box[1])


def _degrees(place: Affine, side: int) -> tuple[float, ...]:
    (left, top), (right, bottom) = place @ (0, 0), place @ (side, side)
    return tuple(transform_bounds(UTM, GEOGRAPHIC, left, bottom, right, top))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("optical/HY_C/1.png", "label/HY_C/1.png", True),
        ("a_0/s1_0/a_s1_0_p7.tif", "a_0/dfc_0/a_dfc_0_p7.tif", True),
        ("rgb/1.tif", "sar/2.tif", False),
        ("optical/1/11.png", "optical/11/1.png", False),
    ],
)
def test_files_of_one_patch_have_one_key(one: str, other: str, same: bool) -> None:
    assert (patch_key(Path(one)) == patch_key(Path(other))) is same


def test_copies_hold_the_pixels_and_one_place_a_patch(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    raw = {
        f"{kind}/{name}.png": rng.integers(0, 255, (bands, 40, 30), np.uint8)
        for kind, bands in (("optical", 3), ("sar", 1))
        for name in "ab"
    }
    for name, values in raw.items():
        write(tmp_path / "in" / name, values)
    assert (
        main(["place", "patches", "--pixel", "2", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    )
    places = {}
    for name, values in raw.items():
        with rasterio.open((tmp_path / "out" / name).with_suffix(".tif")) as image:
            assert np.array_equal(image.read(), values)
            assert (image.crs, image.res) == (UTM, (2, 2))
            places[name] = image.transform
    assert places["optical/a.png"] == places["sar/a.png"] != places["optical/b.png"]


def test_what_cannot_be_placed_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    dull = np.ones((1, 16, 16), np.uint8)

    def told(*words: str) -> str:
        assert main(["place", *words]) == 1
        return capsys.readouterr().err

    assert "no image" in told("patches", str(source), str(target))
    write(source / "a.tif", dull)
    assert "is no map sheet" in told("sheets", str(source), str(target))
    assert "lies in" in told("patches", str(source), str(source / "out"))
    assert "--pixel takes metres" in told("patches", "--pixel", "0", str(source), str(target))
    write(source / "b.tif", dull, crs="EPSG:32650", transform=Affine(10, 0, 5e5, 0, -10, 3e6))
    assert "has a position already" in told("patches", str(source), str(target))
    (source / "b.tif").write_text("hello")
    assert "cannot be opened" in told("patches", str(source), str(target))
    assert not target.exists()
