"""One scene of the country: everything decided, nothing rendered until a window is asked for."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from dllr.demo import optical, sar
from dllr.demo.fill import cover
from dllr.demo.geometry import (
    Edge,
    Misregistration,
    draw_edge,
    draw_misregistration,
    extent,
    frame_around,
    positions,
    whole,
)
from dllr.demo.ground import CODES
from dllr.demo.noise import Floats, Mask
from dllr.demo.plan import Plan, plan
from dllr.demo.window import Window
from dllr.params.demo import Country
from dllr.raster.grid import Grid

ZONE, NEXT_ZONE = 32650, 32651  # EPSG, UTM
ORIGIN = (212_000.0, 3_325_000.0)  # m, near 30° N 114° E
ROW = 500_000  # m, length of a row of scenes, west to east: a zone is not much wider
SAR_MARGIN = 8  # SAR px that its frame is wider than the optical one, each side


class Optical(NamedTuple):
    """A window of the optical image and of what is known about it.

    counts: uint16 (4, y, x), reflectance × 10,000 of blue, green, red, NIR; 0 = no data.
    label: uint8 (y, x), raw class codes; 0 where neither sensor saw the ground.
    cloud: uint8 (y, x), 0 clear, 1 cloud, 2 cloud shadow.
    """

    counts: NDArray[np.uint16]
    label: NDArray[np.uint8]
    cloud: NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """What two sensors are about to see, and the truth behind it. day, sar_day: of the year."""

    hazard: str | None
    pixel: float
    sar_pixel: float
    looks: int
    optical_grid: Grid
    sar_grid: Grid
    misregistration: Misregistration
    plan: Plan
    sky: optical.Sky
    look: sar.Look
    day: int
    sar_day: int
    optical_edges: tuple[Edge, ...]
    sar_edge: Edge

    def optical(self, window: Window) -> Optical:
        """The optical image of a window of its grid."""
        border = optical.border(self.sky, self.pixel)
        found = cover(self.plan, window.grown(border), self.day)
        view = optical.observe(self.plan.terrain, found, self.sky, window)
        counts = np.clip(np.rint(view.reflectance * 10_000), 1, 65_535).astype(np.uint16)
        unseen = self._unseen(window)
        counts[:, unseen] = 0
        label = np.array(CODES, dtype=np.uint8)[window.cut(found.classes, border)]
        label[unseen & self._unheard(window)] = 0
        cloud = view.cloud + 2 * view.shadow.astype(np.uint8)
        cloud[unseen] = 0
        return Optical(counts, label, cloud)

    def sar(self, window: Window) -> Floats:
        """Power of a window of the SAR grid, float32 (y, x), NaN = no data.

        The same for the same window; another window has other speckle.
        """
        ratio = self.sar_pixel / self.pixel
        at = positions(self.sar_grid, window, self.optical_grid, self._shown_to_true)
        border = sar.border(self.look, self.pixel, ratio)
        canvas = _around((at.y.min(), at.x.min()), (at.y.max(), at.x.max()), border)
        found = cover(self.plan, canvas, self.sar_day)
        power = sar.backscatter(self.plan.terrain, found, self.look)
        rng = np.random.default_rng([self.look.key, window.y, window.x])
        amount = sar.image(rng, power, canvas, at, ratio, self.looks)
        amount[self.sar_edge.beyond(positions(self.sar_grid, window, self.sar_grid))] = np.nan
        return amount

    @cached_property
    def _shown_to_true(self) -> Affine:
        inverse: Affine = ~self.misregistration.true_to_georeferenced()
        return inverse

    def _unseen(self, window: Window) -> Mask:
        at = positions(self.optical_grid, window, self.optical_grid)
        return np.asarray(np.any([edge.beyond(at) for edge in self.optical_edges], axis=0))

    def _unheard(self, window: Window) -> Mask:
        """Where the SAR image has no data, as georeferenced."""
        at = positions(self.optical_grid, window, self.sar_grid)
        return self.sar_edge.beyond(at)


def hazards(country: Country) -> dict[int, str]:
    """Scene number → what is hard about it.

    From the last scene back: unlabelled, cloud, wedge, zone, missing; a hazard that the parameters
    switch off takes no scene.
    """
    labelled = country.scenes - country.unlabelled
    found = dict.fromkeys(range(max(labelled, 0), country.scenes), "unlabelled")
    wanted = {
        "cloud": country.heavy_cloud > 0,
        "wedge": country.wedge > 0,
        "zone": country.other_zone,
        "missing": country.missing is not None,
    }
    numbers = range(labelled - 1, -1, -1)
    found |= dict(zip(numbers, (h for h, asked in wanted.items() if asked), strict=False))
    return found


def scene(country: Country, number: int) -> Scene:
    """Scene `number` (from 0): the same however many scenes the country has, hazards apart."""
    rng = np.random.default_rng([country.seed, number])
    hazard = hazards(country).get(number)
    place, weather, echo, frame = rng.spawn(4)
    size, pixel = country.size, country.pixel
    grid = _optical_grid(country, number, NEXT_ZONE if hazard == "zone" else ZONE)
    fault = draw_misregistration(
        frame,
        grid.transform @ (size / 2, size / 2),
        country.max_shift * pixel,
        country.max_rotation,
        country.max_scale,
    )
    crs = CRS.from_user_input(country.sar_crs) if country.sar_crs else grid.crs
    sar_grid = frame_around(
        grid, crs, country.sar_pixel, SAR_MARGIN, (frame.uniform(), frame.uniform())
    )

    core = whole(grid)
    day = int(place.integers(95, 300))
    sar_day = day + int(place.integers(-12, 13))
    clouded = country.cloud * weather.uniform(0, 2)
    sky = optical.draw_sky(
        weather, core, day, country.heavy_cloud if hazard == "cloud" else clouded
    )
    look = sar.draw_look(echo)

    ratio = country.sar_pixel / pixel
    border = max(optical.border(sky, pixel), sar.border(look, pixel, ratio))
    shown = extent(sar_grid, grid, ~fault.true_to_georeferenced())
    beyond = border + max(0, -shown.y[0], -shown.x[0], shown.y[1] - size, shown.x[1] - size)
    missing = country.missing if hazard == "missing" else None
    edges = (
        draw_edge(frame, grid, country.nodata * frame.uniform(0, 2)),
        draw_edge(frame, grid, country.wedge if hazard == "wedge" else 0),
    )
    sar_edge = draw_edge(frame, sar_grid, country.nodata * frame.uniform(0, 2))
    return Scene(
        hazard=hazard,
        pixel=pixel,
        sar_pixel=country.sar_pixel,
        looks=country.looks,
        optical_grid=grid,
        sar_grid=sar_grid,
        misregistration=fault,
        plan=plan(place, core, core.grown(_margin(size, beyond)), pixel, country.relief, missing),
        sky=sky,
        look=look,
        day=day,
        sar_day=sar_day,
        optical_edges=edges,
        sar_edge=sar_edge,
    )


def _optical_grid(country: Country, number: int, zone: int) -> Grid:
    # A quarter of a scene lies between neighbours, on whole hundreds of metres.
    step = float(100 * np.ceil(1.25 * country.size * country.pixel / 100))
    columns = max(1, int(ROW // step))
    left = ORIGIN[0] + step * (number % columns)
    top = ORIGIN[1] - step * (number // columns)
    transform = Affine(country.pixel, 0, left, 0, -country.pixel, top)
    return Grid(CRS.from_epsg(zone), transform, country.size, country.size)


def _margin(size: int, needed: float) -> int:
    """px planned beyond a scene's frame, by its size: other settings of a sensor change no land cover.

    Only a SAR image that lies further off than usual gets a multiple of it.
    """
    usual = 64 + size // 16
    return usual * int(np.ceil((needed + 1) / usual))


def _around(first: tuple[float, float], last: tuple[float, float], border: int) -> Window:
    """The smallest window with whole pixels that holds two positions (y, x) and a border."""
    y, x = (int(np.floor(v)) - border for v in first)
    bottom, right = (int(np.ceil(v)) + border + 1 for v in last)
    return Window(y, x, bottom - y, right - x)
