"""Pairs for `benchmarks.registration`: simulated with truth, real with known movements."""

import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray

from dllr.demo.geometry import draw_edge
from dllr.demo.scene import scene
from dllr.params.demo import Country
from dllr.raster.gridding import gridded
from dllr.raster.image import Image
from dllr.registration.pair import ArrayPair, Floats, warped
from dllr.registration.search import Reach
from dllr.registration.transform import Matrix, Size, moved, similarity
from dllr.stages.demo import _optical, _sar

SIZE = 1024  # px
FIRST_SEED = 2000  # development used others
CLOUDS = (0.0, 0.1, 0.2, 0.3, 0.4)
RELIEFS = (0.0, 130.0)  # m
LOOKS = (1, 4)
NODATA = 0.08  # mean share beyond the swaths' edges, of each image
WEDGE = 0.15  # share of the optical image that every other pair lacks besides, at a further edge
SHIFT, ROTATION, SCALE = 20.0, 1.0, 0.01  # px, degrees, relative: pairs are moved by up to this
SIMULATED_REACH = Reach(22.0, 1.1, 0.012)
REAL_REACH = Reach(30.0, 2.0, 0.03)  # own misregistration and known movement together
OMBRIA_REACH = Reach(12.0, 1.0, 0.01)
LATTICE = 17  # points along a side that errors are taken at


class Case(NamedTuple):
    """One simulated pair."""

    seed: int
    relief: float
    looks: int
    cloud: float
    wedge: bool


def cases(seeds: int) -> list[Case]:
    """Every relief, looks and share of clouds, `seeds` times, each of a country of its own; half of each
    kind with a wedge."""
    kinds = list(product(range(seeds), RELIEFS, LOOKS, CLOUDS))
    of = len(kinds) // seeds
    return [
        Case(FIRST_SEED + n, *kind[1:], wedge=(n + n // of) % 2 == 1)
        for n, kind in enumerate(kinds)
    ]


def simulated(case: Case) -> tuple[ArrayPair, Matrix]:
    """A scene of the demo country, and the truth; the SAR image, of other pixels and CRS, on the optical
    grid as its georeference has it."""
    country = Country(
        seed=case.seed, scenes=3, size=SIZE, pixel=5.0, relief=case.relief, sar_pixel=6.0,
        sar_crs="EPSG:4326", sar_unit="power", looks=case.looks, max_shift=SHIFT, max_rotation=ROTATION,
        max_scale=SCALE, cloud=0, nodata=NODATA, unlabelled=0, heavy_cloud=case.cloud, wedge=0,
        other_zone=False, missing=None,
    )  # fmt: skip
    made = scene(country, country.scenes - 1)
    if case.wedge:  # the country has clouds and wedges in scenes of their own
        edge = draw_edge(np.random.default_rng(case.seed), made.optical_grid, WEDGE)
        made = replace(made, optical_edges=(made.optical_edges[0], edge))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _optical(folder, made)
        _sar(folder, made, country)
        grid = made.optical_grid
        optical, power = (
            np.concatenate([v for _, v in gridded(Image(folder / name, bands), grid)], axis=1)
            for name, bands in (("optical.tif", (1, 2, 3, 4)), ("sar.tif", (1,)))
        )
    place = grid.transform
    truth = ~place @ made.misregistration.true_to_georeferenced() @ place
    images = ArrayPair(optical, (10 * np.log10(power)).astype(np.float32), decibel=True)
    return images, np.array(truth).reshape(3, 3)


def real(folder: Path) -> ArrayPair:
    """optical.tif and sar.tif of a folder, on one grid; 0 in all bands is missing."""
    return ArrayPair(_read(folder / "optical.tif"), _read(folder / "sar.tif"), decibel=False)


def _read(path: Path) -> Floats:
    with rasterio.open(path) as source:
        values: Floats = source.read().astype(np.float32)
    values[:, (values == 0).all(axis=0)] = np.nan
    return values


def movement(size: Size, number: int, seed: int) -> Matrix:
    """The known transform of that number; 0 is none."""
    if not number:
        return np.eye(3)
    x, y, turn, stretch = np.random.default_rng([seed, number]).uniform(-1, 1, 4)
    hop = (SHIFT * x, SHIFT * y)
    return similarity(size, hop, ROTATION * turn, 1 + SCALE * stretch)


def displaced(images: ArrayPair, known: Matrix) -> ArrayPair:
    """The moving image moved: what was at p is at `known` p; interpolated once, bilinear."""
    back, size = np.asarray(np.linalg.inv(known), np.float64), images.size
    whole = np.asarray(np.isfinite(images.moving).all(axis=0), np.float32)
    seen = warped(whole, back, size) > 0.999
    filled = np.where(np.isfinite(images.moving), images.moving, 0)
    bands = [warped(np.asarray(band, np.float32), back, size) for band in filled]
    sar = np.where(seen, np.stack(bands), np.nan).astype(np.float32)
    return ArrayPair(images.fixed, sar, images.decibel)


def rmse(found: Matrix, truth: Matrix, size: Size) -> float:
    """px, root of the mean squared distance over a lattice of the image."""
    y, x = np.meshgrid(*(np.linspace(0, side, LATTICE) for side in size), indexing="ij")
    points: NDArray[np.float64] = np.stack([x.ravel(), y.ravel()], axis=1)
    apart = moved(found, points) - moved(truth, points)
    return float(np.sqrt((apart**2).sum(axis=1).mean()))


def best_shift(truth: Matrix, size: Size) -> Matrix:
    """The shift nearest to a transform: no method that only shifts can do better."""
    centre = np.array([[size[1] / 2, size[0] / 2]])
    found = np.eye(3)
    found[:2, 2] = (moved(truth, centre) - centre)[0]
    return found
