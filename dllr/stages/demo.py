"""Stage `demo`: writes a simulated country as a folder of scenes like any other."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window as RasterWindow

from dllr.demo import VERSION
from dllr.demo.geometry import whole
from dllr.demo.ground import CLASSES, CODES
from dllr.demo.noise import Floats
from dllr.demo.optical import BANDS
from dllr.demo.scene import Scene, scene
from dllr.demo.window import Window
from dllr.files import atomic_dir, write_json
from dllr.params.demo import Country
from dllr.raster.grid import Grid, raster_writer
from dllr.raster.parallel import over_scenes
from dllr.raster.taken import TAG

YEAR = 2023
SIMULATOR = f"dllr demo country, version {VERSION}"
PIECE = (
    512  # px, side of the windows that a scene is made in: bounds the memory; each has its speckle
)
TRUTH = (
    "Where the SAR image lies. true_to_georeferenced [[a, b, c], [d, e, f]] maps map coordinates "
    "(x, y), m, of a thing on the ground, as the optical image has it, to those at which the SAR "
    "file's georeference shows it: (a x + b y + c, d x + e y + f). shift_m: east, north, of the "
    "centre; rotation_degrees: counter-clockwise on the map, about the centre."
)
# unit → what the tag says, σ⁰ → value, value without data
UNITS: dict[str, tuple[str, Callable[[Floats], Floats], float]] = {
    "amplitude": ("amplitude, square root of sigma nought", np.sqrt, 0.0),
    "power": ("power, sigma nought", np.asarray, 0.0),
    "db": ("dB, sigma nought", lambda power: 10 * np.log10(power), -9999.0),
}


def run(*, out: Path, demo: dict[str, Country]) -> None:
    """Write scenes `<out>/scene_01`, ...: optical.tif, sar.tif, label.tif, cloud.tif, truth.json.

    cloud.tif and truth.json are for checks; no stage reads them. Scenes are made side by side, each
    in windows of PIECE px, so that memory does not grow with their number and little with their size.
    """
    with atomic_dir(out) as folder:
        for country in demo.values():

            def write(number: int, country: Country = country) -> None:
                _write(folder / f"scene_{number + 1:02d}", scene(country, number), country)

            over_scenes(write, range(country.scenes), "demo")


def _write(folder: Path, made: Scene, country: Country) -> None:
    folder.mkdir()
    seen = _optical(folder, made)
    heard = _sar(folder, made, country)
    write_json(folder / "truth.json", _truth(made, seen, heard))


def _optical(folder: Path, made: Scene) -> dict[str, float]:
    """Write optical.tif, cloud.tif and label.tif; returns shares of the scene, for the truth."""
    grid = made.optical_grid
    codes = ", ".join(f"{c} {n}" for c, n in zip(CODES, CLASSES, strict=True))
    counted = np.zeros(3)
    with ExitStack() as files:

        def file(
            name: str, bands: tuple[str, ...], dtype: str, nodata: float | None, **tags: str
        ) -> Any:
            opened = raster_writer(
                folder / name, grid, bands=len(bands), dtype=dtype, nodata=nodata, tags=tags,
                descriptions=bands,
            )  # fmt: skip
            return files.enter_context(opened)

        acquired = {
            TAG: _date(made.day),
            "UNITS": "reflectance × 10000",
            "SIMULATOR": SIMULATOR,
        }
        image = file("optical.tif", BANDS, "uint16", 0, **acquired)
        cloud = file("cloud.tif", ("cloud",), "uint8", None, CLASSES="0 clear, 1 cloud, 2 shadow")
        label = None
        if made.hazard != "unlabelled":
            label = file("label.tif", ("land cover",), "uint8", 0, CLASSES=codes)
        for window, place in _pieces(grid):
            part = made.optical(window)
            image.write(part.counts, window=place)
            cloud.write(part.cloud, 1, window=place)
            if label:
                label.write(part.label, 1, window=place)
            parts = (part.cloud == 1, part.cloud == 2, part.counts[0] == 0)
            counted += [np.count_nonzero(p) for p in parts]
    shares = counted / (grid.height * grid.width)
    names = ("cloud_share", "shadow_share", "nodata_share")
    return dict(zip(names, shares.tolist(), strict=True))


def _sar(folder: Path, made: Scene, country: Country) -> dict[str, float]:
    """Write sar.tif; returns the share without data, for the truth."""
    unit, convert, nodata = UNITS[country.sar_unit]
    tags = {
        TAG: _date(made.sar_day),
        "UNITS": unit,
        "LOOKS": f"{country.looks}",
        "SIMULATOR": SIMULATOR,
    }
    grid, missing = made.sar_grid, 0
    with raster_writer(
        folder / "sar.tif", grid, bands=1, dtype="float32", nodata=nodata, tags=tags,
        descriptions=("VV",),
    ) as file:  # fmt: skip
        for window, place in _pieces(grid):
            power = made.sar(window)
            absent = np.isnan(power)
            file.write(np.where(absent, np.float32(nodata), convert(power)), 1, window=place)
            missing += int(np.count_nonzero(absent))
    return {"nodata_share": missing / (grid.height * grid.width)}


def _pieces(grid: Grid) -> Iterator[tuple[Window, RasterWindow]]:
    full = whole(grid)
    for y in range(0, full.height, PIECE):
        for x in range(0, full.width, PIECE):
            height, width = min(PIECE, full.height - y), min(PIECE, full.width - x)
            yield Window(y, x, height, width), RasterWindow(x, y, width, height)


def _date(day: int) -> str:
    return (date(YEAR, 1, 1) + timedelta(days=day - 1)).isoformat()


def _truth(made: Scene, seen: dict[str, float], heard: dict[str, float]) -> dict[str, Any]:
    fault = made.misregistration
    a, b, c, d, e, f = fault.true_to_georeferenced()[:6]
    return {
        "simulator": SIMULATOR,
        "hazard": made.hazard,
        "misregistration": {
            "meaning": TRUTH,
            "crs": made.optical_grid.crs.to_string(),
            "true_to_georeferenced": [[a, b, c], [d, e, f]],
            "centre": list(fault.centre),
            "shift_m": list(fault.shift),
            "rotation_degrees": fault.rotation,
            "scale": fault.scale,
        },
        "optical": {
            "date": _date(made.day),
            "sun_azimuth_degrees": made.sky.sun_azimuth,
            "sun_elevation_degrees": made.sky.sun_elevation,
            **seen,
        },
        "sar": {
            "date": _date(made.sar_day),
            "look_azimuth_degrees": made.look.azimuth,
            "incidence_degrees": made.look.incidence,
            **heard,
        },
    }
