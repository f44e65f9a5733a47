"""How far the probabilities of the map hold, as a chart."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from dllr.report import figures
from dllr.report.page import Chart, percent

# Before the temperature and after it: word of the table → its name in the chart, and its look.
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "before": ("as they are", {"color": figures.ORANGE, "marker": "o", **figures.RING}),
    "after": ("with temperature", {"color": figures.BLUE, "marker": "o", "markersize": 5}),
}


def charts(
    bins: pd.DataFrame, calibration: Mapping[str, Mapping[str, float | None]]
) -> list[Chart]:
    """The reliability diagram; none without pixels.

    bins: a row a bin, columns high, and pixels, confidence and accuracy, each `_before` and `_after`.
    calibration: `before` and `after` → ece and brier.
    """
    if not bins["pixels_before"].sum():
        return []
    words = "; ".join(
        f"{name}: expected calibration error {percent(calibration[word]['ece'])} %, "
        + ", ".join(
            f"{percent(c, 0)} % sure {percent(a, 0)} % right"
            for c, a in zip(*_line(bins, word), strict=True)
        )
        for word, (name, _) in LOOKS.items()
    )
    return [Chart(figures.svg(diagram(bins), "reliability"), words, "Reliability diagram")]


def diagram(bins: pd.DataFrame) -> Figure:
    """Accuracy over mean confidence by bin, above; the share of the pixels in each bin, below."""
    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=(figures.WIDTH, 4.6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        above.plot([0, 100], [0, 100], ":", color=figures.INK, linewidth=1, label="holds")
        edges = [0.0, *(100 * bins["high"])]
        for word, (name, look) in LOOKS.items():
            sure, right = ([100 * v for v in values] for values in _line(bins, word))
            above.plot(sure, right, linewidth=1.5, label=name, **look)
            pixels = bins[f"pixels_{word}"]
            shares = (100 * pixels / pixels.sum()).tolist()
            dashes = "--" if word == "before" else "-"
            below.stairs(shares, edges, color=look["color"], linewidth=1.5, linestyle=dashes)
        above.set(ylabel="accuracy (%)", ylim=(-3, 103), yticks=range(0, 101, 20))
        below.set(xlabel="confidence (%)", ylabel="pixels (%)", xlim=(-3, 103))
        below.set_xticks(range(0, 101, 20))
        for axes in (above, below):
            axes.grid(color=figures.INK, alpha=0.12)
        figures.legend(figure, above)
    return figure


def _line(bins: pd.DataFrame, word: str) -> tuple[list[float], list[float]]:
    """Mean confidence and accuracy of the bins that have pixels."""
    there = bins[bins[f"pixels_{word}"] > 0]
    return there[f"confidence_{word}"].tolist(), there[f"accuracy_{word}"].tolist()
