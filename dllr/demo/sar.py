"""What a side-looking radar sees: backscatter, layover and shadow, speckle."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from dllr.demo.fill import HIGHEST, Cover
from dllr.demo.geometry import Positions
from dllr.demo.ground import CITY, FARMLAND, ROAD, VILLAGE, WATER
from dllr.demo.materials import Material, column
from dllr.demo.noise import Floats, field, hashed, normal, pixels, uniform
from dllr.demo.shadow import cast, reach
from dllr.demo.terrain import Terrain, rise
from dllr.demo.window import Window

NOISE_FLOOR = 10**-2.5  # backscatter that the receiver's own noise amounts to, -25 dB
BLUR = 0.65  # SAR px, Gaussian point spread
OVERSAMPLING = 0.7  # SAR px, Gaussian by which neighbours share their speckle
ELEVATION_BLUR = 4.0  # px, of the elevation model that the image was corrected with
SHADOW = 0.3  # of the power that still comes out of a shadow, from pixels that are partly in it
CANOPY = 0.15  # of a tree's height, where its echo comes from: any depth of a stand, and below


@dataclass(frozen=True)
class Look:
    """One acquisition. Angles in degrees; azimuth: direction the radar looks, clockwise from north.

    key: of the random fields. gain: dB that the calibration is off. wind: dB that rough water gains.
    moisture: dB that wet soil gains.
    """

    key: int
    azimuth: float
    incidence: float
    gain: float
    wind: float
    moisture: float

    @property
    def heading(self) -> tuple[float, float]:
        """Unit vector of the look, towards east and north."""
        return float(np.sin(np.radians(self.azimuth))), float(np.cos(np.radians(self.azimuth)))

    def offset(self, pixel: float) -> float:
        """px that something 1 m above the corrected elevation is shown nearer to the radar."""
        return float(1 / np.tan(np.radians(self.incidence))) / pixel


def draw_look(rng: np.random.Generator) -> Look:
    """Right-looking from an ascending or a descending orbit."""
    azimuth = float(rng.choice([80.0, 280.0])) + rng.uniform(-3, 3)
    key = int(rng.integers(2**32))
    incidence, gain = rng.uniform(32, 42), rng.normal(0, 0.5)
    return Look(key, azimuth, incidence, gain, max(0.0, rng.normal(0, 1.5)), rng.normal(0, 1.2))


def border(look: Look, pixel: float, ratio: float) -> int:
    """px around a window that must be known to image it; `ratio`: of a SAR pixel to an optical one."""
    laid_over = int(np.ceil(HIGHEST * look.offset(pixel)))
    known = max(int(3 * ELEVATION_BLUR) + 1, reach(_drop(look, pixel)))
    return laid_over + known + int(np.ceil(3 * BLUR * ratio)) + 2


def backscatter(terrain: Terrain, cover: Cover, look: Look) -> Floats:
    """Speckle-free backscatter σ⁰ of the cover's window, linear power, as laid over by the look.

    A `border` around the part that is to be used must be part of the window.
    """
    key, window = look.key, cover.window
    level = column("backscatter")[cover.material]
    level += np.where(cover.material <= Material.CROP, look.moisture, 0)
    # Wind roughens water in patches, and calms it in others.
    gusts = field(int(hashed(key, 4)), window, 130, 2)
    level += np.where(cover.classes == WATER, look.wind + 0.8 * gusts, 0) + look.gain
    crop = 10 ** (0.1 * column("backscatter")[Material.CROP])
    power = 10 ** (0.1 * level)
    power += cover.green * (crop - power)
    spread = column("objects")[cover.material] * normal(cover.objects, 91)
    spread += column("texture")[cover.material] * normal(pixels(int(hashed(key, 1)), window), 0)
    patchy = field(int(hashed(key, 2)), window, 100, 2)
    spread += np.where(cover.classes == FARMLAND, 0.7, 0.4) * patchy
    power *= 10 ** (0.1 * spread)

    height = terrain.height(window)
    power *= np.where(cover.classes == WATER, 1, _slope(height, terrain.pixel, look))
    hidden = cast(height + cover.height, *_back(look), _drop(look, terrain.pixel))
    power *= np.where(hidden, SHADOW, 1)
    power += _buildings(cover, look)
    built = (cover.classes == CITY) | (cover.classes == VILLAGE)
    echo = np.where(built, cover.height, CANOPY * cover.height)
    # An elevation model smooths the hills; what it leaves out is laid over.
    rest = height - gaussian_filter(height, ELEVATION_BLUR, truncate=3)
    above = np.clip(rest + echo, -HIGHEST, HIGHEST)
    return _laid_over(power, above * np.float32(look.offset(terrain.pixel)), look)


def _back(look: Look) -> tuple[float, float]:
    """Unit vector towards the radar: east, north."""
    east, north = look.heading
    return -east, -north


def _drop(look: Look, pixel: float) -> float:
    """m that the radar's ray falls in a pixel."""
    return pixel / float(np.tan(np.radians(look.incidence)))


def _slope(height: Floats, pixel: float, look: Look) -> Floats:
    """Foreshortening: a slope that faces the radar gathers more power into each pixel."""
    east, north = look.heading
    rises = rise(height, pixel)
    incidence = np.radians(look.incidence)
    up = np.arctan(rises[0] * east + rises[1] * north)
    # A slope steeper than the look is laid over; the pixel still has a finite size.
    gain = np.sin(incidence) / np.sin(np.clip(incidence - up, np.radians(6), None))
    return np.asarray(np.clip(gain * np.cos(up) ** 2, 0.25, 2.5), dtype=np.float32)


def _buildings(cover: Cover, look: Look) -> Floats:
    """Power returned by walls that face the radar, and by single bright objects.

    Wall and ground form a corner reflector, strong only when the wall lies across the look.
    """
    east, north = look.heading
    built = (cover.classes == CITY) | (cover.classes == VILLAGE)
    roofs = np.where(built, cover.height, 0)
    # The building that lies just behind a pixel, seen from the radar; rows run south.
    behind = np.roll(roofs, (round(north), -round(east)), (0, 1))
    wall = (roofs == 0) & (behind > 0)

    # Rectangles repeat every 90°; bearing is measured from east towards south, azimuth from north.
    turned = cover.ground.bearing - (np.radians(look.azimuth) - np.pi / 2)
    across = (turned + np.pi / 4) % (np.pi / 2) - np.pi / 4
    corner = np.exp(-((across / np.radians(14)) ** 2))
    strength = 10 ** (-0.05 + 0.3 * normal(cover.objects, 92)) * behind / 8
    power = np.where(wall, strength * (0.3 + corner), 0)

    # Share of pixels with a mast, a vehicle, a pylon: a single bright object.
    rate = np.zeros(7, dtype=np.float32)
    rate[CITY], rate[VILLAGE], rate[ROAD], rate[FARMLAND] = 0.006, 0.0015, 0.001, 0.00008
    chance = uniform(pixels(int(hashed(look.key, 3)), cover.window), 0) < rate[cover.classes]
    power += np.where(chance, 3 * 10 ** (0.8 * uniform(cover.objects, 93)), 0)
    return power.astype(np.float32)


def _laid_over(power: Floats, offset: Floats, look: Look) -> Floats:
    """Power moved `offset` px towards the radar; where two places meet, it adds up."""
    east, north = _back(look)
    shape = power.shape
    # Whole px and the rest apart, so that the rest does not depend on where the window begins.
    y, x = -np.float32(north) * offset, np.float32(east) * offset
    down, right = y - np.floor(y), x - np.floor(x)
    i = (np.arange(shape[0])[:, None] + np.floor(y).astype(int)).clip(0, shape[0] - 2)
    j = (np.arange(shape[1])[None] + np.floor(x).astype(int)).clip(0, shape[1] - 2)
    place = (i * shape[1] + j).ravel()
    total = np.zeros(power.size)
    for dy, dx, weight in (
        (0, 0, (1 - down) * (1 - right)),
        (0, 1, (1 - down) * right),
        (1, 0, down * (1 - right)),
        (1, 1, down * right),
    ):
        moved = (power * weight).ravel()
        total += np.bincount(place + dy * shape[1] + dx, moved, power.size)
    return total.reshape(shape).astype(np.float32)


def image(
    rng: np.random.Generator, power: Floats, window: Window, at: Positions, ratio: float, looks: int
) -> Floats:
    """Power with speckle of SAR pixels that lie `at` positions, within the power's window.

    `ratio`: size of a SAR pixel in px of the window. Speckle: see `speckle`.
    """
    blurred = gaussian_filter(power, BLUR * ratio, truncate=3)
    where = [at.y - window.y, at.x - window.x]
    mean = map_coordinates(blurred, where, order=1, mode="nearest")
    return np.asarray(
        (mean + np.float32(NOISE_FLOOR)) * speckle(rng, at.y.shape, looks), np.float32
    )


def speckle(rng: np.random.Generator, shape: tuple[int, int], looks: int) -> Floats:
    """Multiplicative noise of mean 1 and variance 1 / looks, float32: a gamma variable.

    The mean power of `looks` complex circular Gaussian fields (Goodman, J. Opt. Soc. Am. 66, 1976),
    which neighbours share: an image is sampled finer than it is resolved.
    """
    border = int(4 * OVERSAMPLING) + 1
    padded = shape[0] + 2 * border, shape[1] + 2 * border
    total = np.zeros(shape, dtype=np.float32)
    for _ in range(2 * looks):  # real and imaginary parts
        part = rng.standard_normal(padded, dtype=np.float32)
        total += (
            gaussian_filter(part, OVERSAMPLING, truncate=3)[border:-border, border:-border] ** 2
        )
    taps = np.exp(-0.5 * (np.arange(-border, border + 1) / OVERSAMPLING) ** 2)
    taps[np.abs(np.arange(-border, border + 1)) > int(3 * OVERSAMPLING + 0.5)] = 0
    power = (np.sum(taps**2) / np.sum(taps) ** 2) ** 2  # of a filtered field of unit variance
    return np.asarray(total / np.float32(2 * looks * power), dtype=np.float32)
