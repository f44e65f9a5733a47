"""Small replicas of public sets: the names, folders, types, bands, codes and quirks of the real ones.

What is known of each set, and from where, is in the head of its file in params/.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

SIDE = 64  # px, of a replica's patch; the real ones have 256
BLOCK = 8  # px, side of the squares of one class
UTM = "EPSG:32650"
NOWHERE = Affine.identity()
WHU = {
    10: "farmland",
    20: "city",
    30: "village",
    40: "water",
    50: "forest",
    60: "road",
    70: "others",
}


def save(
    path: Path, values: NDArray[np.generic], crs: str | None = None, transform: Affine = NOWHERE
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    driver = "PNG" if path.suffix == ".png" else "GTiff"
    bands, height, width = values.shape
    with rasterio.open(
        path, "w", driver=driver, crs=crs, transform=transform, height=height, width=width,
        count=bands, dtype=values.dtype,
    ) as target:  # fmt: skip
        target.write(values)


def at(number: int, pixel: float = 10.0) -> Affine:
    """A place of its own for each number."""
    return Affine(pixel, 0, 400_000 + 100_000 * pixel / 10 * number, 0, -pixel, 3_300_000)


class Painter:
    """Random content of one seed."""

    def __init__(self, height: int = SIDE, width: int = SIDE) -> None:
        self._rng, self.shape = np.random.default_rng(7), (height, width)

    def bytes(self, bands: int) -> NDArray[np.uint8]:
        return self._rng.integers(1, 256, (bands, *self.shape), np.uint8)

    def reflectance(self, bands: int, dtype: type = np.uint16) -> NDArray[np.generic]:
        return self._rng.integers(100, 6000, (bands, *self.shape)).astype(dtype)

    def decibel(self, bands: int, dtype: type = np.float64) -> NDArray[np.generic]:
        return self._rng.normal(-14, 5, (bands, *self.shape)).astype(dtype)

    def codes(self, codes: Sequence[int], dtype: type = np.uint8) -> NDArray[np.generic]:
        rows, columns = self.shape[0] // BLOCK, self.shape[1] // BLOCK
        drawn = self._rng.choice(codes, (rows, columns)).astype(dtype)
        return np.kron(drawn, np.ones((BLOCK, BLOCK), dtype))[None]


ROWS = [["NH49E010014", "NH49E010015"], ["NH49E005014", "NH49E005024"], ["NI49E021010", "NI49E021011"]]  # fmt: skip
SHEETS = [*(sheet for row in ROWS for sheet in row), "NH49E001014", "NH50E007002"]


def whu_opt_sar(root: Path) -> None:
    """Eight whole sheets of a hundred, one without its SAR, no position, a hole in one."""
    painter = Painter(64, 96)
    for name in [*SHEETS, "NH49E005023"]:
        optical = painter.bytes(4)
        if name == "NH49E010015":
            optical[:, 16:32, 24:72] = 0
        save(root / "optical" / f"{name}.tif", optical)
        save(root / "lbl" / f"{name}.tif", painter.codes([0, *WHU]))
        if name != "NH49E005023":
            save(root / "sar" / f"{name}.tif", painter.bytes(1))


def eerds_opt_sar(root: Path) -> None:
    painter = Painter()
    for number in range(6):
        place = (UTM, at(number))
        save(root / "optical" / f"scene{number}.tif", painter.bytes(3), *place)
        save(root / "sar" / f"scene{number}.tif", painter.bytes(1), *place)
        save(root / "lbl" / f"scene{number}.tif", painter.codes([0, *WHU]), *place)


DFC = {"test": [0, 57, 512, 513, 5126, 5127], "validation": [0, 1, 985]}


def dfc2020(root: Path) -> None:
    """Patches of two folders, all at the identity transform in WGS 84."""
    painter = Painter()
    for season, numbers in DFC.items():
        part = "0" if season == "test" else season
        for number in numbers:
            for kind, values in (
                ("s1", painter.decibel(2)),
                ("s2", painter.reflectance(13)),
                ("dfc", painter.codes([1, 2, 4, 5, 6, 7, 9, 10])),
            ):
                folder = root / f"ROIs0000_{season}" / f"{kind}_{part}"
                save(folder / f"ROIs0000_{season}_{kind}_0_p{number}.tif", values, "EPSG:4326")


ROIS = {("ROIs1158_spring", 63): (100, 101), ("ROIs1158_spring", 112): (30, 31), ("ROIs1868_summer", 146): (201, 202), ("ROIs1970_fall", 5): (7, 8), ("ROIs2017_winter", 9): (1, 2)}  # fmt: skip


def sen12ms(root: Path) -> None:
    """Patches of an ROI overlap by half or lie apart; one SAR patch is not a number; labels have four bands."""
    painter = Painter()
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for place, ((season, roi), patches) in enumerate(ROIS.items()):
        for step, patch in enumerate(patches):
            transform = at(place) @ Affine.translation(step * SIDE * (0.5 if place % 2 else 2), 0)
            sar = painter.decibel(2, np.float32)
            if (season, patch) == ("ROIs1868_summer", 202):
                sar[:, :16] = np.nan
            other_schemes = painter.codes([1, 25, 42], np.uint16)
            cover = painter.codes([*range(1, 18), 255], np.uint16)
            for kind, values in (
                ("s1", sar),
                ("s2", painter.reflectance(13)),
                ("lc", np.concatenate([cover, *[other_schemes] * 3])),
            ):
                path = root / season / f"{kind}_{roi}" / f"{season}_{kind}_{roi}_p{patch}.tif"
                save(path, values, UTM, transform)
            split = {63: "test", 112: "val"}.get(roi, "train")
            # As in the original, the list for training holds the patches for validation too.
            for word in {split, "train"} if split == "val" else {split}:
                lists[word].append(f"{season}_s2_{roi}_p{patch}.tif\n")
    (root / "splits").mkdir()
    for word, names in lists.items():
        (root / "splits" / f"{word}_list.txt").write_text("".join(names))


def pie_rgb_sar(root: Path) -> None:
    """GeoTIFFs without a position, and two lists whose last line does not end."""
    painter = Painter()
    for name in range(1, 7):
        save(root / "rgb" / f"{name}.tif", painter.bytes(3))
        save(root / "sar" / f"{name}.tif", painter.bytes(1))
        save(root / "label" / f"{name}.tif", painter.codes(range(6)))
    (root / "train.txt").write_text("1\n2\n4\n6")
    (root / "val.txt").write_text("3\n5")


AREAS = ("1", "10", "HY_C", "HY_D")


def yeseg_opt_sar(root: Path) -> None:
    painter = Painter()
    for area in AREAS:
        for name in ("1", "2"):
            save(root / "optical" / area / f"{name}.png", painter.bytes(3))
            save(root / "sar" / area / f"{name}.png", painter.bytes(1))
            save(root / "label" / area / f"{name}.png", painter.codes(range(8)))


def ombria(root: Path) -> None:
    painter = Painter(128, 128)
    for number in range(5):
        folder, place = root / f"event{number}", ("EPSG:32633", at(number))
        save(folder / "optical.tif", painter.bytes(6), *place)
        save(folder / "sar.tif", painter.bytes(2), *place)
        save(folder / "label.tif", painter.codes([0, 0, 0, 1, 255]), *place)


TERRA = [1, 2, 3, 4, 5, 6, 7, 9]


def terramesh(root: Path) -> None:
    painter = Painter(224, 224)
    for zone in (31, 33, 48, 50):
        folder, place = root / f"zone{zone}", (f"EPSG:326{zone}", at(0))
        save(folder / "optical.tif", painter.reflectance(12, np.int16), *place)
        save(folder / "sar.tif", painter.decibel(2), *place)
        save(folder / "label.tif", painter.codes(TERRA), *place)
