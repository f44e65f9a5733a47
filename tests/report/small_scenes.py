"""The scenes of a small run: what covers their ground, their images, and maps that mistake some of it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter

from dllr.params.scenes import Label, LandClass, Optical, Sar, Scenes
from dllr.raster.roles import Role

CLASSES = {
    "farmland": "#E3C56B",
    "city": "#B2182B",
    "village": "#EF8A62",
    "water": "#2166AC",
    "forest": "#1B7837",
    "road": "#4D4D4D",
    "others": "#C2A5CF",
}
NAMES = list(CLASSES)


def settings(root: str, bands: Sequence[str]) -> Scenes:
    """The section of the parameters that says how such scenes are read."""
    land = {name: LandClass(codes=[i + 1], colour=c) for i, (name, c) in enumerate(CLASSES.items())}
    return Scenes(
        root=root,
        list="params/lists/everything.csv",
        incomplete="refuse",
        optical=Optical(
            pattern="{scene}/optical.tif",
            bands={name: i + 1 for i, name in enumerate(bands)},
            scale=1e-4,
            offset=0.0,
            nodata=None,
            mask=None,
        ),
        sar=Sar(pattern="{scene}/sar.tif", bands={"VV": 1}, unit="db", nodata=None, mask=None),
        label=Label(pattern="{scene}/label.tif", band=1, classes=land, ignore=[0]),
    )


def cover(rng: np.random.Generator, size: int, absent: int | None) -> np.ndarray:
    """Patches of classes, 255 in a corner."""
    fields = [gaussian_filter(rng.normal(size=(size, size)), 9) for _ in NAMES]
    if absent is not None:
        fields[absent][:] = -9
    index = np.argmax(fields, axis=0).astype(np.uint8)
    index[: size // 6, : size // 5] = 255
    return index


def roles_of(split: str, size: int, labelled: bool) -> np.ndarray:
    """Roles of a scene: its left half tests and its right half trains, where it does both."""
    number = {"train": Role.UNLABELLED, "validation": Role.VALIDATION}.get(split, Role.TEST)
    roles = np.full((size, size), number, np.uint8)
    if "train" in split:
        half = size // 2 if split == "test+train" else 0
        roles[:, half:] = Role.UNLABELLED
        roles[:, max(half - 8, 0) : half + 8 * (half > 0)] = Role.NONE
        if labelled:
            roles[size // 4 : size // 3, -size // 6 :] = Role.LABELLED
            roles[size // 2 : size // 2 + size // 12, -size // 6 :] = Role.CALIBRATION
    return roles


def mistake(rng: np.random.Generator, actual: np.ndarray, share: float) -> np.ndarray:
    """The truth, with patches of another class over about that share of it."""
    noise = gaussian_filter(rng.normal(size=actual.shape), 3)
    other = np.roll(actual, 25, axis=1)
    wrong = (noise > np.quantile(noise, 1 - share)) & (other != 255)
    return np.where((actual != 255) & wrong, other, actual).astype(np.uint8)


def registration(shift: float, applied: bool) -> dict[str, Any]:
    """A scene's entry in its record, as `coregister` writes it."""
    matrix = [[1.0, 0.0, shift], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    facts = {"matrix": matrix, "shift_px": shift, "rotation_degrees": 0.0, "scale": 0.0}
    size = {"estimators": ["information", "gradients"], "size": [256, 256]}
    if not applied:
        reason = "information: 4 of 64 blocks of 128 px are known in both images; 6 are needed"
        nothing = dict.fromkeys(facts)
        return {
            **size,
            **nothing,
            "verdict": "unverified",
            "reason": reason,
            "apart_px": None,
            "estimates": {},
        }
    ties = [[64.0, 64.0, 64.0 + shift, 64.5], [192.0, 128.0, 191.5 + shift, 128.0]]
    each = {**facts, "precision_px": 0.5, "coverage": 0.9, "evidence": 11.2, "ties": ties}
    return {
        **size, **facts, "verdict": "applied", "reason": "information and gradients agree to 0.41 px",
        "apart_px": 0.41, "estimates": {"information": each, "gradients": {**each, "precision_px": 0.75}},
    }  # fmt: skip


def write_images(
    folder: Path, rng: np.random.Generator, cover: np.ndarray, bands: Sequence[str], place: int
) -> None:
    tone = rng.uniform(400, 3000, size=(256, len(bands)))
    grain = rng.normal(scale=90, size=(len(bands), *cover.shape))
    optical = np.clip(np.moveaxis(tone[cover], -1, 0) + grain, 1, None).astype(np.uint16)
    optical[:, cover == 255] = 0
    raster(folder / "optical.tif", optical, nodata=0, names=bands)
    power = rng.gamma(4, 1 / 4, size=cover.shape) * rng.uniform(0.02, 0.4, size=256)[cover]
    sar = np.where(cover == 255, np.nan, 10 * np.log10(power)).astype(np.float32)
    raster(folder / "sar.tif", sar[None], nodata=float("nan"), names=["VV"])
    facts = registration(1.37 + place, applied=place % 3 != 2)
    if place % 3 == 0:
        grey = rng.integers(1, 256, (1, 64, 64)).astype(np.uint8)
        colour = rng.integers(1, 256, (1, 64, 64, 3)).astype(np.uint8)
        np.savez(
            folder / "evidence.npz",
            places=[[8, 16]],
            optical=colour,
            before=grey,
            after=grey[:, ::-1],
        )
    record = {"scene": folder.name, "registration": facts}
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")


def raster(
    path: Path,
    values: np.ndarray,
    nodata: float | None = None,
    names: Sequence[str] = (),
    place: int = 0,
) -> None:
    """A raster of 5 m pixels; `place` counts the scenes from west to east."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff",
        "count": len(values),
        "height": values.shape[1],
        "width": values.shape[2],
        "dtype": values.dtype,
        "crs": "EPSG:32650",
        "transform": from_origin(500_000 + 6 * place * values.shape[2], 3_400_000, 5, 5),
        "nodata": nodata,
    }
    with rasterio.open(path, "w", **profile) as target:
        target.write(values)
        for band, name in enumerate(names, 1):
            target.set_band_description(band, name)
