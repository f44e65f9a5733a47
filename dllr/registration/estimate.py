"""One estimate of a misregistration by one kind of evidence, from a guess to a fraction of a pixel."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dllr.registration.blocks import Blocks
from dllr.registration.measure import Measure, surface
from dllr.registration.pair import Box, Pair
from dllr.registration.search import NoEvidenceError, Reach, search
from dllr.registration.transform import Floats64, Matrix, Size, moved, scaled

COARSEST = 256  # px, longer side of the image that the search looks at
LEAST_BLOCK, BLOCK = 48, 128  # px, side of a block in small and in large images
BLOCKS = 8  # along each side of a lattice in an image too large to look at whole
MARGIN = 48  # px around a block that its neighbourhoods need
LAGS = 3  # px that a block is shifted either way
SMALLEST = 96  # px, shorter side of a scene: two blocks
KNOWN = 0.5  # share of a block that must be known in both images
FEWEST = {"similarity": 6, "affine": 12}  # blocks below which the model is not fitted
NEAR = 21, 81  # px, side of the neighbourhoods in the coarsest image and in large ones


@dataclass(frozen=True)
class Ties:
    """Blocks' own best shifts, for people and for the precision; the transform does not follow from them.

    at: (N, 2) columns and rows of the blocks' centres, px of the fixed image. found: (N, 2) where their
    ground lies in the moving image by the block alone.
    """

    at: Floats64
    found: Floats64


@dataclass(frozen=True)
class Estimate:
    """A transform with its evidence.

    Attributes:
        matrix: 3×3, from pixels of the fixed to those of the moving image.
        ties: of the finest blocks.
        precision: px, median distance of ties from where blocks of other folds foretell them: how well
            the estimate repeats, not how near it is to the truth. NaN where it has none.
        coverage: share of the finest lattice's blocks that are known in both images.
        evidence: how far the blocks' gain by this transform, over the median of all shifts within
            LAGS px, stands above zero: mean by standard error. NaN where it is not measured.
        scores: of each block under it, by the block's centre (column, row); see `as_good`.
    """

    matrix: Matrix
    ties: Ties
    precision: float
    coverage: float
    evidence: float
    scores: dict[tuple[float, float], float]


class Estimator(Protocol):
    """One kind of evidence. Both raise NoEvidenceError where there is too little to go by."""

    def find(self, pair: Pair, reach: Reach) -> Estimate:
        """The best transform in reach."""

    def near(self, pair: Pair, start: Matrix) -> Estimate:
        """The best transform some pixels around another."""


class ByBlocks:
    """What makes a measure an estimator."""

    def find(self: Measure, pair: Pair, reach: Reach) -> Estimate:
        return estimate(pair, self, reach)

    def near(self: Measure, pair: Pair, start: Matrix) -> Estimate:
        return polish(pair, self, start)


def estimate(pair: Pair, measure: Measure, reach: Reach) -> Estimate:
    """Search on thinned images, then blocks on finer and finer ones.

    Raises:
        NoEvidenceError: too little to go by; the message says why.
    """
    if min(pair.size) < SMALLEST:
        raise NoEvidenceError(
            f"a scene of {pair.size[0]} × {pair.size[1]} px; {SMALLEST} px are needed"
        )
    first, *rest = factors(pair.size)
    matrix = search(pair, measure, reach, first, _near(pair.size, first))
    for factor in (first, *rest)[:-1]:
        try:
            blocks, _ = _blocks(pair, measure, matrix, factor)
        except NoEvidenceError:
            continue  # at full size, gaps leave more blocks whole
        step = blocks.matrix("similarity", blocks.fit("similarity"))
        matrix = matrix @ scaled(step, 1 / factor)
    return polish(pair, measure, matrix)


def polish(pair: Pair, measure: Measure, start: Matrix) -> Estimate:
    """The best transform within LAGS px of another, from blocks at full size.

    Raises:
        NoEvidenceError: likewise.
    """
    blocks, coverage = _blocks(pair, measure, start, 1)
    model = "affine" if len(blocks) >= FEWEST["affine"] else "similarity"
    values = blocks.fit(model)
    own = blocks.own()
    tie = np.isfinite(own).all(axis=1)
    residual = np.hypot(*(own - blocks.held_out(model))[tie].T)
    gains = blocks.score(blocks.shifts(model, values))
    spread = float(gains.std()) / np.sqrt(len(gains))
    scores = gains + blocks.level
    return Estimate(
        start @ blocks.matrix(model, values),
        Ties(blocks.centres[tie], moved(start, blocks.centres[tie] + own[tie])),
        float(np.median(residual)) if tie.any() else float("nan"),
        coverage,
        float(gains.mean()) / spread if spread > 0 else 0.0,
        {(x, y): score for (x, y), score in zip(blocks.centres.tolist(), scores, strict=True)},
    )


def as_good(other: Estimate, own: Estimate, errors: float) -> bool:
    """Whether blocks fit one transform no worse than another, within so many standard errors of the
    mean of their differences."""
    both = other.scores.keys() & own.scores.keys()
    rest = np.array([other.scores[at] - own.scores[at] for at in sorted(both)])
    return len(rest) > 1 and float(rest.mean()) >= -errors * float(rest.std()) / np.sqrt(len(rest))


def factors(size: Size) -> list[int]:
    """How many times an image is thinned, from the search on to full size: powers of two, by halves while
    the image is looked at whole, and then by quarters, which LAGS still bridge."""
    found = [2 ** max(0, round(np.log2(max(size) / COARSEST)))]
    while found[-1] > 1:
        half = found[-1] // 2
        dense = whole((size[0] // half, size[1] // half))
        found.append(half if dense or half == 1 else half // 2)
    return found


def whole(size: Size) -> bool:
    """Whether an image of this size is looked at whole: where that is less than a lattice's blocks."""
    around = BLOCK + 2 * MARGIN
    return size[0] * size[1] <= BLOCKS**2 * around**2 or min(size) < around


def _near(size: Size, factor: int) -> int:
    """px, odd: neighbourhoods cover a like share of the ground, up to a limit."""
    return int(np.clip(max(size) / factor / 12, *NEAR)) // 2 * 2 + 1


def _blocks(pair: Pair, measure: Measure, matrix: Matrix, factor: int) -> tuple[Blocks, float]:
    """Surfaces of the lattice's known blocks at this size, and the share of blocks that are known."""
    size = pair.size[0] // factor, pair.size[1] // factor
    side = min(int(np.clip(max(size) / BLOCKS, LEAST_BLOCK, BLOCK)), min(size) // 2)
    around = side + 2 * MARGIN
    dense = whole(size)
    corners = [
        (y, x) for y in _lattice(size[0], side, dense) for x in _lattice(size[1], side, dense)
    ]
    if dense:
        boxes = [Box(0, 0, *size)]
        places = [(0, y, x) for y, x in corners]
    else:
        first = [
            (_within(y - MARGIN, size[0] - around), _within(x - MARGIN, size[1] - around))
            for y, x in corners
        ]
        boxes = [Box(*place, around, around) for place in first]
        places = [
            (n, y - b.y, x - b.x) for n, ((y, x), b) in enumerate(zip(corners, boxes, strict=True))
        ]
    views = pair.views(factor, matrix, boxes)
    near, thin = _near(pair.size, factor), factor > 1
    fixed = measure.fixed(views.fixed, views.fixed_valid, near, thin)
    moving = measure.moving(views.moving, views.moving_valid, near, thin)
    both = views.fixed_valid & views.moving_valid
    centres, surfaces, weights = [], [], []
    for (y, x), (n, top, left) in zip(corners, places, strict=True):
        known = float(both[n, top : top + side, left : left + side].mean())
        if known < KNOWN:
            continue
        scores = surface(measure, fixed, moving, (n, top, left, side, side), LAGS)
        if not np.isnan(scores).any():
            centres.append((x + side / 2, y + side / 2))
            surfaces.append(scores)
            weights.append(known)
    if len(centres) < FEWEST["similarity"]:
        raise NoEvidenceError(
            f"{len(centres)} of {len(corners)} blocks of {side * factor} px are known in both images; "
            f"{FEWEST['similarity']} are needed"
        )
    found = Blocks(np.array(centres), np.array(surfaces), np.array(weights), size)
    return found, len(centres) / len(corners)


def _within(place: int, last: int) -> int:
    return min(max(place, 0), last)


def _lattice(length: int, side: int, dense: bool) -> list[int]:
    """First pixels of blocks along one side, evenly spread: as many as cover it, or BLOCKS."""
    count = max(1, round(length / side)) if dense else BLOCKS
    return [int(v) for v in np.linspace(0, length - side, count)]
