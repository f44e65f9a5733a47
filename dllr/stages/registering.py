"""What `coregister` does about a scene's misregistration: the verdict, its record, crops for pictures."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import ndimage

from dllr.errors import SceneError
from dllr.params.coregister import Coregister
from dllr.raster.gridding import gridded
from dllr.registration import make
from dllr.registration.estimate import Estimate, Estimator
from dllr.registration.gate import Verdict, register
from dllr.registration.given import Given
from dllr.registration.pair import Pair
from dllr.registration.search import Reach
from dllr.registration.transform import Matrix, Size, rotation, shift, stretch
from dllr.stages.pairs import RasterPair

GIVEN = "given"
NUMBERS = ("a", "b", "c", "d", "e", "f")
CROP, CROPS = 256, 3  # px, side of the crops shown to people, and how many
WHOLE = 0.9  # share of a crop that both images must know
DARK, BRIGHT = 2, 98  # percentiles that crops are stretched between


def given_transforms(path: Path) -> dict[str, Matrix]:
    """Scene → matrix, from a CSV with the columns scene, a, b, c, d, e, f: the ground of optical pixel
    (x, y), counted from the corner, lies at (a x + b y + c, d x + e y + f) in the SAR image as
    georeferenced, in pixels of the optical grid.

    Raises:
        SceneError: there is no such table, or it holds no numbers.
    """
    if not path.is_file():
        raise SceneError(f"coregister.given {path} does not exist; name a CSV with the columns scene, "
                         f"{', '.join(NUMBERS)}, or params/lists/no_transforms.csv")  # fmt: skip
    try:
        table = pd.read_csv(path, dtype={"scene": str}, keep_default_na=False)
        numbers = table[list(NUMBERS)].astype(np.float64).to_numpy()
        names = table["scene"].tolist()
    except (KeyError, ValueError) as error:
        raise SceneError(
            f"coregister.given {path} is no table of transforms ({error}); expected the columns scene, "
            f"{', '.join(NUMBERS)} with a number in each"
        ) from None
    if len(set(names)) < len(names) or not np.isfinite(numbers).all():
        raise SceneError(
            f"{path} names a scene twice, or holds a number that is not finite; mend it"
        )
    return {
        n: np.vstack([row.reshape(2, 3), [0, 0, 1]]) for n, row in zip(names, numbers, strict=True)
    }


def decide(pair: Pair, settings: Coregister, given: Matrix | None) -> Verdict:
    """The verdict on a scene. given: its transform in the file of given ones, if it is there."""
    if not settings.estimators:
        return Verdict("none", "not asked for: the georeferencing is kept")
    if GIVEN in settings.estimators and given is None:
        reason = "coregister.given has no row for this scene: the georeferencing is kept"
        return Verdict("unverified", reason)
    if settings.estimators == [GIVEN]:
        return Verdict("given", "as coregister.given says; nothing was checked", given)
    estimators: dict[str, Estimator] = {
        name: Given(given) if name == GIVEN and given is not None else make(name)
        for name in settings.estimators
    }
    reach = Reach(settings.max_shift, settings.max_rotation, settings.max_scale)
    return register(pair, estimators, reach, settings.agreement, settings.min_valid)


def record(verdict: Verdict, settings: Coregister, size: Size) -> dict[str, Any]:
    """The verdict and its evidence as JSON values; px are those of the optical grid."""
    matrix = verdict.matrix
    return {
        "estimators": list(settings.estimators),
        "verdict": verdict.word,
        "reason": verdict.reason,
        "size": list(size),
        "matrix": _rounded(matrix),
        **_facts(matrix, size),
        "apart_px": _number(verdict.apart),
        "estimates": {name: _estimate(e, size) for name, e in verdict.estimates.items()},
    }


def _estimate(found: Estimate, size: Size) -> dict[str, Any]:
    ties = np.hstack([found.ties.at, found.ties.found])
    return {
        "matrix": _rounded(found.matrix),
        **_facts(found.matrix, size),
        "precision_px": _number(found.precision),
        "coverage": _number(found.coverage),
        "evidence": _number(found.evidence),
        "ties": [[round(float(v), 2) for v in tie] for tie in ties],
    }


def _facts(matrix: Matrix | None, size: Size) -> dict[str, float | None]:
    if matrix is None:
        return {"shift_px": None, "rotation_degrees": None, "scale": None}
    return {
        "shift_px": round(shift(matrix, size), 4),
        "rotation_degrees": round(rotation(matrix), 5),
        "scale": round(stretch(matrix), 6),
    }


def _rounded(matrix: Matrix | None) -> list[list[float]] | None:
    return None if matrix is None else [[round(float(v), 9) for v in row] for row in matrix]


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None


def crops(pair: RasterPair, matrix: Matrix | None, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Full-size crops where edges are: places (n, 2), optical (n, S, S, 3), SAR as georeferenced, `before`
    (n, S, S), and as moved, `after`, where it is; uint8, 0 = no data. names: of the optical bands."""
    places = _places(pair)
    side = min(CROP, *pair.size)
    windows = [Window(x, y, side, side) for y, x in places]
    if not windows:
        return {}
    place = {name.lower(): band for band, name in enumerate(names)}
    if {"red", "green", "blue"} <= place.keys():
        shown = [place["red"], place["green"], place["blue"]]
    else:
        shown = [0, 1, 2] if len(names) >= 3 else [0, 0, 0]
    optical = [
        np.moveaxis(v[shown], 0, -1) for _, v in gridded(pair.optical, pair.grid, None, windows)
    ]
    found = {"places": np.array(places), "optical": np.stack([_grey(o) for o in optical])}
    for name, moved in (("before", None), ("after", matrix)):
        if name == "before" or moved is not None:
            sar = pair.sar.strips(pair.grid, moved, windows)
            found[name] = np.stack([_grey(v[0][..., None])[..., 0] for _, v in sar])
    return found


def _places(pair: RasterPair) -> list[tuple[int, int]]:
    """First pixels of crops that do not overlap and that both images know, richest in edges first."""
    optical, sar, least = pair.overview.fixed, pair.overview.moving, pair.least
    known = np.asarray(np.isfinite(optical).all(axis=0) & np.isfinite(sar).all(axis=0))
    side = max(1, min(CROP, *pair.size) // least)
    bright = np.where(known, np.nan_to_num(optical).mean(axis=0), 0)
    inside = ndimage.binary_erosion(known, np.ones((5, 5)), border_value=1)
    edges = np.sqrt(ndimage.gaussian_gradient_magnitude(bright, 1.0)) * inside
    ranked = []
    for y in range(0, known.shape[0] - side + 1, side):
        for x in range(0, known.shape[1] - side + 1, side):
            part = np.s_[y : y + side, x : x + side]
            if known[part].mean() >= WHOLE:
                ranked.append((float(edges[part].mean()), y * least, x * least))
    return [(y, x) for _, y, x in sorted(ranked, reverse=True)[:CROPS]]


def _grey(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Bands (S, S, B) stretched to 1..255 each; 0 = no data."""
    known = np.asarray(np.isfinite(values).all(axis=-1))
    if not known.any():
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(values[known], [DARK, BRIGHT], axis=0)
    grey = 1 + 254 * ((values - low) / np.maximum(high - low, 1e-9)).clip(0, 1)
    return np.where(known[..., None], np.nan_to_num(grey), 0).astype(np.uint8)
