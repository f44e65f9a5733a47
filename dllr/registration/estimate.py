"""What an estimator of misregistration returns, and when it is believed."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Estimate:
    """Affine misregistration with its evidence.

    matrix: 3×3, takes (column, row) of a fixed pixel's centre, counted from the grid's corner, to
        where the same ground lies in the moving image.
    similarity: mutual information in nats of the estimator's own metric, before and after.
    edges: correlation of gradient magnitudes before and after. The estimator does not look at it,
        so it is a second opinion.
    """

    matrix: NDArray[np.float64]
    similarity: tuple[float, float]
    edges: tuple[float, float]

    def shift(self, height: int, width: int) -> float:
        """Largest displacement, px, over corners and centre of the grid."""
        x, y = (
            np.array([0, width, 0, width, width / 2]),
            np.array([0, 0, height, height, height / 2]),
        )
        points = np.stack([x, y, np.ones(5)])
        return float(np.hypot(*(self.matrix @ points - points)[:2]).max())

    @property
    def rotation(self) -> float:
        """Degrees, counter-clockwise in column–row axes."""
        return float(np.degrees(np.arctan2(self.matrix[1, 0], self.matrix[0, 0])))

    @property
    def scale(self) -> float:
        """Relative change of length, largest of both axes."""
        return float(np.abs(np.linalg.svd(self.matrix[:2, :2], compute_uv=False) - 1).max())


@dataclass(frozen=True)
class Verdict:
    """`applied`, `unverified` (georeferencing kept) or `none` (not estimated), and why."""

    word: str
    reason: str


def judge(
    estimate: Estimate,
    size: tuple[int, int],
    max_shift: float,
    max_rotation: float,
    max_scale: float,
) -> Verdict:
    """Believe an estimate only if it is plausible and both measures say that it helps.

    max_shift is in px, max_rotation in degrees, max_scale relative.
    """
    facts: list[tuple[str, float, float, str]] = [
        ("shift", estimate.shift(*size), max_shift, "px"),
        ("rotation", abs(estimate.rotation), max_rotation, "degrees"),
        ("scale", estimate.scale, max_scale, ""),
    ]
    for name, value, limit, unit in facts:
        if not value <= limit:
            return Verdict(
                "unverified", f"{name} {value:.3g} {unit} exceeds {limit:g}".replace("  ", " ")
            )
    for name, (before, after) in (
        ("mutual information", estimate.similarity),
        ("edges", estimate.edges),
    ):
        if not (math.isfinite(before) and math.isfinite(after)):
            return Verdict("unverified", f"{name} cannot be measured: too few pixels in one piece")
        if not after > before:
            return Verdict("unverified", f"{name} fell from {before:.4f} to {after:.4f}")
    return Verdict("applied", "plausible; mutual information and edge correlation both rose")


def record(estimate: Estimate | None, verdict: Verdict, size: tuple[int, int]) -> dict[str, Any]:
    """The evidence as JSON values."""
    facts: dict[str, Any] = {"verdict": verdict.word, "reason": verdict.reason}
    if estimate is None:
        return facts
    return facts | {
        "matrix": [[round(float(v), 9) for v in row] for row in estimate.matrix],
        "shift_px": round(estimate.shift(*size), 4),
        "rotation_degrees": round(estimate.rotation, 5),
        "scale": round(estimate.scale, 6),
        "mutual_information": [_number(v) for v in estimate.similarity],
        "edge_correlation": [_number(v) for v in estimate.edges],
    }


def _number(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None
