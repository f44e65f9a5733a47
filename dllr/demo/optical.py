"""What an optical camera sees: reflectance in four bands, through air and clouds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from dllr.demo.fill import Cover
from dllr.demo.ground import WATER
from dllr.demo.materials import Material, column
from dllr.demo.noise import Floats, Mask, field, hashed, normal, pixels
from dllr.demo.shadow import cast, reach
from dllr.demo.terrain import Terrain, rise
from dllr.demo.window import Window

BANDS = ("blue", "green", "red", "nir")
GREENNESS = np.array([-1.0, -0.5, -1.2, 0.7], dtype=np.float32)  # effect on the logarithm of a band
HAZE = np.array([0.008, 0.005, 0.003, 0.001], dtype=np.float32)  # path reflectance of a mean haze
SKYLIGHT = np.array([0.38, 0.31, 0.26, 0.20], dtype=np.float32)  # share of light not from the sun
CLOUD = np.array([0.46, 0.47, 0.48, 0.50], dtype=np.float32)
BLUR = 0.65  # px, Gaussian point spread
BORDER = 3  # px that the point spread reaches
FIRST_BUILT = Material.GREENHOUSE  # what comes before it follows the season
SHADOW = 0.15  # of the direct light that reaches a shadow, from its soft edges
VEIL = 0.3  # opacity that counts as cloud


@dataclass(frozen=True)
class Sky:
    """Sun and weather of one acquisition. Angles in degrees, azimuth clockwise from north.

    key: of the random fields. season: logarithms by which all plants and soils of the scene are
    brighter and greener than their means. cloud: share of the scene under cloud. edge: value of the
    clouds' texture above which there is cloud. base: m, height of the clouds.
    """

    key: int
    sun_azimuth: float
    sun_elevation: float
    haze: float
    season: tuple[float, float]
    cloud: float
    edge: float
    base: float

    def opacity(self, window: Window) -> Floats:
        """Of the clouds, 0 to 1."""
        if not np.isfinite(self.edge):
            return np.zeros(window.shape, dtype=np.float32)
        thickness = _texture(self.key, window) - np.float32(self.edge)
        # Where cloud begins the veil has VEIL; around it, it thins out.
        return np.asarray(np.clip(VEIL + 1.6 * thickness, 0, 0.97), dtype=np.float32)

    def shade(self, window: Window, pixel: float) -> Floats:
        """Depth of the clouds' shadows, 0 to 1."""
        azimuth = np.radians(self.sun_azimuth)
        away = self.base / np.tan(np.radians(self.sun_elevation)) / pixel
        border = 8
        source = window.grown(border).moved(
            -round(away * np.cos(azimuth)), round(away * np.sin(azimuth))
        )
        return window.cut(gaussian_filter(self.opacity(source), 2, truncate=3), border)


@dataclass(frozen=True)
class View:
    """reflectance: (4, y, x), blue, green, red, NIR. cloud, shadow: what clouds hide or darken."""

    reflectance: Floats
    cloud: Mask
    shadow: Mask


def draw_sky(rng: np.random.Generator, core: Window, day: int, cloud: float) -> Sky:
    """Late morning at 30° north on `day` of the year; `cloud` is the share of `core` under cloud."""
    declination = 23.4 * np.sin(2 * np.pi * (day - 81) / 365)
    elevation = 90 - np.hypot(30 - declination, 25)
    key = int(rng.integers(2**32))
    azimuth, haze, base = rng.uniform(125, 155), rng.uniform(0.0, 2.0), rng.uniform(700, 1800)
    step = 4
    sampled = Window(core.y, core.x, core.height // step, core.width // step, step)
    edge = np.quantile(_texture(key, sampled), 1 - cloud) if cloud else np.inf
    season = (rng.normal(0, 0.08), rng.normal(0, 0.15))
    return Sky(key, azimuth, float(elevation), haze, season, cloud, float(edge), base)


def _texture(key: int, window: Window) -> Floats:
    large = field(int(hashed(key, 1)), window, 200, 2.1)
    return large + np.float32(0.25) * field(int(hashed(key, 2)), window, 30, 1.8)


def border(sky: Sky, pixel: float) -> int:
    """px around a window that must be known to see it."""
    return BORDER + reach(_drop(sky, pixel))


def observe(terrain: Terrain, cover: Cover, sky: Sky, inner: Window) -> View:
    """The view of `inner`; the cover must reach `border` px beyond it on each side.

    In this order: ground, slope and shadows, haze, cloud, point spread, noise.
    """
    window = cover.window
    sun = _light(terrain, cover, sky) * (1 - 0.85 * sky.shade(window, terrain.pixel))
    cloud = sky.opacity(window)
    scatter = sky.haze * np.clip(1 + 0.3 * field(int(hashed(sky.key, 3)), window, 400), 0.2, None)
    brightness, greenness = _variation(cover, sky)

    by = inner.y - window.y
    reflectance = np.empty((4, *inner.shape), dtype=np.float32)
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
        image = inner.cut(gaussian_filter(image, BLUR, truncate=3), by)
        noise = normal(pixels(int(hashed(sky.key, 4, band)), inner), 0)
        reflectance[band] = image + noise * np.sqrt(0.0012**2 + 2e-5 * np.maximum(image, 0))
    hidden = inner.cut(cloud, by) > VEIL
    shadow = sky.shade(inner, terrain.pixel) > VEIL
    return View(reflectance, hidden, shadow & ~hidden)


def _variation(cover: Cover, sky: Sky) -> tuple[Floats, Floats]:
    """Logarithmic brightness and greenness, by object, by pixel, and drifting over the scene."""
    window, key = cover.window, sky.key
    brighter, greener = (np.float32(s) * (cover.material < FIRST_BUILT) for s in sky.season)
    drift = field(int(hashed(key, 5)), window, 120, 2)
    grain = 0.6 * normal(pixels(int(hashed(key, 6)), window), 0)
    grain += 0.8 * field(int(hashed(key, 7)), window, 5, 2)
    brightness = (
        column("brightness")[cover.material] * (normal(cover.objects, 81) + 0.3 * drift)
        + brighter
        + column("grain")[cover.material] * grain
    )
    greenness = column("greenness")[cover.material] * (normal(cover.objects, 82) + 0.3 * drift)
    greenness += greener
    return brightness, greenness


def _drop(sky: Sky, pixel: float) -> float:
    """m that the sun's ray falls in a pixel."""
    return float(np.tan(np.radians(sky.sun_elevation))) * pixel


def _light(terrain: Terrain, cover: Cover, sky: Sky) -> NDArray[np.float32]:
    """Direct sunlight relative to flat open ground: slope, and shadows of hills, houses and trees."""
    window = cover.window
    height = terrain.height(window)
    rises = rise(height, terrain.pixel)
    azimuth, elevation = np.radians(sky.sun_azimuth), np.radians(sky.sun_elevation)
    east, north = float(np.sin(azimuth)), float(np.cos(azimuth))
    upright = 1 / np.sqrt(1 + rises[0] ** 2 + rises[1] ** 2)
    facing = np.sin(elevation) - np.cos(elevation) * (rises[0] * east + rises[1] * north)
    light = np.clip(facing * upright / np.sin(elevation), 0.05, 1.6)
    light = np.where(cover.classes == WATER, 1, light)  # water is level
    shadow = cast(height + cover.height, east, north, _drop(sky, terrain.pixel))
    return np.asarray(light * np.where(shadow, SHADOW, 1), dtype=np.float32)
