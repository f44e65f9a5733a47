"""Charts of a study's page."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from dllr.report import figures
from dllr.study.comparing import Difference

# The reference comes first. Series differ in marker too.
_LOOKS = [
    (figures.BLUE, "o"), (figures.ORANGE, "s"), (figures.GREEN, "^"), (figures.VERMILION, "D"),
    (figures.PURPLE, "v"), (figures.INK, "P"), (figures.SKY, "X"),
]  # fmt: skip
_AFTER_ALL = 1.6  # how many times the largest budget away the mark of all labels stands


def looks(contestants: Sequence[str], reference: str) -> dict[str, dict[str, Any]]:
    """Colour and marker of each; the reference has the first. More than there are begin anew."""
    order = [reference, *(name for name in contestants if name != reference)]
    found = {}
    for place, name in enumerate(order):
        colour, marker = _LOOKS[place % len(_LOOKS)]
        found[name] = {"color": colour, "marker": marker}
    return found


def budget_curves(
    curves: Mapping[str, Mapping[float | None, "pd.Series[float]"]],
    look: Mapping[str, Mapping[str, Any]],
    words: str,
) -> Figure:
    """Mean of mIoU (0..1) over the cells by labelled budget, and the cells, small. words: what the budget
    counts. All labels, the budget None, stand apart at the right, with a line across."""
    budgets = sorted({b for by in curves.values() for b in by if b is not None})
    last = _AFTER_ALL * budgets[-1] if budgets else 1.0
    ticks = {b: f"{b:g}" for b in budgets}
    if any(None in by for by in curves.values()):
        ticks[last] = "all"
    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=(figures.WIDTH, 3.4), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xscale("log")
        for place, (name, by) in enumerate(curves.items()):
            there = sorted(b for b in by if b is not None)
            nudge = 1 + 0.02 * (place - (len(curves) - 1) / 2)
            size = 1.9 if name == next(iter(look)) else 1.3
            if there:
                axes.plot(
                    [nudge * b for b in there], [100 * by[b].mean() for b in there],
                    linewidth=size, markersize=5.5, label=name, **look[name],
                )  # fmt: skip
            for budget in there:
                _cells(axes, nudge * budget, by[budget], look[name])
            if None in by:
                axes.axhline(
                    100 * by[None].mean(), linestyle=":", linewidth=1.2, color=look[name]["color"]
                )
                axes.plot(
                    last, 100 * by[None].mean(), **look[name], markersize=5.5, linestyle="none",
                    label=None if there else name,
                )  # fmt: skip
                _cells(axes, last, by[None], look[name])
        axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels(list(ticks.values()))
        axes.set(xlabel=f"{words}", ylabel="mIoU (%)")
        axes.margins(x=0.08, y=0.06)
        axes.grid(axis="y", color=figures.INK, alpha=0.12)
        _legend(figure, axes)
    return figure


def forest(
    differences: Sequence[Difference], look: Mapping[str, Mapping[str, Any]], reference: str
) -> Figure:
    """Mean differences in points with their intervals, thick over the cells, thin over the scenes within
    them; and the cells, small."""
    settings = list(dict.fromkeys(d.setting for d in differences))
    rows: list[tuple[str, Difference | None]] = []
    for setting in settings:
        if setting:
            rows.append((", ".join(setting), None))
        rows += [(d.contestant, d) for d in differences if d.setting == setting]
    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=(figures.WIDTH, 0.8 + 0.3 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(0, color=figures.INK, linewidth=0.9)
        for y, (_, d) in enumerate(rows):
            if d is None:
                continue
            colour = look[d.contestant]["color"]
            for bounds, width in ((d.over_seeds, 2.6), (d.over_scenes, 0.9)):
                if bounds:
                    axes.plot(
                        [100 * end for end in bounds], [y, y], color=colour, linewidth=width,
                        alpha=0.6 if width > 1 else 1, solid_capstyle="butt",
                    )  # fmt: skip
            axes.plot([100 * e for e in d.each], [y] * len(d.each), "|", color=colour, markersize=7)
            axes.plot(100 * d.mean, y, **look[d.contestant], markersize=6.5)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        for tick, (_, d) in zip(axes.get_yticklabels(), rows, strict=True):
            tick.set_fontweight("bold" if d is None else "normal")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="x", color=figures.INK, alpha=0.12)
        axes.set(xlabel=f"mIoU of {reference} less that of the other (points)")
    return figure


def labels_and_scores(
    frame: pd.DataFrame, labels: str, look: Mapping[str, Mapping[str, Any]]
) -> Figure:
    """Over how right a cell's pseudo-labels are (column `labels`, 0..1), its mIoU (0..1)."""
    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=(figures.WIDTH, 3.2), layout="constrained")
        axes = figure.add_subplot()
        for name, style in look.items():
            chosen = frame[frame["contestant"] == name]
            if len(chosen):
                axes.plot(
                    100 * chosen[labels], 100 * chosen["miou"], linestyle="none", markersize=5,
                    alpha=0.8, label=name, **style,
                )  # fmt: skip
        axes.set(
            xlabel="mIoU of the pseudo-labels on unlabelled pixels (%)", ylabel="mIoU on test (%)"
        )
        axes.grid(color=figures.INK, alpha=0.12)
        _legend(figure, axes)
    return figure


def _cells(axes: Axes, x: float, scores: "pd.Series[float]", look: Mapping[str, Any]) -> None:
    values = 100 * scores
    axes.plot([x] * len(values), values, "_", color=look["color"], alpha=0.45, markersize=6)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=3, columnspacing=1.4)
