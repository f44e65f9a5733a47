"""The evidence of the registration: what was found, and pictures before and after."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from dllr.report import panels, ties
from dllr.report.page import Chart

Pixels = npt.NDArray[np.uint8]
SQUARE = 32  # px, side of a checkerboard's fields
MOST = 12  # scenes whose evidence is shown: half a megabyte each


@dataclass(frozen=True)
class Flicker:
    """A crop of both images, to be alternated, and both at once as a checkerboard; data URIs."""

    when: str
    optical: str
    sar: str
    board: str
    alt: str


@dataclass(frozen=True)
class Crop:
    """A part of the scene: before, and after where the SAR image was moved."""

    where: str
    pairs: Sequence[Flicker]


@dataclass(frozen=True)
class Scene:
    """A scene's registration: its record, its tie fields, its crops."""

    name: str
    record: Mapping[str, Any]
    ties: Sequence[Chart]
    crops: Sequence[Crop]

    @property
    def anchor(self) -> str:
        """Identifier of its part of the page; the same as long as its name is."""
        return f"scene-{quote(self.name)}"

    @property
    def moved(self) -> bool:
        """Whether its SAR image does not lie where its georeferencing puts it."""
        return self.record["matrix"] is not None

    @property
    def precision(self) -> float | None:
        """px, the worst of its estimates."""
        return worst_precision(self.record)


def worst_precision(record: Mapping[str, Any]) -> float | None:
    """px, the largest median residual of an estimate's ties; None without estimates that have one."""
    some = [e["precision_px"] for e in record.get("estimates", {}).values()]
    return max((p for p in some if p is not None), default=None)


def scene(name: str, record: Mapping[str, Any], evidence: Mapping[str, npt.NDArray[Any]]) -> Scene:
    """What the page shows of a scene; evidence: the arrays of its evidence file, empty without one."""
    found = []
    for n, (row, column) in enumerate(evidence.get("places", ())):
        where = f"{evidence['before'].shape[1]} px from row {row}, column {column}"
        whens = [("before", "as georeferenced"), ("after", "as moved")]
        pairs = [
            flicker(evidence["optical"][n], evidence[key][n], words, f"{name}, {where}, {words}")
            for key, words in whens
            if key in evidence
        ]
        found.append(Crop(where, pairs))
    return Scene(name, record, ties.charts(name, record), found)


def flicker(optical: Pixels, sar: Pixels, when: str, alt: str) -> Flicker:
    """optical: (S, S, 3), sar: (S, S), 0 = no data."""
    grey = np.rint(optical.mean(axis=2)).astype(np.uint8)
    pictures = optical, np.dstack([sar] * 3), np.dstack([checkerboard(grey, sar)] * 3)
    known = (optical.any(axis=2), sar > 0, (grey > 0) & (sar > 0))
    first, second, board = (
        panels.data_uri(np.dstack([picture, np.where(seen, 255, 0).astype(np.uint8)]), photo=True)
        for picture, seen in zip(pictures, known, strict=True)
    )
    return Flicker(when, first, second, board, alt)


def checkerboard(first: Pixels, second: Pixels) -> Pixels:
    """Fields of SQUARE px of either image (H, W) in turn; the upper left one is of the first."""
    y, x = np.indices(first.shape) // SQUARE
    return np.where((y + x) % 2 == 0, first, second)


def weakest(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of the scenes to show, at most MOST, in their order: unverified ones first, then transforms
    that were given, then estimates that lie farthest apart."""
    doubtful = ("none", "applied", "given", "unverified")

    def weakness(name: str) -> tuple[int, float]:
        apart = records[name]["apart_px"]
        return doubtful.index(records[name]["verdict"]), math.inf if apart is None else apart

    chosen = sorted(records, key=weakness, reverse=True)[:MOST]
    return [name for name in records if name in chosen]


def evidence(records: Mapping[str, Mapping[str, Any]], shown: Sequence[Scene]) -> dict[str, Any]:
    """What the page says of all scenes, and those that it shows."""
    verdicts = [record["verdict"] for record in records.values()]
    return {
        "moved": sum(record["matrix"] is not None for record in records.values()),
        "applied": verdicts.count("applied"),
        "given": verdicts.count("given"),
        "shown": shown,
        "anchors": {scene.name: scene.anchor for scene in shown},
        "left_out": len(records) - len(shown),
        "square": SQUARE,
    }
