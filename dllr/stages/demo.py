"""Stage `demo`: writes a simulated country as a folder of scenes like any other."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from dllr.demo.geometry import Grid
from dllr.demo.ground import CLASSES, CODES
from dllr.demo.optical import BANDS
from dllr.demo.scene import CRS, Scene, hazards, simulate
from dllr.files import atomic_dir, write_json
from dllr.params.demo import Country

YEAR = 2023
TRUTH = (
    "Where the SAR image lies. true_to_georeferenced [[a, b, c], [d, e, f]] maps map coordinates "
    "(x, y), m, of a thing on the ground, as the optical image has it, to those at which the SAR "
    "file's georeference shows it: (a x + b y + c, d x + e y + f). shift_m: east, north, of the "
    "centre; rotation_degrees: counter-clockwise on the map, about the centre."
)


def run(*, out: Path, demo: dict[str, Country]) -> None:
    """Write scenes `<out>/scene_01`, ...: optical.tif, sar.tif, label.tif, cloud.tif, truth.json.

    cloud.tif and truth.json are for checks; no stage reads them.
    """
    with atomic_dir(out) as folder:
        for country in demo.values():
            hard = hazards(country)
            for number in range(country.scenes):
                scene = simulate(country, number)
                _write(folder / f"scene_{number + 1:02d}", scene, country, hard.get(number))


def _write(folder: Path, scene: Scene, country: Country, hazard: str | None) -> None:
    folder.mkdir()
    _geotiff(
        folder / "optical.tif",
        scene.optical,
        scene.optical_grid,
        BANDS,
        nodata=0,
        tags={"ACQUISITION_DATE": _date(scene.day), "UNITS": "reflectance × 10000"},
    )
    _geotiff(
        folder / "sar.tif",
        scene.sar,
        scene.sar_grid,
        ("VV",),
        nodata=0,
        tags={
            "ACQUISITION_DATE": _date(scene.sar_day),
            "UNITS": "amplitude, square root of sigma nought",
            "LOOKS": f"{country.looks:g}",
        },
    )
    codes = {"CLASSES": ", ".join(f"{c} {n}" for c, n in zip(CODES, CLASSES, strict=True))}
    if hazard != "unlabelled":
        _geotiff(
            folder / "label.tif",
            scene.label,
            scene.optical_grid,
            ("land cover",),
            0,
            codes,
        )
    codes = {"CLASSES": "0 clear, 1 cloud, 2 cloud shadow"}
    _geotiff(folder / "cloud.tif", scene.cloud, scene.optical_grid, ("cloud",), None, codes)
    write_json(folder / "truth.json", _truth(scene, hazard))


def _date(day: int) -> str:
    return (date(YEAR, 1, 1) + timedelta(days=day - 1)).isoformat()


def _geotiff(
    path: Path,
    values: NDArray[Any],
    grid: Grid,
    bands: tuple[str, ...],
    nodata: float | None,
    tags: dict[str, str],
) -> None:
    values = values if values.ndim == 3 else values[None]
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=values.shape[2],
        height=values.shape[1],
        count=values.shape[0],
        dtype=values.dtype,
        crs=CRS,
        transform=Affine(*grid.corners()),
        nodata=nodata,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress="deflate",
        zlevel=1,
        predictor=3 if values.dtype == np.float32 else 2,
    ) as file:
        file.write(values)
        file.update_tags(**tags)
        for number, name in enumerate(bands, start=1):
            file.set_band_description(number, name)


def _truth(scene: Scene, hazard: str | None) -> dict[str, Any]:
    fault = scene.misregistration
    a, b, c, d, e, f = fault.true_to_georeferenced().row_major()
    return {
        "hazard": hazard,
        "misregistration": {
            "meaning": TRUTH,
            "crs": CRS,
            "true_to_georeferenced": [[a, b, c], [d, e, f]],
            "centre": list(fault.centre),
            "shift_m": list(fault.shift),
            "rotation_degrees": fault.rotation,
            "scale": fault.scale,
        },
        "optical": {
            "date": _date(scene.day),
            "sun_azimuth_degrees": scene.sky.sun_azimuth,
            "sun_elevation_degrees": scene.sky.sun_elevation,
            "cloud_share": float(np.mean(scene.cloud == 1)),
            "shadow_share": float(np.mean(scene.cloud == 2)),
            "nodata_share": float(np.mean(scene.optical[0] == 0)),
        },
        "sar": {
            "date": _date(scene.sar_day),
            "look_azimuth_degrees": scene.look.azimuth,
            "incidence_degrees": scene.look.incidence,
            "nodata_share": float(np.mean(scene.sar == 0)),
        },
    }
