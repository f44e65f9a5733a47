"""Simulated scenes beside real ones, in pictures."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from benchmarks._likeness import codes_of, members_of, shares_of, values_of
from benchmarks._scenes import (
    BANDS,
    EDGES,
    FAINT,
    GREY_STEPS,
    GREYS,
    LIFT,
    LIMITS,
    OTHER_NAMES,
    PEERS,
    PLACES,
    WINDOW,
    Array,
    Index,
    Mask,
    Scene,
)
from dllr.files import atomic_file
from dllr.params.scenes import LandClass
from dllr.report.figures import BLUE, ORANGE

COLOURS = 256  # of a picture: more than double the file, and are not seen


def histograms(
    scenes: Sequence[Scene],
    tiles: Sequence[Scene],
    classes: Mapping[str, LandClass],
    figures: Mapping[str, Any],
) -> Figure:
    """A row a class, a column a band: real filled, simulated as a line, each with its median."""
    figure = Figure(figsize=(12.8, 8.6), dpi=125, layout="constrained")
    grid = figure.subplots(len(PEERS), len(BANDS), sharex="col")
    for (name, (members, code)), row in zip(PEERS.items(), grid, strict=True):
        sides = members_of(tiles, [code]), members_of(scenes, codes_of(classes, members))
        known = figures["classes"][name]
        for band, axes in zip(BANDS, row, strict=True):
            real, simulated = (values_of(found, band) for found in sides)
            _histogram(axes, band, real, simulated)
            overlap = known[band]["overlap"]
            said = "" if overlap is None else f"{overlap:.2f}"
            axes.text(1, 1.02, said, transform=axes.transAxes, ha="right", va="top", fontsize=9)
        row[0].set_ylabel(_class_title(members, known), rotation=0, ha="right", va="center")
    for band, top, bottom in zip(BANDS, grid[0], grid[-1], strict=True):
        top.set_title(band, fontsize=11, pad=10)
        bottom.set_xlim(*LIMITS[band])
        bottom.set_xlabel({"NDVI": "index", "VV dB": "dB"}.get(band, "reflectance"))
    handles = [
        Patch(facecolor=ORANGE, alpha=FAINT, label=f"real, {len(tiles)} tiles"),
        Patch(facecolor="none", edgecolor=BLUE, lw=1.8, label=f"simulated, {len(scenes)} scenes"),
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=2, frameon=False, fontsize=11,
        title="Pixels of 10 m by class. Dotted: medians. Numbers: overlap, 1 where the two are alike",
    )  # fmt: skip
    return figure


def _histogram(axes: Axes, band: str, real: Array, simulated: Array) -> None:
    """Both sides in one panel, with room above for the overlap."""
    highest = 0.0
    for values, fill, colour in ((real, True, ORANGE), (simulated, False, BLUE)):
        shares = shares_of(values, band)
        if shares is None:
            continue
        alpha, width = (FAINT, 0) if fill else (1, 1.5)
        axes.stairs(shares, EDGES[band], fill=fill, color=colour, alpha=alpha, linewidth=width)
        axes.axvline(float(np.median(values)), ymax=0.87, color=colour, lw=1.3, linestyle=":")
        highest = max(highest, shares.max())
    axes.set(ylim=(0, 1.2 * highest or 1), yticks=[])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=9)


def _class_title(members: Sequence[str], known: Mapping[str, Any]) -> str:
    ours, tiles = ", ".join(members), known["scenes"]["real"]
    peer = "" if known["peer"] == ours else f"\nreal: {known['peer']}"
    return f"{ours}{peer}\n({tiles} {'tile' if tiles == 1 else 'tiles'})"


def pairs(
    scenes: Sequence[Scene], real: Sequence[Scene], classes: Mapping[str, LandClass]
) -> Figure:
    """Three simulated windows above the real ones, a column a modality, a pixel a pixel."""
    ours = {code: known.colour for known in classes.values() for code in known.codes}
    theirs = GREYS | {code: classes[members[0]].colour for members, code in PEERS.values()}
    rows = [(f"simulated, {w.name}", w, ours) for w in _most_varied(scenes, 3)]
    rows += [(f"real, {PLACES[scene.name]}", scene, theirs) for scene in real]
    names = {known.colour: name for name, known in classes.items()}
    names |= {GREYS[code]: f"{name} (real only)" for code, name in OTHER_NAMES.items()}
    return _panels(rows, names)


def _most_varied(scenes: Sequence[Scene], number: int) -> list[Scene]:
    """The best window of each of the scenes whose best windows hold the most even mix of classes.

    All scenes that have a label stand for election; windows without data everywhere do not.
    """
    windows = [w for w in map(_best_window, scenes) if w is not None]
    return sorted(windows, key=_variety, reverse=True)[:number]


def _best_window(scene: Scene) -> Scene | None:
    if scene.cover is None:
        return None
    best: Scene | None = None
    height, width = scene.cover.shape
    for row in range(0, height - WINDOW + 1, 16):
        for column in range(0, width - WINDOW + 1, 16):
            window = _cut(scene, row, column)
            whole = all(np.isfinite(band).mean() > 0.999 for band in window.bands.values())
            if whole and (best is None or _variety(window) > _variety(best)):
                best = window
    return best


def _cut(scene: Scene, row: int, column: int) -> Scene:
    part = np.s_[row : row + WINDOW, column : column + WINDOW]
    bands = {name: band[part] for name, band in scene.bands.items()}
    cover = None if scene.cover is None else scene.cover[part]
    return Scene(scene.name, bands, scene.clear[part], cover, scene.counts[part])


def _variety(window: Scene) -> float:
    """Entropy of the classes, less where there is cloud."""
    assert window.cover is not None
    shares = np.bincount(window.cover[window.cover > 0]) / window.cover.size
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum() * window.clear.mean())


def _panels(
    rows: Sequence[tuple[str, Scene, Mapping[int, str]]], names: Mapping[str, str]
) -> Figure:
    """Windows down, modalities across; a pixel of a window is one of the picture.

    rows: title, window, colour of each code. names: colour → class, for the legend.
    """
    gap, between, left, top, below, dpi = 6, 12, 24, 24, 56, 100
    width = left + 4 * (WINDOW + gap)
    height = top + len(rows) * (WINDOW + gap) + between + below
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi)
    for place, (title, window, colours) in enumerate(rows):
        bare = "VH" in window.bands
        shown = (
            ("true colour", _colour(window, ("red", "green", "blue")), ""),
            ("NIR, red, green", _colour(window, ("NIR", "red", "green")), ""),
            ("SAR, VV in dB", _grey(window), "VH, stretched by its authors" if bare else ""),
            ("land cover", _cover(window, colours), ""),
        )
        apart = between if title.startswith("real") else 0
        y = height - top - (place + 1) * (WINDOW + gap) + gap - apart
        for column, (head, picture, note) in enumerate(shown):
            x = left + column * (WINDOW + gap)
            axes = figure.add_axes((x / width, y / height, WINDOW / width, WINDOW / height))
            _panel(axes, picture, note)
            if place == 0:
                axes.set_title(head, fontsize=9, pad=5)
            if column == 0:
                axes.set_ylabel(title, fontsize=9, labelpad=4)
    figure.legend(
        handles=[Patch(color=colour, label=name) for colour, name in names.items()],
        loc="lower center", ncols=5, frameon=False, fontsize=9, handlelength=1.2,
    )  # fmt: skip
    return figure


def _panel(axes: Axes, picture: Index | None, note: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if picture is None:
        axes.text(0.5, 0.5, "none", ha="center", va="center", transform=axes.transAxes, alpha=0.6)
        return
    axes.imshow(picture, interpolation="nearest")
    if note:
        axes.text(5, 13, note, fontsize=8, bbox={"color": "white", "pad": 2})


def _stretch(band: Array, clear: Mask) -> Index:
    """Grey values between the 2nd and 98th percentile of the clear pixels; without data black."""
    low, high = np.nanpercentile(band[clear], (2, 98))
    grey = np.clip(np.nan_to_num((band - low) / max(high - low, 1e-6)), 0, 1)
    steps: Index = (np.rint(grey * (GREY_STEPS - 1)) * (255 / (GREY_STEPS - 1))).astype(np.uint8)
    return steps


def _colour(scene: Scene, names: Sequence[str]) -> Index | None:
    """Three bands as red, green and blue, lifted: else bright roofs leave the land dark."""
    if any(name not in scene.bands for name in names):
        return None
    return np.dstack([_stretch(scene.bands[name].clip(0) ** LIFT, scene.clear) for name in names])


def _grey(scene: Scene) -> Index:
    """The SAR band in dB (a bare pair's bytes are close to that); cloud does not hide it."""
    band = scene.bands["VH" if "VH" in scene.bands else "VV dB"]
    return np.dstack([_stretch(band, np.ones_like(scene.clear))] * 3)


def _cover(scene: Scene, colours: Mapping[int, str]) -> Index | None:
    if scene.cover is None:
        return None
    table: Index = np.full((256, 3), 255, np.uint8)
    for code, colour in colours.items():
        table[code] = [*bytes.fromhex(colour.removeprefix("#"))]
    picture: Index = table[scene.cover]
    return picture


def save(figure: Figure, path: Path) -> None:
    """As PNG of COLOURS that says nothing of when and with what it was made: same figure, same bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    with atomic_file(path) as temporary, Image.open(buffer) as picture:
        picture.convert("RGB").quantize(COLOURS).save(temporary, optimize=True)
