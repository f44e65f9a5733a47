"""Stage `tile`: what is in its outputs, and that a scene is worked on once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from dllr.errors import SplitError
from dllr.files import write_json
from dllr.params.tile import Tile
from dllr.raster.arrays import open_arrays
from dllr.raster.grid import Grid, write_strips
from dllr.stages import tile

TILE = Tile(size=32, stride=24, min_valid=0.3, samples=16, superpixel=36, compactness=0.7)
HEIGHT, WIDTH = 100, 75


def add(name: str, height: int = HEIGHT, width: int = WIDTH, known: float = 0.8) -> None:
    """A co-registered scene; `known` is the share of optical columns with data."""
    rng = np.random.default_rng(ord(name))
    grid = Grid(CRS.from_epsg(32650), Affine(5, 0, 500_000, 0, -5, 3_300_000), height, width)
    optical = rng.integers(1, 9000, (2, height, width)).astype(np.uint16)
    optical[:, :, int(known * width) :] = 0
    sar = rng.normal(-12, 3, (1, height, width)).astype(np.float32)
    sar[:, : height // 3, width // 2 :] = np.nan
    for kind, values, nodata in (("optical", optical, 0), ("sar", sar, float("nan"))):
        strips = ((w, values[:, w.row_off : w.row_off + w.height]) for w in grid.strips())
        write_strips(
            Path("scenes", name, f"{kind}.tif"), grid, strips, bands=len(values),
            dtype=str(values.dtype), nodata=nodata,
        )  # fmt: skip
    facts = {"scene": name, "key": f"{name}{known}", "scale": 0.0001, "offset": -0.1}
    bands = {"optical_bands": ["blue", "red"], "sar_bands": ["VV"]}
    write_json(Path("scenes", name, "record.json"), facts | bands)


@pytest.fixture(autouse=True)
def two_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLLR_THREADS", "1")
    add("a")
    add("b", height=40, width=20)  # narrower than a window


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names of the scenes that windows and superpixels were made of."""
    made: dict[str, list[str]] = {"_write_windows": [], "write_superpixels": []}

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(tile, name)

        def call(scene: Any, *rest: Any) -> Any:
            made[name].append(scene.name)
            return real(scene, *rest)

        return call

    for name in made:
        monkeypatch.setattr(tile, name, counted(name))
    return made


def run(settings: Tile = TILE, out: str = "tiles") -> None:
    tile.run(
        coregistered=Path("scenes"),
        out=Path(out),
        superpixels_out=Path("superpixels"),
        tile=settings,
    )


def test_windows_and_their_samples_are_those_of_the_scene() -> None:
    run()
    index = pd.read_parquet("tiles/windows.parquet")
    samples = np.load("tiles/samples.npz")
    expected = ["scene", "row", "col", "y", "x", "size", "valid_optical", "valid_sar"]
    assert index.columns.tolist() == expected
    assert set(index["scene"]) == {"a", "b"} and (index["size"] == TILE.size).all()
    assert samples["optical"].shape == (len(index), 2, 16)
    assert samples["sar"].shape == (len(index), 1, 16)
    assert samples["optical"].dtype == np.float32
    places = 4 + 8 * np.arange(4)  # 4 × 4 in a window of 32 px
    ys, xs = (axis.ravel() for axis in np.meshgrid(places, places, indexing="ij"))
    scenes = {name: open_arrays(Path("scenes", name)) for name in "ab"}
    for i, row in enumerate(index.itertuples()):
        patch = scenes[str(row.scene)].read(row.y, row.x, TILE.size, TILE.size)
        assert row.valid_optical == patch.valid[0].mean()
        assert row.valid_sar == patch.valid[1].mean()
        assert patch.valid.any(axis=0).mean() >= TILE.min_valid
        for modality, name in enumerate(("optical", "sar")):
            values = np.where(patch.valid[modality], patch[modality], np.nan)[:, ys, xs]
            assert np.array_equal(samples[name][i], values, equal_nan=True)
    assert np.isnan(samples["sar"]).any() and np.isnan(samples["optical"]).any()


def test_a_window_without_data_is_left_out() -> None:
    add("c", known=0.0)  # and no SAR in the right half of the upper third
    run()
    index = pd.read_parquet("tiles/windows.parquet").query("scene == 'c'")
    corner = index.query("row == 0 and x == @WIDTH - @TILE.size")
    assert len(index) > 0 and corner.empty


def test_each_scene_has_superpixels_on_its_grid() -> None:
    run()
    assert sorted(p.name for p in Path("superpixels").iterdir()) == ["a.tif", "b.tif"]
    for name in "ab":
        scene = open_arrays(Path("scenes", name))
        with rasterio.open(f"superpixels/{name}.tif") as source:
            assert Grid.of(source) == scene.grid
            assert np.array_equal(source.read(1) > 0, scene.valid.any(axis=0))


def test_an_added_scene_costs_only_itself(calls: dict[str, list[str]]) -> None:
    run()
    assert [sorted(made) for made in calls.values()] == [["a", "b"]] * 2
    before = Path("superpixels/a.tif").stat().st_ino
    add("c")
    run()
    assert [made[2:] for made in calls.values()] == [["c"]] * 2
    assert Path("superpixels/a.tif").stat().st_ino == before
    assert pd.read_parquet("tiles/windows.parquet")["scene"].unique().tolist() == ["a", "b", "c"]


def test_a_scene_that_changed_is_done_again(calls: dict[str, list[str]]) -> None:
    run()
    add("a", known=0.5)
    run()
    assert [made[2:] for made in calls.values()] == [["a"]] * 2


def test_windows_and_superpixels_are_redone_for_their_own_settings(
    calls: dict[str, list[str]],
) -> None:
    run()
    run(TILE.model_copy(update={"stride": 32}))
    assert [len(made) for made in calls.values()] == [4, 2]
    run(TILE.model_copy(update={"stride": 32, "superpixel": 64}))
    assert [len(made) for made in calls.values()] == [4, 4]


def test_after_a_crash_finished_scenes_stay(
    calls: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tile.write_superpixels

    def once(scene: Any, *rest: Any) -> Any:
        if calls["write_superpixels"]:
            raise KeyboardInterrupt
        return real(scene, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(tile, "write_superpixels", once)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert not Path("tiles").exists()
    assert len(calls["write_superpixels"]) == 1
    run()
    assert [sorted(made) for made in calls.values()] == [["a", "b"]] * 2


def test_outputs_do_not_depend_on_what_the_cache_held() -> None:
    run()
    run(out="warm")
    Path(".dllr").rename(".moved")
    run(out="cold")
    for path in sorted(p for p in Path("tiles").rglob("*") if p.is_file()):
        name = path.relative_to("tiles")
        assert path.read_bytes() == Path("warm", name).read_bytes(), name
        assert path.read_bytes() == Path("cold", name).read_bytes(), name


def test_a_scene_without_windows_still_has_superpixels() -> None:
    run(TILE.model_copy(update={"min_valid": 0.7}))  # b is too narrow for that
    assert set(pd.read_parquet("tiles/windows.parquet")["scene"]) == {"a"}
    assert Path("superpixels/b.tif").exists()


def test_scenes_too_small_for_any_window_are_refused() -> None:
    settings = TILE.model_copy(update={"size": 2048, "stride": 2048})
    with pytest.raises(SplitError, match=r"no window of 2048 px has 30% .*make tile\.size"):
        run(settings)
