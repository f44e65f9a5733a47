"""Plane affine maps: grids, and how far a SAR image lies from where it says it does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Affine:
    """(x, y) → (a x + b y + c, d x + e y + f), held as a 3 × 3 matrix."""

    matrix: NDArray[np.float64]

    @classmethod
    def of(cls, a: float, b: float, c: float, d: float, e: float, f: float) -> "Affine":
        return cls(np.array([a, b, c, d, e, f, 0, 0, 1], dtype=np.float64).reshape(3, 3))

    def row_major(self) -> tuple[float, float, float, float, float, float]:
        a, b, c, d, e, f = (float(v) for v in self.matrix[:2].ravel())
        return a, b, c, d, e, f

    def then(self, after: "Affine") -> "Affine":
        return Affine(after.matrix @ self.matrix)

    def inverse(self) -> "Affine":
        return Affine(np.asarray(np.linalg.inv(self.matrix), dtype=np.float64))

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        at = self.matrix @ (x, y, 1)
        return float(at[0]), float(at[1])


@dataclass(frozen=True)
class Grid:
    """North-up raster: map position (m) of its upper left corner, pixel size (m), shape (y, x)."""

    left: float
    top: float
    pixel: float
    shape: tuple[int, int]

    def centres(self) -> Affine:
        """(column, row) of a pixel, whole at its centre, → map position."""
        half = self.pixel / 2
        return Affine.of(self.pixel, 0, self.left + half, 0, -self.pixel, self.top - half)

    def corners(self) -> tuple[float, float, float, float, float, float]:
        """The same from a pixel's upper left corner: a, b, c, d, e, f as rasterio has them."""
        return self.pixel, 0.0, self.left, 0.0, -self.pixel, self.top


@dataclass(frozen=True)
class Misregistration:
    """How a SAR image lies: turned and stretched about `centre`, then shifted.

    What lies at p is shown at centre + scale · R(rotation) (p - centre) + shift.
    shift: m towards east and north. rotation: degrees, counter-clockwise on the map.
    """

    centre: tuple[float, float]
    shift: tuple[float, float]
    rotation: float
    scale: float

    def true_to_georeferenced(self) -> Affine:
        """Map coordinates (m) → map coordinates (m)."""
        cosine = self.scale * np.cos(np.radians(self.rotation))
        sine = self.scale * np.sin(np.radians(self.rotation))
        x, y = self.centre
        east, north = self.shift
        return Affine.of(
            cosine, -sine, x + east - cosine * x + sine * y,
            sine, cosine, y + north - sine * x - cosine * y,
        )  # fmt: skip


def draw_misregistration(
    rng: np.random.Generator,
    centre: tuple[float, float],
    max_shift: float,
    max_rotation: float,
    max_scale: float,
) -> Misregistration:
    """Shift (m, any direction), rotation (degrees) and scale, each up to its maximum."""
    # The root makes the shift uniform over the disc.
    reach, angle = max_shift * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
    return Misregistration(
        centre,
        (float(reach * np.cos(angle)), float(reach * np.sin(angle))),
        rng.uniform(-max_rotation, max_rotation),
        1 + rng.uniform(-max_scale, max_scale),
    )
