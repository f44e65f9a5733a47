"""What a side-looking radar sees: backscatter, geometry of the look, speckle."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter

from dllr.demo.fill import Cover
from dllr.demo.geometry import Affine
from dllr.demo.ground import CITY, FARMLAND, ROAD, VILLAGE, WATER
from dllr.demo.materials import Material, column
from dllr.demo.noise import Floats, Mask, field, normal, uniform
from dllr.demo.optical import cast
from dllr.demo.terrain import Terrain

NOISE_FLOOR = 10**-2.5  # backscatter that the receiver's own noise amounts to, -25 dB
BLUR = 0.65  # SAR px, Gaussian point spread


@dataclass(frozen=True)
class Look:
    """One acquisition. Angles in degrees; azimuth: direction the radar looks, clockwise from north.

    wind: dB that rough water gains. moisture: dB that wet soil gains.
    """

    azimuth: float
    incidence: float
    wind: float
    moisture: float


def draw_look(rng: np.random.Generator) -> Look:
    """Right-looking from an ascending or a descending orbit."""
    azimuth = float(rng.choice([80.0, 280.0])) + rng.uniform(-3, 3)
    return Look(azimuth, rng.uniform(32, 42), max(0.0, rng.normal(0, 2.0)), rng.normal(0, 1.2))


def backscatter(
    rng: np.random.Generator, land: Terrain, cover: Cover, look: Look, pixel: float
) -> Floats:
    """Speckle-free backscatter σ⁰ of the canvas, linear power."""
    shape = cover.classes.shape
    level = column("backscatter")[cover.material]
    level += np.where(cover.material <= Material.CROP, look.moisture, 0)
    level += np.where(cover.classes == WATER, look.wind, 0)
    crop = 10 ** (0.1 * column("backscatter")[Material.CROP])
    power = 10 ** (0.1 * level)
    power += cover.green * (crop - power)
    spread = column("objects")[cover.material] * normal(cover.objects, 91)
    spread += column("texture")[cover.material] * rng.standard_normal(shape, dtype=np.float32)
    spread += np.where(cover.classes == FARMLAND, 0.7, 0.4) * field(rng, shape, 100, 2)
    power *= 10 ** (0.1 * spread)
    power *= np.where(cover.classes == WATER, 1, _slope(land, look))
    power *= np.where(_hidden(cover, look, pixel), 0.3, 1)
    power += _buildings(rng, cover, look)
    return power.astype(np.float32)


def _slope(land: Terrain, look: Look) -> Floats:
    """Foreshortening: a slope that faces the radar gathers more power into each pixel."""
    azimuth, incidence = np.radians(look.azimuth), np.radians(look.incidence)
    rise = np.arctan(land.east * np.sin(azimuth) + land.north * np.cos(azimuth))
    # A slope steeper than the look is laid over; the pixel still has a finite size.
    gain = np.sin(incidence) / np.sin(np.clip(incidence - rise, np.radians(6), None))
    return np.asarray(np.clip(gain * np.cos(rise) ** 2, 0.12, 6), dtype=np.float32)


def _hidden(cover: Cover, look: Look, pixel: float) -> Mask:
    """Ground behind houses and trees, which the radar does not reach."""
    azimuth, incidence = np.radians(look.azimuth), np.radians(look.incidence)
    drop = pixel / float(np.tan(incidence))
    return cast(cover.height, -np.sin(azimuth), -np.cos(azimuth), drop, 4)


def _buildings(rng: np.random.Generator, cover: Cover, look: Look) -> Floats:
    """Power returned by walls that face the radar, and by single bright objects.

    Wall and ground form a corner reflector, strong only when the wall lies across the look.
    """
    azimuth = np.radians(look.azimuth)
    east, north = np.sin(azimuth), np.cos(azimuth)
    built = (cover.classes == CITY) | (cover.classes == VILLAGE)
    roofs = np.where(built, cover.height, 0)
    # The building that lies just behind a pixel, seen from the radar; rows run south.
    behind = np.roll(roofs, (round(north), -round(east)), (0, 1))
    wall = (roofs == 0) & (behind > 0)

    # Rectangles repeat every 90°; bearing is measured from east towards south, azimuth from north.
    across = (cover.bearing - (azimuth - np.pi / 2) + np.pi / 4) % (np.pi / 2) - np.pi / 4
    corner = np.exp(-((across / np.radians(14)) ** 2))
    strength = 10 ** (0.5 + 0.35 * normal(cover.objects, 92)) * np.sqrt(behind / 8)
    power = np.where(wall, strength * (0.3 + corner), 0)

    shape = cover.classes.shape
    rate = np.zeros(7, dtype=np.float32)
    rate[CITY], rate[VILLAGE], rate[ROAD], rate[FARMLAND] = 0.006, 0.002, 0.004, 0.00008
    chance = rng.random(shape, dtype=np.float32) < rate[cover.classes]
    power += np.where(chance, 3 * 10 ** (0.8 * uniform(cover.objects, 93)), 0)
    return power.astype(np.float32)


def image(
    rng: np.random.Generator,
    power: Floats,
    to_canvas: Affine,
    shape: tuple[int, int],
    ratio: float,
    looks: float,
) -> Floats:
    """Amplitude with speckle on the SAR grid, float32; NaN where the canvas does not reach.

    `to_canvas` maps (column, row) of the SAR grid to (column, row) of the canvas, whole numbers at
    the pixels' centres; `ratio`: size of a SAR pixel in canvas px. Speckle: power times a gamma
    variable of mean 1 and variance 1 / looks.
    """
    blurred = gaussian_filter(power, BLUR * ratio, truncate=3)
    a, b, c, d, e, f = to_canvas.row_major()
    mean = affine_transform(
        blurred, [[e, d], [b, a]], [f, c], output_shape=shape, order=1, cval=np.nan
    )
    speckle = rng.standard_gamma(looks, shape, dtype=np.float32) / np.float32(looks)
    return np.asarray(np.sqrt((mean + np.float32(NOISE_FLOOR)) * speckle), dtype=np.float32)
