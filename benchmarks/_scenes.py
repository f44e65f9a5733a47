"""Simulated scenes and real tiles on grids of 10 m, as `benchmarks.realism` compares them."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT

from dllr.files import read_json
from dllr.params.load import load
from dllr.stages.demo import run

Array = npt.NDArray[np.floating[Any]]
Index = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

SHARED = "DLLR_SHARED_DATA"
DEFAULTS = Path("params/defaults.yaml")  # whatever set is in use
SCENES, SIDE = 8, 768  # simulated scenes and their pixels: 118 km², against the tiles' 20 km²
PIXEL = 10.0  # m
FEW = 200  # pixels of a class below which a scene says nothing about it
NEAR = 5  # px, side of the neighbourhood that texture is measured in
OFFSET = 1000  # counts that Sentinel-2 products since 2022 add, and one tile still bears

OPTICAL = ("blue", "green", "red", "NIR")
REAL_BANDS = (2, 3, 4, 8)  # their places in the tiles: B1, B2, B3, B4, B5, B6, B7, B8, ...
BANDS = (*OPTICAL, "NDVI", "VV dB")
EDGES = dict.fromkeys(OPTICAL, np.arange(0, 0.6025, 0.005)) | {
    "NDVI": np.arange(-1, 1.025, 0.05),
    "VV dB": np.arange(-32, 8.5, 1.0),
}
LIMITS = {  # of the histograms' axes
    "blue": (0.0, 0.35),
    "green": (0.0, 0.4),
    "red": (0.0, 0.45),
    "NIR": (0.0, 0.5),
    "NDVI": (-0.8, 1.0),
    "VV dB": (-28.0, 4.0),
}
FAINT = 0.5  # opacity of the filled histograms
LIFT = 0.7  # power of reflectance that the pictures show
GREY_STEPS = 32  # of a picture's channel: more are not seen in such a texture, and swell the file

# Simulated class → classes of the default label, and code in the tiles.
PEERS = {
    "water": (("water",), 1),
    "forest": (("forest",), 2),
    "farmland": (("farmland",), 4),
    "built": (("city", "village"), 5),
    "others": (("others",), 6),
}
PEER_NAMES = {1: "water", 2: "trees", 4: "crops", 5: "built", 6: "bare"}
OTHER_NAMES = {3: "flooded vegetation", 9: "rangeland"}  # real classes without a simulated peer
GREYS = {3: "#7f7f7f", 9: "#bfbfbf"}
# Pairs of simulated classes, and of the tiles' where they know both.
PAIRS: dict[str, tuple[str, str, tuple[int, int] | None]] = {
    "village | city": ("village", "city", None),
    "road | city": ("road", "city", None),
    "others | farmland": ("others", "farmland", None),
    "forest | farmland": ("forest", "farmland", (2, 4)),
    "village | farmland": ("village", "farmland", (5, 4)),
    "water | farmland": ("water", "farmland", (1, 4)),
}
WINDOW = 224  # px, side of a picture: a tile's
SHOWN_TILES = ("433D_629L_3_1", "637U_59R_1_3")  # those with most of the classes
SHOWN_PAIR = ("015", 520, 490)  # unlabelled pair, row and column of its picture: town, works, hills
PLACES = {
    "282D_485L_3_3": "Brazil, July",
    "38D_378R_2_3": "Tanzania, June",
    "433D_629L_3_1": "Chile, April",
    "637U_59R_1_3": "Denmark, October",
    "015": "California, November",
}


@dataclass(frozen=True)
class Scene:
    """A scene on a grid of 10 m.

    Attributes:
        name: of its folder.
        bands: name → (H, W), NaN where there is no data; `VH` instead of `VV dB` in a bare pair.
        clear: neither cloud nor shadow.
        cover: raw label codes (H, W), 0 not known; None without a label.
        counts: clear, valid in every band, and no water that looks dry: what figures are taken on.
    """

    name: str
    bands: Mapping[str, Array]
    clear: Mask
    cover: Index | None
    counts: Mask


def scene_folders(root: Path) -> list[Path]:
    return sorted(file.parent for file in root.glob("*/optical.tif"))


def simulated_country(source: Path | None, seed: int | None, water: Sequence[int]) -> list[Scene]:
    """The scenes of a folder, or of a country that is simulated for the occasion."""
    if source is not None:
        if not scene_folders(source):
            sys.exit(f"{source} holds no scene folders with optical.tif")
        return [_simulated(folder, water) for folder in scene_folders(source)]
    country = load(DEFAULTS).demo["country"]
    changes = {"scenes": SCENES, "size": SIDE} | ({} if seed is None else {"seed": seed})
    with tempfile.TemporaryDirectory() as folder:
        run(out=Path(folder) / "demo", demo={"country": country.model_copy(update=changes)})
        return simulated_country(Path(folder) / "demo", None, water)


def _simulated(folder: Path, water: Sequence[int]) -> Scene:
    """A simulated scene, brought to 10 m."""
    with rasterio.open(folder / "optical.tif") as file:
        counts = file.read(masked=True).astype(np.float32)
        crs, transform = file.crs, file.transform
    step = max(1, round(PIXEL / transform.a))
    reflectance = [_mean(band, step) / 10_000 for band in counts.filled(np.nan)]
    a, b = read_json(folder / "truth.json")["misregistration"]["true_to_georeferenced"]
    power = _power(folder / "sar.tif", crs, Affine(*a, *b) @ transform, counts.shape[1:])
    with rasterio.open(folder / "cloud.tif") as file:
        cloud = _mean((file.read(1) > 0).astype(np.float32), step)
    label = folder / "label.tif"
    cover = None
    if label.exists():
        with rasterio.open(label) as file:
            cover = _majority(file.read(1), step)
    decibels = 10 * np.log10(_mean(power, step))
    return _scene(folder.name, _bands(reflectance, decibels), cloud == 0, cover, water)


def _power(path: Path, crs: Any, transform: Affine, shape: tuple[int, int]) -> Array:
    """Backscatter as power on the grid given; NaN where there is none.

    It is made power before it is laid on another grid: the mean of amplitudes is not their power's.
    """
    with rasterio.open(path) as file:
        values = file.read(1, masked=True).astype(np.float32)
        unit = file.tags()["UNITS"].split(",")[0].lower()
        profile = file.profile | {"dtype": "float32", "nodata": np.nan, "count": 1}
    power = {"db": 10 ** (values / 10), "power": values, "amplitude": values**2}[unit]
    with MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(power.filled(np.nan), 1)
        with (
            memory.open() as file,
            WarpedVRT(
                file,
                crs=crs,
                transform=transform,
                height=shape[0],
                width=shape[1],
                resampling=Resampling.bilinear,
                tolerance=1e-3,
            ) as there,
        ):
            laid: Array = there.read(1)
    return np.where(laid > 0, laid, np.nan)


def real_tile(folder: Path) -> Scene:
    """A real tile: reflectance × 10,000 and dB on one grid of 10 m."""
    with rasterio.open(folder / "optical.tif") as file:
        counts = file.read(REAL_BANDS).astype(np.float32)
    if np.percentile(counts, 0.1) > 0.9 * OFFSET:  # nothing on the ground is that bright everywhere
        counts -= OFFSET
    with rasterio.open(folder / "sar.tif") as file:
        decibels = file.read(1).astype(np.float32)
    with rasterio.open(folder / "label.tif") as file:
        cover = file.read(1)
    reflectance: list[Array] = [np.where(band > 0, band, np.nan) / 10_000 for band in counts]
    clear = np.ones(cover.shape, bool)
    return _scene(folder.name, _bands(reflectance, decibels), clear, cover, [PEERS["water"][1]])


def real_pair(folder: Path, row: int, column: int) -> Scene:
    """A window of an unlabelled pair, for the eye: bytes of red, green, blue and of VH."""
    window = rasterio.windows.Window(column, row, WINDOW, WINDOW)
    with rasterio.open(folder / "optical.tif") as file:
        red, green, blue = file.read(window=window).astype(np.float32)
    with rasterio.open(folder / "sar.tif") as file:
        cross = file.read(1, window=window).astype(np.float32)
    bands = {"blue": blue, "green": green, "red": red, "VH": cross}
    clear = np.ones(red.shape, bool)
    return Scene(folder.name, bands, clear, None, clear)


def _scene(
    name: str, bands: dict[str, Array], clear: Mask, cover: Index | None, water: Sequence[int]
) -> Scene:
    counts = clear & np.isfinite(np.stack(list(bands.values()))).all(axis=0)
    if cover is not None:
        counts &= ~np.isin(cover, water) | (bands["green"] > bands["NIR"])
    return Scene(name, bands, clear, cover, counts)


def _bands(reflectance: Sequence[Array], decibels: Array) -> dict[str, Array]:
    red, nir = reflectance[2], reflectance[3]
    ndvi = (nir - red) / np.maximum(nir + red, 1e-6)
    return dict(zip(BANDS, [*reflectance, ndvi, decibels], strict=True))


def _blocks(values: npt.NDArray[Any], step: int) -> npt.NDArray[Any]:
    """(h, w, step²): the pixels of each coarse pixel; a rest at the far edges is left out."""
    h, w = (side // step for side in values.shape)
    blocks = values[: h * step, : w * step].reshape(h, step, w, step).swapaxes(1, 2)
    return blocks.reshape(h, w, step * step)


def _mean(values: Array, step: int) -> Array:
    mean: Array = _blocks(values, step).mean(axis=-1)
    return mean


def _majority(codes: Index, step: int) -> Index:
    """The code that most of a coarse pixel bears; of two alike the higher, so that roads stay whole."""
    blocks = _blocks(codes, step)
    known = np.unique(codes)[::-1]
    shares = np.stack([(blocks == code).sum(axis=-1) for code in known])
    majority: Index = known[shares.argmax(axis=0)]
    return majority
