"""From blocks to a transform: the one under which all blocks together are most alike.

Each block of a lattice gives a surface of scores over shifts. A transform moves each block by its own
shift; the best one has the largest sum of scores. No block has to find its own shift, so blocks that show
little add little, and none is thrown out.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from dllr.registration.transform import Floats64, Matrix, Size

FINE = 8  # points that a surface is interpolated at, per px, cubic; between them, bilinear
FOLDS = 5  # of the cross-validation
BEYOND = 0.05  # score lost per px that a block is moved beyond its surface
TERMS = {"similarity": 4, "affine": 6}


class Blocks:
    """Surfaces (N, 2 reach + 1, 2 reach + 1) of blocks around centres (N, 2), px, in an image of `size`.

    weights: (N,) share of a block that is known.
    """

    def __init__(
        self,
        centres: Floats64,
        surfaces: Floats64,
        weights: Floats64,
        size: Size,
    ) -> None:
        self.centres, self.size, self.weights = centres, size, weights
        self.reach = surfaces.shape[1] // 2
        points = 2 * self.reach * FINE + 1
        zoom = points / surfaces.shape[1]
        fine = np.stack([ndimage.zoom(s, zoom, order=3, mode="nearest") for s in surfaces])
        self.level = np.median(surfaces, axis=(1, 2))
        self._fine = (fine - self.level[:, None, None]) * weights[:, None, None]

    def __len__(self) -> int:
        return len(self.centres)

    def fit(self, model: str, blocks: NDArray[np.intp] | slice = slice(None)) -> Floats64:
        """Coefficients of the model under which these blocks are most alike."""
        design = self._design(model)[blocks]
        surfaces = self._fine[blocks]
        # From where a coarser image left it: another maximum nearby may be a street further.
        start = np.zeros(TERMS[model])
        # Steps of a twentieth of a pixel see past the facets of the interpolation.
        done = optimize.minimize(
            lambda values: -float(self._scores(design @ values, surfaces).sum()),
            start, method="BFGS", options={"gtol": 1e-5, "eps": 0.05, "maxiter": 100},
        )  # fmt: skip
        return np.asarray(done.x)

    def shifts(self, model: str, values: Floats64) -> Floats64:
        """Shifts (N, 2), columns and rows, px, of all blocks."""
        return np.asarray(self._design(model) @ values)

    def score(self, shifts: Floats64) -> Floats64:
        """Scores (N,) of all blocks under these shifts (N, 2)."""
        return self._scores(shifts, self._fine)

    def held_out(self, model: str) -> Floats64:
        """Shifts (N, 2) of each block by the transform of the blocks of other folds."""
        order = np.random.default_rng(0).permutation(len(self))
        found = np.zeros((len(self), 2))
        for fold in range(FOLDS):
            mine = order[fold::FOLDS]
            rest = np.setdiff1d(order, mine)
            found[mine] = self.shifts(model, self.fit(model, rest))[mine]
        return found

    def own(self) -> Floats64:
        """Each block's best shift (N, 2), NaN where it lies on the border of the surface."""
        peaks = self._fine.reshape(len(self), -1).argmax(axis=1)
        rows, columns = np.unravel_index(peaks, self._fine.shape[1:])
        found = np.stack([columns, rows], axis=1) / FINE - self.reach
        found[np.abs(found).max(axis=1) > self.reach - 0.5] = np.nan
        return np.asarray(found)

    def matrix(self, model: str, values: Floats64) -> Matrix:
        """The transform of this image's pixels."""
        height, width = self.size
        points = np.array([[0, 0], [width, 0], [0, height]], np.float64)
        there = points + design(points, self.size, model) @ values
        ones = np.ones((1, 3))
        return np.vstack([there.T, ones]) @ np.linalg.inv(np.vstack([points.T, ones]))

    def _design(self, model: str) -> Floats64:
        return design(self.centres, self.size, model)

    def _scores(self, shifts: Floats64, surfaces: Floats64) -> Floats64:
        last = 2 * self.reach * FINE
        place = ((shifts + self.reach) * FINE).clip(0, last - 1e-6)
        x, y = place.astype(int).T
        right, down = (place - place.astype(int)).T
        n = np.arange(len(surfaces))
        found = (
            surfaces[n, y, x] * (1 - right) * (1 - down)
            + surfaces[n, y, x + 1] * right * (1 - down)
            + surfaces[n, y + 1, x] * (1 - right) * down
            + surfaces[n, y + 1, x + 1] * right * down
        )
        beyond = np.maximum(np.abs(shifts) - self.reach, 0).sum(axis=1)
        return np.asarray(found - BEYOND * beyond)


def design(points: Floats64, size: Size, model: str) -> Floats64:
    """(N, 2, terms): shifts of points (N, 2) by unit coefficients; coordinates run from -1 to 1 along
    the longer side."""
    height, width = size
    x, y = ((points - [width / 2, height / 2]) / (max(size) / 2)).T
    one, none = np.ones(len(points)), np.zeros(len(points))
    shift = [(one, none), (none, one)]
    if model == "similarity":
        terms = [*shift, (x, y), (-y, x)]
    else:
        terms = [*shift, (x, none), (y, none), (none, x), (none, y)]
    return np.stack([np.stack(term, axis=1) for term in terms], axis=2)
