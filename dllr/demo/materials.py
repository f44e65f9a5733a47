"""What the ground is made of, in reflectance and backscatter.

Several classes share a material (asphalt: city and road; bare soil: farmland and others; trees:
village and forest), as they do outside, so a pixel's own values leave its class open.

The figures rest on four tiles of Sentinel-2 L2A reflectance and Sentinel-1 RTC backscatter
(TerraMesh examples, github.com/IBM/terramind, one season each; an offset of 1,000 counts, seen in
the darkest pixels of one tile, was taken off). Means over the pixels of a labelled class, ±
deviation of VV:

    class     tile               blue   green  red    NIR    VV dB         deviation of NIR
    trees     Brazil, July       .019   .035   .023   .254    -7.5 ± 2.2   .036
    trees     Chile, April       .025   .034   .029   .239   -10.6 ± 2.9   .078
    trees     Denmark, October   .006   .026   .027   .164    -8.1 ± 2.0   .057
    crops     Tanzania, June     .085   .120   .165   .268   -12.9 ± 2.7   .036
    crops     Chile, April       .048   .065   .079   .225   -13.6 ± 3.2   .088
    crops     Denmark, October   .016   .045   .046   .237   -10.1 ± 3.2   .109
    built     Chile, April       .050   .063   .076   .200   -11.6 ± 2.8   .055
    built     Denmark, October   .027   .049   .050   .194    -9.2 ± 2.8   .091
    bare      Brazil, July       .231   .281   .313   .370   -16.7 ± 3.0   .078
    grass     Tanzania, June     .080   .113   .154   .262   -12.5 ± 2.5   .034
    water     Brazil, July       .054   .068   .048   .026   -17.5 ± 3.0   (medians: surf left out)

Blue, green and red go together within a class (correlation .8 to .99); red and near infrared do so
on bare ground (.97) and in built-up land (.3 to .4), and run against each other in many crops and
trees (down to -.4). Hence two random numbers an object: brightness, which moves all bands, and
greenness, which lowers the visible bands and raises the near infrared. Four looks of speckle alone
spread dB by 2.3; `texture` adds what the tiles show beyond that. Single roofs and roads are smaller
than the tiles' pixels of 10 m: their figures are set by hand, brighter and less green than `built`.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np


class Material(IntEnum):
    """Row of the tables below."""

    SOIL = 0
    CROP = 1
    PADDY = 2
    GREENHOUSE = 3
    TRACK = 4
    ASPHALT = 5
    CONCRETE = 6
    ROOF_TILE = 7
    ROOF_METAL = 8
    ROOF_RED = 9
    ROOF_BLUE = 10
    LAWN = 11
    RIVER = 12
    LAKE = 13
    POND = 14
    BROADLEAF = 15
    CONIFER = 16
    SHRUB = 17
    SAND = 18
    ROCK = 19
    EARTH = 20


class Look(NamedTuple):
    """How a material looks.

    bands: mean reflectance in blue, green, red, NIR. brightness, greenness: deviations of their
    logarithms from object to object. grain: likewise from pixel to pixel, brightness only.
    backscatter: mean, dB. objects, texture: deviations in dB from object to object, pixel to pixel.
    """

    bands: tuple[float, float, float, float]
    brightness: float
    greenness: float
    grain: float
    backscatter: float
    objects: float
    texture: float


LOOKS: dict[Material, Look] = {
    Material.SOIL: Look((0.062, 0.095, 0.135, 0.230), 0.26, 0.10, 0.05, -14.2, 1.7, 0.6),
    Material.CROP: Look((0.015, 0.042, 0.024, 0.340), 0.15, 0.18, 0.06, -12.4, 1.7, 0.6),
    Material.PADDY: Look((0.055, 0.075, 0.070, 0.085), 0.20, 0.15, 0.04, -17.5, 1.8, 0.6),
    Material.GREENHOUSE: Look((0.190, 0.205, 0.210, 0.290), 0.20, 0.05, 0.10, -10.5, 1.5, 1.2),
    Material.TRACK: Look((0.072, 0.100, 0.125, 0.220), 0.20, 0.10, 0.08, -12.5, 1.0, 1.0),
    Material.ASPHALT: Look((0.075, 0.088, 0.098, 0.130), 0.16, 0.05, 0.06, -18.5, 1.2, 0.8),
    Material.CONCRETE: Look((0.112, 0.135, 0.152, 0.205), 0.18, 0.05, 0.07, -15.0, 1.2, 1.0),
    Material.ROOF_TILE: Look((0.055, 0.068, 0.080, 0.130), 0.25, 0.05, 0.10, -11.5, 1.5, 1.2),
    Material.ROOF_METAL: Look((0.225, 0.245, 0.260, 0.300), 0.25, 0.05, 0.08, -9.0, 3.0, 1.5),
    Material.ROOF_RED: Look((0.055, 0.072, 0.130, 0.190), 0.22, 0.05, 0.10, -11.5, 1.5, 1.2),
    Material.ROOF_BLUE: Look((0.205, 0.190, 0.145, 0.215), 0.20, 0.05, 0.08, -9.0, 3.0, 1.5),
    Material.LAWN: Look((0.028, 0.055, 0.042, 0.280), 0.14, 0.16, 0.08, -11.5, 1.2, 0.8),
    Material.RIVER: Look((0.050, 0.075, 0.055, 0.022), 0.10, 0.05, 0.02, -19.5, 0.8, 0.5),
    Material.LAKE: Look((0.030, 0.042, 0.018, 0.008), 0.15, 0.05, 0.02, -20.0, 0.8, 0.5),
    Material.POND: Look((0.035, 0.055, 0.034, 0.025), 0.22, 0.20, 0.03, -20.5, 1.0, 0.5),
    Material.BROADLEAF: Look((0.013, 0.033, 0.019, 0.285), 0.14, 0.15, 0.16, -8.6, 0.8, 1.1),
    Material.CONIFER: Look((0.010, 0.024, 0.017, 0.205), 0.12, 0.12, 0.16, -9.2, 0.8, 1.1),
    Material.SHRUB: Look((0.027, 0.050, 0.046, 0.245), 0.14, 0.14, 0.10, -10.6, 0.8, 1.0),
    Material.SAND: Look((0.200, 0.245, 0.280, 0.335), 0.22, 0.04, 0.06, -16.5, 1.5, 0.8),
    Material.EARTH: Look((0.125, 0.165, 0.225, 0.285), 0.18, 0.06, 0.08, -13.5, 1.5, 1.0),
    Material.ROCK: Look((0.170, 0.192, 0.210, 0.250), 0.18, 0.06, 0.12, -7.5, 1.5, 2.2),
}


def column(name: str) -> "np.typing.NDArray[np.float32]":
    """One attribute of all looks, indexed by Material; `bands` gives (21, 4)."""
    return np.array([getattr(LOOKS[m], name) for m in Material], dtype=np.float32)
