"""The split as pictures: where the scenes lie on the ground, and what their pixels may be used for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from dllr.raster.roles import Role
from dllr.report import figures, footprints
from dllr.report.footprints import Corners, Frame
from dllr.report.page import Chart, count
from dllr.report.panels import Index, Rgba, classes
from dllr.report.tables import spread

MIXED = "mixed"
SPLITS = {  # in the order they are drawn: what the scores are taken on lies on top
    "none": figures.INK,
    "train": figures.BLUE,
    "validation": figures.ORANGE,
    "test": figures.VERMILION,
    MIXED: figures.PURPLE,
}
ROLES = {  # Role.NONE has no colour: its pixels are transparent
    Role.UNLABELLED: ("training, unlabelled", "#a9cfe6"),
    Role.LABELLED: ("training, labelled", "#0072b2"),
    Role.CALIBRATION: ("calibration", "#009e73"),
    Role.VALIDATION: ("validation", "#e69f00"),
    Role.TEST: ("test", "#d55e00"),
}
_DENSE, _PALE = 0.6, 0.22  # how opaque a labelled and an unlabelled scene are
_MARGIN, _ROW = (0.8, 0.45), 0.23  # inches around the map, and of a row of the legend
_MARK = 0.11  # inches, longer side of the smallest mark
_CROWD = 3.0  # inches, side of a square that all marks fit in: many marks are smaller
_CLOSE_UPS = 5  # groups of scenes that are shown on their own
_NAMED = 20  # scenes up to which they are named
_LETTER = (0.066, 0.14)  # inches, width and height of a name's letters
_GAP = 0.05  # inches between a shape and its name

Box = tuple[float, float, float, float]  # left, bottom, right, top in inches


@dataclass(frozen=True)
class Scene:
    """A scene on the ground: its splits, and (4, 2) longitudes and latitudes in degrees."""

    name: str
    splits: Sequence[str]
    labelled: bool
    corners: Corners

    @property
    def split(self) -> str:
        """Its split, or that it holds several."""
        return self.splits[0] if len(self.splits) == 1 else MIXED


def overview(scenes: Sequence[Scene]) -> list[Chart]:
    """Every scene on the ground in the colour of its split, and close-ups where scenes crowd."""
    corners = footprints.unwrapped(np.stack([scene.corners for scene in scenes]))
    charts = [_chart(scenes, corners, "ground", "Scenes on the ground")]
    frame = Frame.around(corners)
    groups = footprints.crowds(frame.place(corners), _mark(len(scenes)), footprints.WIDE / 4)
    for number, places in enumerate(groups[:_CLOSE_UPS], 1):
        east, north = corners[places].mean(axis=(0, 1))
        where = f"{_degrees(round(north, 1), 1)} {_degrees(round(east, 1), 0)}"
        caption = f"Close-up {number}: {count(len(places))} scenes around {where}"
        near = [scenes[place] for place in places]
        charts.append(_chart(near, corners[places], f"ground-{number}", caption))
    return charts


def _mark(number: int) -> float:
    return min(_MARK, _CROWD / math.sqrt(number))


def _chart(scenes: Sequence[Scene], corners: Corners, name: str, caption: str) -> Chart:
    frame = Frame.around(corners)
    true = frame.place(corners)
    shapes = footprints.grown(true, _mark(len(scenes)))
    with mpl.rc_context(figures.STYLE):
        figure = Figure(layout="constrained")
        axes = figure.add_subplot(xlim=(0, footprints.WIDE), ylim=(0, frame.height), aspect="equal")
        _ticks(axes, frame)
        handles = _draw(axes, scenes, shapes)
        figure.legend(handles=handles, loc="outside upper left", ncols=2, columnspacing=1.4)
        rows = (len(handles) + 1) // 2
        figure.set_size_inches(
            footprints.WIDE + _MARGIN[0], frame.height + _MARGIN[1] + _ROW * rows
        )
        if len(scenes) <= _NAMED:
            _name(axes, scenes, shapes)
    larger = int((shapes != true).any(axis=(1, 2)).sum())
    if larger:
        verb = "is" if larger == 1 else "are"
        caption += f" ({count(larger)} {verb} drawn larger than true to scale)"
    return Chart(figures.svg(figure, name), _in_words(scenes, corners), caption)


def shown(scenes: Sequence[Scene], number: int) -> list[str]:
    """Up to `number` names: first of scenes that hold several splits, then of each split in turn."""
    kinds = [kind for kind in SPLITS if kind != MIXED]
    rest = [sorted((not s.labelled, s.name) for s in scenes if s.split == k) for k in kinds[::-1]]
    turns = [pair[1] for pair in chain.from_iterable(zip_longest(*rest)) if pair]
    mixed = spread([scene.name for scene in scenes if scene.split == MIXED], number)
    return [*mixed, *turns][:number]


def roles(index: Index) -> Rgba:
    """Roles (H, W) in their colours; NONE is transparent."""
    return classes(index, [colour for _, colour in ROLES.values()])


def roles_in_words(scene: str, index: Index) -> str:
    """How much of a scene (H, W) each role takes."""
    shares = {name: float((index == role).mean()) for role, (name, _) in ROLES.items()}
    shares["none"] = float((index == Role.NONE).mean())
    parts = [f"{name} {100 * share:.0f} %" for name, share in shares.items() if share]
    return f"{scene}, split: {', '.join(parts)}"


def _ticks(axes: Axes, frame: Frame) -> None:
    """Degrees where they fall; a line along each tells how far scenes lie apart."""
    locator = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])
    for axis, place, length in ((axes.xaxis, 0, footprints.WIDE), (axes.yaxis, 1, frame.height)):
        first, inches = frame.corner[place], frame.inches[place]
        degrees = locator.tick_values(first, first + length / inches)
        at = (degrees - first) * inches
        seen = (at >= 0) & (at <= length)
        axis.set_ticks(at[seen], [_degrees(value, place) for value in degrees[seen]])
    axes.tick_params(length=0, labelsize=9)
    axes.grid(color=figures.INK, alpha=0.1, linewidth=0.6)
    axes.spines[:].set_visible(False)


def _degrees(value: float, place: int) -> str:
    """Longitude (place 0) or latitude (1) in words."""
    turned = (value + 180) % 360 - 180 if place == 0 else value
    size = round(abs(turned), 4)
    return f"{size:g}°{'' if size in (0, 180) else ('EW', 'NS')[place][int(turned < 0)]}"


def _draw(axes: Axes, scenes: Sequence[Scene], shapes: Corners) -> list[Patch]:
    """One path a split, however many scenes, so that the page stays small; the legend's entries."""
    sides = np.ptp(shapes, axis=1).max(axis=1)
    line = min(1.2, 0.08 * 72 * float(np.median(sides)))  # points; thin, or it hides small marks
    handles = []
    for split, colour in SPLITS.items():
        for labelled in (False, True):
            places = [
                place
                for place, scene in enumerate(scenes)
                if scene.split == split and scene.labelled == labelled
            ]
            if not places:
                continue
            alpha = (_DENSE if labelled else _PALE) / (2 if split == "none" else 1)
            look: dict[str, Any] = {"facecolor": (colour, alpha), "linewidth": line}
            look["edgecolor"] = figures.INK if labelled else colour
            axes.add_patch(PathPatch(_path(shapes[places]), **look))
            words = f"{split}, {'labelled' if labelled else 'unlabelled'} ({count(len(places))})"
            handles.append(Patch(**look, label=words))
    return handles


def _path(shapes: Corners) -> Path:
    """Shapes (N, 4, 2) as one path."""
    closed = np.concatenate([shapes, shapes[:, :1]], axis=1)
    codes = np.tile([Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY], len(shapes))
    return Path(closed.reshape(-1, 2), codes)


def _name(axes: Axes, scenes: Sequence[Scene], shapes: Corners) -> None:
    """Names inside their shapes or beside all; one that would cover another is left out."""
    frames: list[Box] = [(*shape.min(axis=0), *shape.max(axis=0)) for shape in shapes]
    taken: list[Box] = []
    for scene, frame in zip(scenes, frames, strict=True):
        others = [other for other in frames if other is not frame]
        inside, *beside = _places(frame, _LETTER[0] * len(scene.name), _LETTER[1])
        fitting = [inside] if _holds(frame, inside) else []
        fitting += [
            box
            for box in beside
            if _holds((*axes.viewLim.p0, *axes.viewLim.p1), box)
            and not any(_meet((box[0] - _GAP, box[1], box[2] + _GAP, box[3]), o) for o in others)
        ]
        box = next((b for b in fitting if not any(_meet(b, other) for other in taken)), None)
        if box:
            taken.append(box)
            look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8}
            x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            axes.text(x, y, scene.name, **look)


def _places(frame: Box, long: float, high: float) -> list[Box]:
    """Where a name may stand: in its shape, right of it, left, above and below."""
    left, bottom, right, top = frame
    x, y = (left + right - long) / 2, (bottom + top - high) / 2
    corners = [
        (x, y), (right + _GAP, y), (left - _GAP - long, y), (x, top + _GAP), (x, bottom - _GAP - high),
    ]  # fmt: skip
    return [(x, y, x + long, y + high) for x, y in corners]


def _holds(a: Box, b: Box) -> bool:
    return a[0] <= b[0] and a[1] <= b[1] and b[2] <= a[2] and b[3] <= a[3]


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _in_words(scenes: Sequence[Scene], corners: Corners) -> str:
    (west, south), (east, north) = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    held: Mapping[str, list[str]] = {
        split: [scene.name for scene in scenes if scene.split == split] for split in SPLITS
    }
    parts = [
        f"{split}: {count(len(names))}" + (f" ({', '.join(names)})" if len(names) <= _NAMED else "")
        for split, names in held.items()
        if names
    ]
    where = (
        f"{_degrees(west, 0)} to {_degrees(east, 0)}, {_degrees(south, 1)} to {_degrees(north, 1)}"
    )
    return f"Scenes by split, {where}. {'; '.join(parts)}"
