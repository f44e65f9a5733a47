"""The evidence of the registration as a page of its own: what was found, and pictures before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from dllr.report import figures, panels
from dllr.report.page import Chart, environment

Crop = npt.NDArray[np.uint8]
SQUARE = 32  # px, side of a checkerboard's fields
COLOURS = figures.BLUE, figures.VERMILION, figures.GREEN, figures.PURPLE  # of estimators, in turn
LONGEST = 0.1  # of the picture's longer side, that the longest tie is drawn at


@dataclass(frozen=True)
class Flicker:
    """A crop of both images, to be alternated, and both at once as a checkerboard; data URIs."""

    when: str
    optical: str
    sar: str
    board: str
    alt: str


@dataclass(frozen=True)
class Scene:
    """A scene's registration: its record, its tie field (None without ties), its crops."""

    name: str
    record: Mapping[str, Any]
    ties: Chart | None
    crops: Sequence[Sequence[Flicker]]

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
    for n, place in enumerate(evidence.get("places", ())):
        where = f"{name}, {evidence['before'].shape[1]} px from row {place[0]}, column {place[1]}"
        whens = [("before", "as georeferenced"), ("after", "as moved")]
        found.append(
            [
                flicker(evidence["optical"][n], evidence[key][n], words, f"{where}, {words}")
                for key, words in whens
                if key in evidence
            ]
        )
    return Scene(name, record, _ties(name, record), found)


def flicker(optical: Crop, sar: Crop, when: str, alt: str) -> Flicker:
    """optical: (S, S, 3), sar: (S, S), 0 = no data."""
    grey = np.rint(optical.mean(axis=2)).astype(np.uint8)
    pictures = optical, np.dstack([sar] * 3), np.dstack([checkerboard(grey, sar)] * 3)
    known = (optical.any(axis=2), sar > 0, (grey > 0) & (sar > 0))
    first, second, board = (
        panels.data_uri(np.dstack([picture, np.where(seen, 255, 0).astype(np.uint8)]), photo=True)
        for picture, seen in zip(pictures, known, strict=True)
    )
    return Flicker(when, first, second, board, alt)


def checkerboard(first: Crop, second: Crop) -> Crop:
    """Fields of SQUARE px of either image (H, W) in turn; the upper left one is of the first."""
    y, x = np.indices(first.shape) // SQUARE
    return np.where((y + x) % 2 == 0, first, second)


def tie_field(record: Mapping[str, Any]) -> Figure | None:
    """What each block's own best shift leaves over the estimate it belongs to, as arrows, enlarged."""
    height, width = record["size"]
    rows = {name: np.array(e["ties"]) for name, e in record["estimates"].items() if e["ties"]}
    if not rows:
        return None
    rest = {}
    for name, ties in rows.items():
        matrix = np.array(record["estimates"][name]["matrix"])
        rest[name] = ties[:, 2:] - (ties[:, :2] @ matrix[:2, :2].T + matrix[:2, 2])
    longest = max(float(np.hypot(*r.T).max()) for r in rest.values()) or 1.0
    enlarge = LONGEST * max(height, width) / longest
    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=(5.2, 0.9 + 5.2 * min(1.4, height / width)), layout="constrained")
        axes = figure.add_subplot()
        axes.set(
            xlim=(0, width), ylim=(height, 0), aspect="equal", xlabel="column, px", ylabel="row, px"
        )
        look: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.005}
        for colour, (name, ties) in zip(COLOURS, rows.items(), strict=False):
            u, v = enlarge * rest[name].T
            axes.quiver(ties[:, 0], ties[:, 1], u, v, color=colour, label=name, **look)
        corner = [0.03 * width], [0.97 * height]
        axes.quiver(*corner, [enlarge], [0], color=figures.INK, label="1 px", **look)
        figure.legend(loc="outside upper center", ncols=len(rows) + 1)
    return figure


def _ties(name: str, record: Mapping[str, Any]) -> Chart | None:
    figure = tie_field(record)
    if figure is None:
        return None
    words = "; ".join(
        f"{kind}: {len(e['ties'])} ties, half of them within {e['precision_px']:.2f} px"
        for kind, e in record["estimates"].items()
        if e["ties"]
    )
    caption = "What blocks’ own shifts leave over the estimate, enlarged"
    return Chart(figures.svg(figure, f"ties-{name}"), f"Tie field of {name}. {words}.", caption)


def render(scenes: Sequence[Scene]) -> str:
    """The whole HTML document."""
    return environment().get_template("registration.html.j2").render(scenes=scenes) + "\n"
