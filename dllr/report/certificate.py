"""What is left of the scores when an image is missing, hidden or moved: the table and its chart."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from dllr.report import figures
from dllr.report.page import Chart, percent


def rows(table: pd.DataFrame, names: Sequence[str]) -> list[dict[str, Any]]:
    """A row a condition: title, pixels, miou, oa, f1, kappa, `iou` in the order of `names`, and `change`,
    the mean IoU less that of both images as they are; None for what does not exist.

    table: columns condition, optical and sar (shares of the pixels that have data left), shift (px) and
    the scores; its first row is that of both images as they are.
    """
    found: list[dict[str, Any]] = []
    for row in table.to_dict("records"):
        scores = {key: _value(row[key]) for key in ("miou", "oa", "f1", "kappa")}
        first, here = found[0]["miou"] if found else None, scores["miou"]
        found.append(
            {
                "title": _title(row["optical"], row["sar"], int(row["shift"])),
                "pixels": int(row["pixels"]),
                **scores,
                "change": None if first is None or here is None else here - first,
                "iou": [_value(row[f"iou/{name}"]) for name in names],
            }
        )
    return found


def charts(table: pd.DataFrame) -> list[Chart]:
    """Mean IoU by condition; none where there is no pixel to show it on, or nothing but the images as they
    are."""
    if len(table) == 1 or table["miou"].isna().any():
        return []
    words = "; ".join(
        f"{_title(row['optical'], row['sar'], int(row['shift']))}: mIoU {percent(row['miou'])} %"
        for row in table.to_dict("records")
    )
    return [Chart(figures.svg(curves(table), "certificate"), words, "Mean IoU of the fused head")]


def curves(table: pd.DataFrame) -> Figure:
    """Over the share of optical that is hidden, and over how far SAR lies off; the optical image alone is
    a line beside the second, as from where the two meet on SAR is of no use."""
    hidden = table[(table["sar"] == 1) & (table["shift"] == 0)].sort_values("optical")
    moved = table[(table["optical"] == 1) & (table["sar"] == 1)].sort_values("shift")
    alone = table[(table["optical"] == 1) & (table["sar"] == 0)]
    look = {"color": figures.BLUE, "marker": "o", "markersize": 5, "linewidth": 1.6}
    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=(figures.WIDTH, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        left.plot(100 * (1 - hidden["optical"]), 100 * hidden["miou"], label="fused", **look)
        last = hidden[hidden["optical"] == 0]
        left.plot(
            [100] * len(last), 100 * last["miou"], "s", color=figures.GREEN, label="SAR alone",
            **figures.RING,
        )  # fmt: skip
        right.plot(moved["shift"], 100 * moved["miou"], **look)
        for level in alone["miou"]:
            right.axhline(100 * level, color=figures.ORANGE, linestyle="--", label="optical alone")
        left.set(xlabel="optical hidden (%)", ylabel="mIoU (%)", xticks=range(0, 101, 25))
        right.set(xlabel="SAR moved by (px)", xticks=moved["shift"].tolist())
        low, high = 100 * table["miou"].min(), 100 * table["miou"].max()
        pad = max(2.0, 0.12 * (high - low))
        left.set_ylim(max(0.0, low - pad), high + pad)
        for axes in (left, right):
            axes.grid(axis="y", color=figures.INK, alpha=0.12)
            axes.margins(x=0.08)
        figures.legend(figure, left, right)
    return figure


def _title(optical: float, sar: float, shift: int) -> str:
    if not sar:
        return "Optical alone"
    if not optical:
        return "SAR alone"
    if optical < 1:
        return f"Optical hidden, {percent(1 - optical, 0)} %"
    return f"SAR moved by {shift} px" if shift else "Both images"


def _value(value: Any) -> float | None:
    return float(value) if pd.notna(value) else None
