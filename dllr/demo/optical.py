"""What an optical camera sees: reflectance in four bands, through air and clouds."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from dllr.demo.fill import Cover
from dllr.demo.ground import WATER
from dllr.demo.materials import Material, column
from dllr.demo.noise import Floats, Mask, field, normal, top
from dllr.demo.terrain import Terrain

BANDS = ("blue", "green", "red", "nir")
GREENNESS = np.array([-1.0, -0.5, -1.2, 0.7], dtype=np.float32)  # effect on the logarithm of a band
HAZE = np.array([0.030, 0.020, 0.013, 0.006], dtype=np.float32)  # path reflectance of a mean haze
SKYLIGHT = np.array([0.38, 0.31, 0.26, 0.20], dtype=np.float32)  # share of light not from the sun
CLOUD = np.array([0.46, 0.47, 0.48, 0.50], dtype=np.float32)
BLUR = 0.65  # px, Gaussian point spread


@dataclass(frozen=True)
class Sky:
    """Sun and weather of one acquisition. Angles in degrees, azimuth clockwise from north."""

    sun_azimuth: float
    sun_elevation: float
    haze: float
    cloud: float


@dataclass(frozen=True)
class View:
    """reflectance: (4, y, x), blue, green, red, NIR. cloud, shadow: what clouds hide or darken."""

    reflectance: Floats
    cloud: Mask
    shadow: Mask


def draw_sky(rng: np.random.Generator, day: int, cloud: float) -> Sky:
    """Late morning at 30° north on `day` of the year."""
    declination = 23.4 * np.sin(2 * np.pi * (day - 81) / 365)
    elevation = 90 - np.hypot(30 - declination, 25)
    return Sky(rng.uniform(125, 155), float(elevation), rng.uniform(0.3, 1.6), cloud)


def observe(
    rng: np.random.Generator,
    land: Terrain,
    cover: Cover,
    core: tuple[slice, slice],
    sky: Sky,
    pixel: float,
) -> View:
    """Reflectance of the whole canvas; `sky.cloud` is the share of `core` under cloud.

    In this order: ground, slope and shadows, haze, cloud, point spread, noise.
    """
    shape = cover.classes.shape
    light = _light(land, cover, sky, pixel)
    cloud, shade = _clouds(rng, shape, core, sky, pixel)
    sun = light * (1 - 0.85 * shade)
    scatter = sky.haze * np.clip(1 + 0.3 * field(rng, shape, 400), 0.2, None)
    brightness, greenness = _variation(rng, cover)

    reflectance = np.empty((4, *shape), dtype=np.float32)
    colours = column("bands")
    ordinary = cover.material != Material.PADDY
    for band in range(4):
        table = colours[:, band]
        ground = table[cover.material]
        ground += cover.green * np.where(ordinary, 1, 0.9) * (table[Material.CROP] - ground)
        ground *= np.exp(brightness + GREENNESS[band] * greenness)
        image = ground * (SKYLIGHT[band] + (1 - SKYLIGHT[band]) * sun)
        image += HAZE[band] * scatter
        image += cloud * (CLOUD[band] * (0.7 + 0.3 * cloud) - image)
        image = gaussian_filter(image, BLUR, truncate=3)
        noise = rng.standard_normal(shape, dtype=np.float32)
        reflectance[band] = image + noise * np.sqrt(0.0012**2 + 2e-5 * np.maximum(image, 0))
    return View(reflectance, cloud > 0.3, (shade > 0.3) & (cloud <= 0.3))


def _variation(rng: np.random.Generator, cover: Cover) -> tuple[Floats, Floats]:
    """Logarithmic brightness and greenness, by object, by pixel, and drifting over the scene."""
    shape = cover.classes.shape
    drift = field(rng, shape, 120, 2)
    grain = 0.6 * rng.standard_normal(shape, dtype=np.float32) + 0.8 * field(rng, shape, 5, 2)
    brightness = (
        column("brightness")[cover.material] * (normal(cover.objects, 81) + 0.4 * drift)
        + column("grain")[cover.material] * grain
    )
    greenness = column("greenness")[cover.material] * (normal(cover.objects, 82) + 0.5 * drift)
    return brightness, greenness


def _light(land: Terrain, cover: Cover, sky: Sky, pixel: float) -> Floats:
    """Direct sunlight relative to flat open ground: slope, and the shadows of houses and trees."""
    azimuth, elevation = np.radians(sky.sun_azimuth), np.radians(sky.sun_elevation)
    east, north = np.sin(azimuth), np.cos(azimuth)
    upright = 1 / np.sqrt(1 + land.east**2 + land.north**2)
    facing = np.sin(elevation) - np.cos(elevation) * (land.east * east + land.north * north)
    light = np.clip(facing * upright / np.sin(elevation), 0.05, 1.6)
    light = np.where(cover.classes == WATER, 1, light)  # water is level
    shadow = cast(cover.height, east, north, float(np.tan(elevation)) * pixel, 5)
    return np.asarray(light * np.where(shadow, 0.15, 1), dtype=np.float32)


def cast(height: Floats, east: float, north: float, drop: float, reach: int) -> Mask:
    """Where something up to `reach` px towards (east, north) hides the source of light.

    `drop`: m that the ray from the source falls in a pixel. Nothing lower than 2 m casts a shadow.
    """
    hidden = np.zeros(height.shape, dtype=bool)
    for step in range(1, reach + 1):
        # What stands `step` px towards the source, brought here; the canvas wraps in its margin.
        shift = (round(step * north), -round(step * east))
        hidden |= np.roll(height, shift, (0, 1)) - step * drop > np.maximum(height, 2)
    return hidden


def _clouds(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    core: tuple[slice, slice],
    sky: Sky,
    pixel: float,
) -> tuple[Floats, Floats]:
    """Opacity of clouds and depth of their shadows, both 0 to 1."""
    size = (shape[0], shape[1])
    height = rng.uniform(700, 1800)
    texture = field(rng, size, 200, 2.1) + 0.25 * field(rng, size, 30, 1.8)
    rows, columns = (s.stop - s.start for s in core)
    pixels = round(sky.cloud * rows * columns)
    if not pixels:
        return np.zeros(size, dtype=np.float32), np.zeros(size, dtype=np.float32)
    covered = top(texture, np.ones(size, dtype=bool), core, pixels)
    edge = texture[covered].min()
    # An opacity of 0.3 counts as cloud; around it the veil thins out.
    opacity = np.clip(0.3 + 1.6 * (texture - edge), 0, 0.97).astype(np.float32)
    azimuth = np.radians(sky.sun_azimuth)
    away = height / np.tan(np.radians(sky.sun_elevation)) / pixel
    shift = (round(away * np.cos(azimuth)), -round(away * np.sin(azimuth)))
    shade = gaussian_filter(np.roll(opacity, shift, (0, 1)), 2)
    return opacity, shade
