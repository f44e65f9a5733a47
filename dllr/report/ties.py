"""A scene's tie field: where its blocks find their ground, and what of that an estimate leaves."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dllr.report import figures
from dllr.report.page import Chart

Floats = npt.NDArray[np.float64]
LOOKS = (  # of estimators, in turn: colour, mark at an arrow's foot, whether it is filled
    (figures.BLUE, "o", "full"),
    (figures.VERMILION, "s", "none"),
    (figures.GREEN, "^", "full"),
    (figures.PURPLE, "D", "none"),
)
_LONGEST = 0.1  # of the scene's longer side, that the longest arrow is drawn at
_AIR = 0.07  # of the same, around the scene
_WIDTH, _AXES, _AROUND = 5.2, 4.4, 1.1  # inches: a chart, its frame, what is above and below


def charts(name: str, record: Mapping[str, Any]) -> list[Chart]:
    """The scene's two tie fields, none where its estimates have no ties."""
    estimates = {kind: e for kind, e in record["estimates"].items() if e["ties"]}
    if not estimates:
        return []
    shown = [
        ("whole", "Where blocks find their ground in the SAR image", displacements),
        ("rest", "What is left of it over the estimate", residuals),
    ]
    found = []
    for key, caption, arrows in shown:
        drawn = {kind: arrows(e) for kind, e in estimates.items()}
        words = "; ".join(
            f"{kind}: {len(rows)} blocks, median {np.median(np.hypot(*rows[:, 2:].T)):.2f} px"
            for kind, rows in drawn.items()
        )
        enlarged = f"{caption}; arrows {enlargement(drawn, record['size']):.3g} times enlarged"
        drawing = figures.svg(field(drawn, record["size"]), f"ties-{key}-{name}")
        found.append(Chart(drawing, f"{name}. {enlarged}. {words}.", enlarged))
    return found


def displacements(estimate: Mapping[str, Any]) -> Floats:
    """(N, 4), px: column and row of each tie, and how far off its ground lies in the moving image."""
    ties = np.array(estimate["ties"], np.float64)
    return np.hstack([ties[:, :2], ties[:, 2:] - ties[:, :2]])


def residuals(estimate: Mapping[str, Any]) -> Floats:
    """(N, 4), px: likewise, how far off it lies from where the estimate's own matrix puts it."""
    ties, matrix = np.array(estimate["ties"], np.float64), np.array(estimate["matrix"])
    put = ties[:, :2] @ matrix[:2, :2].T + matrix[:2, 2]
    return np.hstack([ties[:, :2], ties[:, 2:] - put])


def enlargement(drawn: Mapping[str, Floats], size: tuple[int, int]) -> float:
    """How many times arrows are drawn longer than they are."""
    return _LONGEST * max(size) / _longest(drawn)


def field(drawn: Mapping[str, Floats], size: tuple[int, int]) -> Figure:
    """Arrows (N, 4) by estimator in the frame of the scene, enlarged, and one of a round length."""
    height, width = size
    enlarge, known = enlargement(drawn, size), _round(_longest(drawn))
    with mpl.rc_context(figures.STYLE):
        tall = _AROUND + _AXES * float(np.clip(height / width, 0.2, 1.4))
        figure = Figure(figsize=(_WIDTH, tall), layout="constrained")
        axes = figure.add_subplot()
        air = _AIR * max(size)
        axes.set(xlim=(-air, width + air), ylim=(height + air, -air), aspect="equal")
        axes.set(xlabel="column, px", ylabel="row, px")
        axes.spines[:].set_visible(False)
        axes.add_patch(Rectangle((0, 0), width, height, fill=False, edgecolor=figures.INK, lw=0.6))
        look: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.005}
        for (colour, mark, filled), (kind, arrows) in zip(LOOKS, drawn.items(), strict=False):
            x, y, u, v = arrows.T
            axes.plot(x, y, mark, color=colour, fillstyle=filled, markersize=3.5, label=kind)
            quiver = axes.quiver(x, y, enlarge * u, enlarge * v, color=colour, **look)
        axes.quiverkey(
            quiver, 0.9, 0.035, enlarge * known, f"{known:g} px", coordinates="figure",
            labelpos="W", color=figures.INK,
        )  # fmt: skip
        figure.legend(loc="outside upper left", ncols=len(drawn))
    return figure


def _longest(drawn: Mapping[str, Floats]) -> float:
    return max(float(np.hypot(*arrows[:, 2:].T).max()) for arrows in drawn.values()) or 1.0


def _round(length: float) -> float:
    """The largest 1, 2 or 5 times a power of ten within a length."""
    ten = 10.0 ** np.floor(np.log10(length))
    return float(ten * max(step for step in (1, 2, 5) if step * ten <= length * (1 + 1e-9)))
