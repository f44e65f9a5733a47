"""The plan of a scene: terrain, districts of one bearing, and the rectangles that people lay out."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from dllr.demo.noise import Cells, Floats, Ids, cells, field, hashed, normal, uniform
from dllr.demo.terrain import Terrain

CLASSES = ("farmland", "city", "village", "water", "forest", "road", "others")
CODES = (10, 20, 30, 40, 50, 60, 70)
FARMLAND, CITY, VILLAGE, WATER, FOREST, ROAD, OTHERS = range(7)


@dataclass(frozen=True)
class Ground:
    """What the classes compete for. Arrays of one shape (y, x); sizes in px.

    core: the part that the optical image shows. district: one number a district. bearing: its
    direction, radians from the x axis towards the y axis. u, v: coordinates along and across it.
    """

    terrain: Terrain
    core: tuple[slice, slice]
    district: Ids
    bearing: Floats
    u: Floats
    v: Floats
    fields: Cells

    @property
    def shape(self) -> tuple[int, int]:
        return self.district.shape[0], self.district.shape[1]

    def pixels(self, share: float) -> int:
        """A share of the core, px."""
        rows, columns = (int(s.stop - s.start) for s in self.core)
        return round(share * rows * columns)


def lay_out(rng: np.random.Generator, land: Terrain, core: tuple[slice, slice]) -> Ground:
    """Districts of one bearing each (Voronoi cells of a jittered grid), fields within them."""
    shape = land.height.shape
    spacing = 64
    seeds = np.mgrid[
        -spacing : shape[0] + spacing : spacing, -spacing : shape[1] + spacing : spacing
    ]
    points = seeds.reshape(2, -1).T + rng.uniform(-28, 28, (seeds[0].size, 2))
    # Half resolution is enough for borders that are tracks of a pixel or two.
    coarse = np.mgrid[: shape[0] : 2, : shape[1] : 2]
    nearest = cKDTree(points).query(coarse.reshape(2, -1).T)[1].reshape(coarse.shape[1:])
    index = nearest.repeat(2, 0).repeat(2, 1)[: shape[0], : shape[1]].astype(np.int32)
    district = hashed(index, int(rng.integers(2**31)))

    main = rng.uniform(-np.pi / 4, np.pi / 4)
    bearing = np.asarray(main + 0.35 * normal(district, 1), dtype=np.float32)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    y += 3 * field(rng, shape, 90)
    x += 3 * field(rng, shape, 90)
    u = x * np.cos(bearing) + y * np.sin(bearing)
    v = y * np.cos(bearing) - x * np.sin(bearing)
    width = 5 + 9 * uniform(district, 2) ** 2
    fields = cells(u, v, width, width * (1.8 + 3 * uniform(district, 3)), district)
    return Ground(land, core, district, bearing, u, v, fields)


def blocks(ground: Ground) -> Cells:
    """Lots between streets, about 13 × 20 px."""
    return cells(ground.u, ground.v, 13.0, 20.0, ground.district)
