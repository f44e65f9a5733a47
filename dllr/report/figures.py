"""Charts as matplotlib figures, and figures as SVG that takes the page's ink, light or dark.

Colours are those of Okabe and Ito (jfly.uni-koeln.de/color), told apart under every common colour
blindness; series differ in line, marker or place too.
"""

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

INK = "#1f2328"
BLUE, ORANGE, GREEN, VERMILION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY = "#cc79a7", "#56b4e9"
_THEME = {
    INK: "currentColor",
    BLUE: "var(--blue)",
    ORANGE: "var(--orange)",
    GREEN: "var(--green)",
    VERMILION: "var(--vermilion)",
    PURPLE: "var(--purple)",
    SKY: "var(--sky)",
}
HEADS = {"fused": BLUE, "optical": ORANGE, "sar": GREEN}
READINGS = {
    "gate": (BLUE, "o"),
    "apart": (VERMILION, "s"),
    "flipped": (GREEN, "^"),
    "used": (PURPLE, "D"),
}
# A ring is wide enough for a mark of the same value to stand inside it.
RING: dict[str, Any] = {"fillstyle": "none", "markersize": 8.5, "markeredgewidth": 2}
SETS: dict[str, dict[str, Any]] = {
    "calibration fold": {"marker": "o", "color": ORANGE, **RING},
    "unlabelled pixels": {"marker": "D", "color": BLUE, "markersize": 5},
}
_MARKED = 6  # markers on a line of readings
WIDTH = 5.2  # inches; a figure fills half a wide page, or a phone's
STYLE: dict[Any, Any] = {
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "svg.fonttype": "none",
    "text.parse_math": False,  # names may hold dollars
}


Bounds = Mapping[str, Mapping[str, float] | None]  # by class, `low` and `high`, 0..1


def class_iou(
    iou: Mapping[str, Mapping[str, float | None]], bounds: Mapping[str, Bounds]
) -> Figure:
    """Bars of IoU (0..1) by class, one bar a head: {head: {class: IoU, or None: no bar}}, each with a line
    from bound to bound where it has any."""
    classes = list(next(iter(iou.values())))
    with mpl.rc_context(STYLE):
        figure, axes = _plot(height=0.7 + (0.16 * len(iou) + 0.14) * len(classes))
        thick = 0.8 / len(iou)
        for place, (head, values) in enumerate(iou.items()):
            off = (place - (len(iou) - 1) / 2) * thick
            there = {i + off: 100 * v for i, v in enumerate(values.values()) if v is not None}
            axes.barh(
                list(there), list(there.values()), thick * 0.86, color=HEADS[head], label=head
            )
            for i, name in enumerate(classes):
                if (value := values[name]) is None:
                    continue
                end = value
                if bound := bounds[head][name]:
                    end = max(value, bound["high"])
                    span = [100 * bound["low"], 100 * bound["high"]]
                    axes.plot(span, [i + off] * 2, "|-", color=INK, linewidth=0.9, markersize=4)
                axes.text(100 * end + 1, i + off, f"{100 * value:.0f}", va="center", fontsize=7.5)
        for row, name in enumerate(classes):
            if all(values[name] is None for values in iou.values()):
                axes.text(1, row, "neither there nor mapped", va="center", alpha=0.7)
        _names_down(axes, classes)
        axes.set(xlim=(0, 107), xticks=range(0, 101, 20), xlabel="IoU (%)")
        legend(figure, axes)
    return figure


def miou_by_round(
    test: Mapping[str, Mapping[str, float | None]],
    validation: Mapping[str, float | None],
    selected: int,
) -> Figure:
    """Mean IoU (0..1) by round: {head: {round: mIoU}} on test, {round: mIoU} on validation."""
    with mpl.rc_context(STYLE):
        figure, axes = _plot(height=2.9)
        axes.axvline(selected, color=INK, alpha=0.12, linewidth=14, solid_capstyle="round")
        for (head, values), marker in zip(test.items(), "os^", strict=False):
            _line(axes, values, color=HEADS[head], marker=marker, label=head)
        _line(axes, validation, color=INK, linestyle=":", marker="x", label="fused, validation")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="round (the one in use is shaded)", ylabel="mIoU (%)")
        axes.margins(x=0.08, y=0.15)
        axes.grid(axis="y", color=INK, alpha=0.12)
        legend(figure, axes)
    return figure


def learning_curve(steps: Sequence[int], losses: Mapping[str, Sequence[float]]) -> Figure:
    """Losses by optimiser step; NaN leaves a gap."""
    looks = zip((INK, BLUE, VERMILION), ("-", "--", "-."), (1.6, 1.3, 1.3), strict=True)
    marker = "." if len(steps) == 1 else None  # a line needs two points to be seen
    with mpl.rc_context(STYLE):
        figure, axes = _plot(height=2.6)
        for (name, values), (colour, dashes, width) in zip(losses.items(), looks, strict=False):
            axes.plot(
                steps, values, dashes, color=colour, linewidth=width, marker=marker, label=name
            )
        axes.set(xlabel="step", ylabel="loss")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=INK, alpha=0.12)
        legend(figure, axes)
    return figure


def readings(lines: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> Figure:
    """Readings (0..1) by optimiser step: {reading: (steps, values)}, each at steps of its own."""
    with mpl.rc_context(STYLE):
        figure, axes = _plot(height=2.6)
        for name, (steps, values) in lines.items():
            colour, marker = READINGS[name]
            axes.plot(
                steps, values, color=colour, linewidth=1.3, marker=marker, markersize=5,
                markevery=max(1, len(steps) // _MARKED), label=name,
            )  # fmt: skip
        axes.set(xlabel="step", ylim=(-0.03, 1.03), yticks=(0, 0.25, 0.5, 0.75, 1))
        axes.grid(axis="y", color=INK, alpha=0.12)
        legend(figure, axes)
    return figure


def marginals(
    classes: Sequence[str],
    target: Sequence[float],
    before: Sequence[float],
    after: Sequence[float],
) -> Figure:
    """Class shares (0..1) that were aimed at, and those of the labels before and after transport."""
    wanted, old, new = (100 * np.asarray(shares) for shares in (target, before, after))
    rows = np.arange(len(classes))
    with mpl.rc_context(STYLE):
        figure, axes = _plot(height=0.9 + 0.34 * len(classes))
        axes.plot(wanted, rows, "|", color=INK, markersize=15, markeredgewidth=2, label="target")
        _pair(axes, {"before": old, "after": new})
        _names_down(axes, classes)
        axes.set(xlabel="share of pixels (%)")
        axes.set_xlim(left=0, right=1.06 * max(wanted.max(), old.max(), new.max()))
        legend(figure, axes)
    return figure


def accuracy_by_rule(
    accuracy: Mapping[str, Mapping[str, float | None]], written: str, span: tuple[float, float]
) -> Figure:
    """Marks of accuracy (0..1) by rule: {set: {rule: accuracy, or None: no mark}}.

    `written` is the rule whose labels were written; `span`, the least and the largest accuracy that the
    axis must hold, lets charts of several rounds have one scale.
    """
    rules = list(next(iter(accuracy.values())))
    low, high = (100 * end for end in span)
    pad = max(2.0, 0.06 * (high - low))
    with mpl.rc_context(STYLE):
        figure, axes = _plot(height=0.9 + 0.3 * len(rules))
        for place, values in accuracy.items():
            there = {rules.index(rule): 100 * v for rule, v in values.items() if v is not None}
            axes.plot(
                list(there.values()), list(there), linestyle="none", label=place, **SETS[place]
            )
        _names_down(axes, rules)
        if written in rules:
            row = rules.index(written)
            axes.axhspan(row - 0.5, row + 0.5, color=BLUE, alpha=0.14, linewidth=0)
            axes.get_yticklabels()[row].set_fontweight("bold")
        axes.set(xlim=(low - pad, high + pad), xlabel="accuracy (%; written is shaded)")
        legend(figure, axes)
    return figure


def labels_by_class(
    measures: Mapping[str, Mapping[str, Mapping[str, float | None]]], truth: Mapping[str, float]
) -> Figure:
    """What is said (0..1) of the labels of two rules by class: {measure: {rule: {class: value, or None}}}.

    The last measure is the share that a class has of the labels; `truth` is the one it has of the pixels.
    """
    rows = np.arange(len(truth))
    with mpl.rc_context(STYLE):
        layout = ConstrainedLayoutEngine(wspace=0.08)  # ticks of neighbours stay apart
        figure = Figure(figsize=(WIDTH, 1.0 + 0.34 * len(truth)), layout=layout)
        *others, last = figure.subplots(1, len(measures), sharey=True)
        wanted = 100 * np.array(list(truth.values()))
        last.plot(wanted, rows, "|", color=INK, markersize=15, markeredgewidth=2, label="truth")
        for axes, (measure, rules) in zip([*others, last], measures.items(), strict=True):
            _pair(axes, {rule: _percent(values) for rule, values in rules.items()})
            _names_down(axes, list(truth))
            axes.set(xlabel=f"{measure} (%)")
        for axes in others:
            axes.set(xlim=(-6, 106), xticks=(0, 50, 100))
        last.set_xlim(-0.06 * last.dataLim.x1, 1.1 * last.dataLim.x1)
        legend(figure, last)
    return figure


def svg(figure: Figure, name: str) -> str:
    """An `<svg>` element to stand in a page: same figure and name, same text.

    Ink and colours become the page's own (`currentColor`, `var(--blue)`, ...), so that they follow
    light and dark. The size follows the place it stands in. Identifiers carry `name`, so that two
    figures of one page do not meddle with one another. Paths keep hundredths of a point.
    """
    text = StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    for colour, name_in_page in _THEME.items():
        drawing = drawing.replace(colour, name_in_page)
    head, body = drawing.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None, "matplotlib writes a viewBox"
    body = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), body)
    body = re.sub(r' id="([^"]*)"', lambda found: found[0] if f"#{found[1]}" in body else "", body)
    return f"<svg {box[0]}>{body.strip()}"


def _plot(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def _line(axes: Axes, values: Mapping[str, float | None], **look: Any) -> None:
    """A line over rounds that skips what does not exist."""
    there = {int(r): 100 * v for r, v in values.items() if v is not None}
    axes.plot(list(there), list(there.values()), linewidth=1.6, markersize=6, **look)


def _percent(values: Mapping[str, float | None]) -> NDArray[np.float64]:
    """NaN for what does not exist."""
    return 100 * np.array([np.nan if v is None else v for v in values.values()])


def _pair(axes: Axes, shares: Mapping[str, NDArray[np.float64]]) -> None:
    """Two values a row, one for the other: {what it is: (rows,)}; NaN is left out."""
    (before, old), (after, new) = shares.items()
    rows = np.arange(len(old))
    axes.hlines(rows, old, new, color=INK, alpha=0.35, linewidth=1.5)
    axes.plot(old, rows, "o", color=ORANGE, label=before, **RING)
    axes.plot(new, rows, "o", color=BLUE, markersize=5.5, label=after)


def _names_down(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", color=INK, alpha=0.12)
    for above, _ in pairwise(range(len(names))):
        axes.axhline(above + 0.5, color=INK, alpha=0.08, linewidth=0.6)


def legend(figure: Figure, *axes: Axes) -> None:
    """Above the plots, what they show, in one line."""
    found = [one.get_legend_handles_labels() for one in axes]
    handles = [handle for some, _ in found for handle in some]
    names = [name for _, some in found for name in some]
    figure.legend(handles, names, loc="outside upper left", ncols=len(names), columnspacing=1.4)
