"""Images without a position become GeoTIFFs with one: `dllr place --help`.

Many public sets are published without georeference, and the reader refuses such files: a wrong or a shared
position would let scenes that overlap fall into different splits, unseen.
"""

import math
import re
import warnings
from pathlib import Path

import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from dllr.errors import SceneError
from dllr.files import atomic_file

GEOGRAPHIC, UTM = CRS.from_epsg(4326), CRS.from_epsg(32650)
CORNER = (200_000.0, 4_000_000.0)  # m, easting and northing of the first patch: any land does
MODALITIES = {"optical", "opt", "image", "rgb", "sar", "s1", "s2", "label", "lbl", "lc", "dfc"}
IMAGES = {".png", ".tif", ".tiff"}
_SHEET = re.compile(r"N?([A-V])(\d\d)E(\d{3})(\d{3})")


def sheet_bounds(name: str) -> tuple[float, float, float, float]:
    """West, south, east and north in degrees of a Chinese map sheet 1:50,000, such as NH49E010015.

    The letter counts bands of 4° from the equator northwards, the two digits zones of 6° from 180° W
    eastwards; E means 1:50,000, which divides each of these into 24 rows, from the north, and 24 columns
    of 10' × 15'. Source: GB/T 13989-2012.

    Raises:
        SceneError: the name is none of such a sheet.
    """
    match = _SHEET.fullmatch(name)
    row, column = (int(match[3]), int(match[4])) if match else (0, 0)
    if not match or not 1 <= row <= 24 or not 1 <= column <= 24 or not 1 <= int(match[2]) <= 60:
        raise SceneError(
            f"{name} is no map sheet 1:50,000; expected a name such as NH49E010015. For other images use "
            "`dllr place patches`"
        )
    north = 4 * (ord(match[1]) - ord("A") + 1) - (row - 1) / 6
    west = 6 * (int(match[2]) - 31) + (column - 1) / 4
    return west, north - 1 / 6, west + 1 / 4, north


def patch_key(path: Path) -> tuple[str, ...]:
    """What the files of one patch have in common: the parts of their path that name no modality.

    path: relative to the set's folder. `s1_0/x_s1_0_p7.tif` and `dfc_0/x_dfc_0_p7.tif` have one key.
    """
    parts = re.split(r"[/_]", path.with_suffix("").as_posix())
    return tuple(part for part in parts if part.lower() not in MODALITIES)


def side_by_side(number: int, of: int, side: int, pixel: float) -> Affine:
    """Nominal transform of patch `number` of `of`: a square of them, a patch's width apart.

    side: px, longest side of any patch; pixel: m. Neighbours' boxes stay apart in degrees too.
    """
    row, column = divmod(number, math.ceil(math.sqrt(of)))
    step = 2 * side * pixel
    return Affine(pixel, 0, CORNER[0] + column * step, 0, -pixel, CORNER[1] - row * step)


def sheets(source: Path, target: Path) -> int:
    """Copies of all images under `source`, each on the ground of the map sheet that it is named after."""
    files = _images(source, target)
    for path in files:
        west, south, east, north = sheet_bounds(path.stem)
        width, height = _size(path)
        step = Affine((east - west) / width, 0, west, 0, (south - north) / height, north)
        _write(path, _copy(path, source, target), GEOGRAPHIC, step)
    return len(files)


def patches(source: Path, target: Path, pixel: float) -> int:
    """Copies of all images under `source`, the files of one patch at one nominal place of its own."""
    if not 0 < pixel < math.inf:
        raise SceneError(f"a pixel of {pixel} m is none; --pixel takes metres, such as 10 or 0.5")
    files = _images(source, target)
    keys = {path: patch_key(path.relative_to(source)) for path in files}
    numbers = {key: number for number, key in enumerate(sorted(set(keys.values())))}
    side = max(max(_size(path)) for path in files)
    for path, key in keys.items():
        place = side_by_side(numbers[key], len(numbers), side, pixel)
        _write(path, _copy(path, source, target), UTM, place)
    return len(files)


def place(kind: str, source: Path, target: Path, pixel: float) -> int:
    """Copy the images under `source` as `sheets` or `patches`, by `kind`; returns how many they are.

    Raises:
        SceneError: there is no image, an image has a position already or is not named after a sheet.
    """
    with warnings.catch_warnings(category=NotGeoreferencedWarning, action="ignore"):
        return sheets(source, target) if kind == "sheets" else patches(source, target, pixel)


def _images(source: Path, target: Path) -> list[Path]:
    if target.resolve().is_relative_to(source.resolve()):
        raise SceneError(f"{target} lies in {source}; write the copies to another folder")
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in IMAGES and p.is_file())
    copies: dict[Path, Path] = {}
    for path in files:
        if (other := copies.setdefault(_copy(path, source, target), path)) != path:
            raise SceneError(f"{other} and {path} would become one file; keep one of them")
    if not files:
        raise SceneError(f"no image ({', '.join(sorted(IMAGES))}) under {source}; name its folder")
    return files


def _copy(path: Path, source: Path, target: Path) -> Path:
    return target / path.relative_to(source).with_suffix(".tif")


def _size(path: Path) -> tuple[int, int]:
    """Width and height in px of an image that has no position yet."""
    try:
        with rasterio.open(path) as image:
            if image.crs is not None and not image.transform.is_identity:
                raise SceneError(
                    f"{path} has a position already ({image.crs.to_string()[:60]}); leave it as it is"
                )
            return image.width, image.height
    except RasterioError as error:
        raise SceneError(f"{path} cannot be opened as an image ({error}); replace it") from None


def _write(path: Path, target: Path, crs: CRS, transform: Affine) -> None:
    with atomic_file(target) as temporary:
        rasterio.shutil.copy(path, temporary, driver="GTiff", compress="deflate", tiled=True)
        with rasterio.open(temporary, "r+") as image:
            image.crs, image.transform = crs, transform
