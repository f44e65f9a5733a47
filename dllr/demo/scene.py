"""One scene of the country, as arrays, with all that is true about it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dllr.demo.cover import draw_shares, land_cover
from dllr.demo.geometry import Affine, Grid, Misregistration, draw_misregistration
from dllr.demo.ground import CODES
from dllr.demo.noise import Floats, Mask
from dllr.demo.optical import Sky, draw_sky, observe
from dllr.demo.sar import Look, backscatter, draw_look, image
from dllr.demo.terrain import terrain
from dllr.params.demo import Country

CRS = "EPSG:32650"
ORIGIN = (212_000.0, 3_325_000.0)  # m, near 30° N 114° E
COLUMNS = 20  # scenes in a row of the country, west to east
SAR_MARGIN = 8  # SAR px that its frame is wider than the optical one, each side


@dataclass(frozen=True)
class Scene:
    """Optical and SAR image, each on its grid, and the truth behind them.

    optical: uint16 (4, y, x), reflectance × 10,000 of blue, green, red, NIR; 0 = no data.
    sar: float32 (y, x), amplitude (square root of σ⁰); 0 = no data.
    label: uint8 (y, x) on the optical grid, raw class codes; 0 where neither sensor saw the ground.
    cloud: uint8 (y, x) on the optical grid, 0 clear, 1 cloud, 2 cloud shadow.
    day, sar_day: of the year.
    """

    optical: NDArray[np.uint16]
    sar: Floats
    label: NDArray[np.uint8]
    cloud: NDArray[np.uint8]
    optical_grid: Grid
    sar_grid: Grid
    misregistration: Misregistration
    sky: Sky
    look: Look
    day: int
    sar_day: int


def hazards(country: Country) -> dict[int, str]:
    """Scene number → what is hard about it; from the last scene back: unlabelled, cloud, wedge."""
    labelled = country.scenes - country.unlabelled
    found = dict.fromkeys(range(max(labelled, 0), country.scenes), "unlabelled")
    for number, hazard in ((labelled - 1, "cloud"), (labelled - 2, "wedge")):
        if number >= 0:
            found[number] = hazard
    return found


def simulate(country: Country, number: int) -> Scene:
    """Scene `number` (from 0): the same however many scenes the country has, hazards apart."""
    rng = np.random.default_rng([country.seed, number])
    hazard = hazards(country).get(number)
    place, weather, echo, frame = rng.spawn(4)
    size, pixel = country.size, country.pixel
    grid = _optical_grid(country, number)
    fault = draw_misregistration(
        frame,
        (grid.left + size * pixel / 2, grid.top - size * pixel / 2),
        country.max_shift * pixel,
        country.max_rotation,
        country.max_scale,
    )

    margin = _margin(country)
    core = (slice(margin, margin + size), slice(margin, margin + size))
    day = int(place.integers(95, 300))
    sar_day = day + int(place.integers(-12, 13))
    land = terrain(place, (size + 2 * margin, size + 2 * margin), pixel)
    cover = land_cover(place, land, core, draw_shares(place), day)

    clouded = country.cloud * weather.uniform(0, 2)
    sky = draw_sky(weather, day, country.heavy_cloud if hazard == "cloud" else clouded)
    view = observe(weather, land, cover, core, sky, pixel)
    look = draw_look(echo)
    power = backscatter(echo, land, cover, look, pixel)
    sar_grid = _sar_grid(frame, grid, country.sar_pixel)
    true_position = sar_grid.centres().then(fault.true_to_georeferenced().inverse())
    to_canvas = true_position.then(grid.centres().inverse()).then(
        Affine.of(1, 0, margin, 0, 1, margin)
    )
    amplitude = image(
        echo, power, to_canvas, sar_grid.shape, country.sar_pixel / pixel, country.looks
    )

    unseen = _edge(frame, grid.shape, country.nodata * frame.uniform(0, 2))
    wedge = _edge(frame, grid.shape, country.wedge)
    if hazard == "wedge":
        unseen |= wedge
    unheard = _edge(frame, sar_grid.shape, country.nodata * frame.uniform(0, 2))
    unheard |= np.isnan(amplitude)
    counts = np.clip(np.rint(view.reflectance[:, *core] * 10_000), 1, 65_535).astype(np.uint16)
    counts[:, unseen] = 0
    amplitude[unheard] = 0
    label = np.array(CODES, dtype=np.uint8)[cover.classes[core]]
    label[unseen & _on_optical_grid(unheard, grid, sar_grid)] = 0
    cloud = view.cloud[core] + 2 * view.shadow[core].astype(np.uint8)
    cloud[unseen] = 0
    return Scene(counts, amplitude, label, cloud, grid, sar_grid, fault, sky, look, day, sar_day)


def _optical_grid(country: Country, number: int) -> Grid:
    # A quarter of a scene lies between neighbours, on whole hundreds of metres.
    step = 100 * np.ceil(1.25 * country.size * country.pixel / 100)
    left = ORIGIN[0] + step * (number % COLUMNS)
    top = ORIGIN[1] - step * (number // COLUMNS)
    return Grid(float(left), float(top), country.pixel, (country.size, country.size))


def _sar_grid(rng: np.random.Generator, optical_grid: Grid, pixel: float) -> Grid:
    """A frame somewhat wider than the optical one, its pixels aligned to nothing."""
    extent = optical_grid.shape[0] * optical_grid.pixel
    side = int(np.ceil(extent / pixel)) + 2 * SAR_MARGIN
    east, north = rng.uniform(0, pixel, 2)
    corner = SAR_MARGIN * pixel
    return Grid(
        float(optical_grid.left - corner - east),
        float(optical_grid.top + corner + north),
        pixel,
        (side, side),
    )


def _margin(country: Country) -> int:
    """Canvas px around the optical frame that a SAR frame needs, however it lies."""
    reach = country.size / np.sqrt(2)
    turn = reach * (np.radians(country.max_rotation) + country.max_scale)
    frame = (SAR_MARGIN + 2) * country.sar_pixel / country.pixel
    return int(np.ceil(country.max_shift + turn + frame)) + 4


def _edge(rng: np.random.Generator, shape: tuple[int, int], share: float) -> Mask:
    """The part of a frame beyond the slanted edge of a swath, on the left or on the right."""
    lean = rng.uniform(0.08, 0.25)
    y, x = np.ogrid[: shape[0], : shape[1]]
    depth = np.asarray(x + lean * y, dtype=np.float32)
    if rng.uniform() < 0.5:
        depth = depth[:, ::-1]
    return depth < np.quantile(depth, share)


def _on_optical_grid(mask: Mask, grid: Grid, sar_grid: Grid) -> Mask:
    """A mask of the SAR grid at the optical pixels, nearest pixel, as georeferenced."""
    to_sar = grid.centres().then(sar_grid.centres().inverse())
    a, _, c, _, e, f = to_sar.row_major()
    rows = np.clip(np.rint(e * np.arange(grid.shape[0]) + f), 0, mask.shape[0] - 1).astype(int)
    columns = np.clip(np.rint(a * np.arange(grid.shape[1]) + c), 0, mask.shape[1] - 1).astype(int)
    return mask[np.ix_(rows, columns)]
