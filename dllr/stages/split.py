"""Stage `split`: who trains, who selects, who tests, and which labels training may see.

The only place that decides splits and budgets. Labels outside the budget are not written, so no
overlapping window can reach them. Each label is read twice, to count and to write, and no raster
is held longer than its scene is worked on.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray

from dllr.errors import SplitError
from dllr.files import atomic_dir, read_json, write_json
from dllr.params.scenes import Scenes
from dllr.params.split import Split
from dllr.raster.arrays import open_arrays, scene_names
from dllr.raster.grid import IGNORE, Grid, rgb, write_strips
from dllr.raster.parallel import over_scenes
from dllr.raster.products import HELD_OUT, INDEX, LABELS, ROLES, SUMMARY, WINDOWS
from dllr.raster.roles import SPLITS, WORDS, Role, in_split
from dllr.splits import leakage, truth
from dllr.splits.board import Board
from dllr.splits.dealing import Ties, deal_blocks, deal_given, deal_scenes
from dllr.splits.ground import alike, copies, joined, overlapping
from dllr.splits.spending import spend
from dllr.splits.summary import Written, summary

_LISTED = ("group", "same_as", "split")  # columns of the index of scenes; empty where there is none
_FOLDS = {"train": Role.LABELLED, "calibration": Role.CALIBRATION}


class _Counted(NamedTuple):
    """What is known of a scene before any split: the first pass."""

    grid: Grid
    board: Board
    held: NDArray[np.bool_]  # (R, C): which blocks hold a label
    windows: NDArray[np.int64]  # (N, K): labelled pixels by class of each window


def run(
    *,
    records: Path,
    coregistered: Path,
    tiles: Path,
    labels: Path,
    out: Path,
    scenes: Scenes,
    split: Split,
) -> None:
    """Write `out`/windows.parquet, roles/<scene>.tif, labels/<scene>.tif, validation/<scene>.tif and
    summary.json.

    A scene has a label file where the budget shows some of its labels, and one in validation/ where it
    has labels that select the round. Memory holds one scene a
    thread, and the counts of all windows.

    Raises:
        SplitError: too few labelled scenes or blocks, a list of splits that leaks or is not one, or
            fewer labelled windows than asked for.
    """
    generator = np.random.default_rng(split.seed)
    names = scene_names(coregistered)
    windows = pd.read_parquet(tiles / WINDOWS)
    size = int(windows["size"].iloc[0])
    rows = {str(name): places for name, places in windows.groupby("scene").indices.items()}
    corners = windows[["y", "x"]].to_numpy()
    here = {name: corners[rows[name]] if name in rows else corners[:0] for name in names}
    classes = scenes.label.names

    def count(name: str) -> _Counted:
        return _count(coregistered / name, labels, here[name], size, classes, split)

    counted = dict(zip(names, over_scenes(count, names, "split: count"), strict=True))
    boards = {name: c.board for name, c in counted.items()}
    listed = _listed(records, names)
    ties = Ties(
        names,
        overlapping([c.grid for c in counted.values()]),
        copies(names, listed["same_as"].tolist()),
        joined(alike(listed["group"].tolist()), alike(_keys(names, split.group))),
    )
    notes = _deal(counted, ties, listed["split"].tolist(), size, split, generator)
    if split.unverified == "leave_out":
        notes += _leave_out(boards, coregistered)

    kept = np.full(len(windows), "", object)
    counts = np.zeros((len(windows), len(classes)), np.int64)
    for name, places in rows.items():
        roles = boards[name].of_windows(here[name], size)
        kept[places] = [WORDS.get(Role(role), "") for role in roles]
        counts[places] = counted[name].windows
    windows["split"] = kept
    windows, counts = windows[kept != ""].reset_index(drop=True), counts[kept != ""]
    windows["labelled"] = spend(
        windows, counts, size, tiles=split.labelled_tiles, scenes=split.labelled_scenes,
        min_labelled=split.min_labelled, calibration=split.calibration, generator=generator,
    )  # fmt: skip
    shown = windows[windows["labelled"] != "no"].groupby("scene")
    folds = {str(name): frame for name, frame in shown}

    with atomic_dir(out) as folder:

        def write(name: str) -> Written:
            c = counted[name]
            label = labels / f"{name}.tif" if c.held.any() else None
            roles = _roles(c.board, folds.get(name), size)
            return _write(folder, coregistered / name, label, c.grid, roles, scenes)

        written = dict(zip(names, over_scenes(write, names, "split: write"), strict=True))
        windows.to_parquet(folder / WINDOWS, index=False)
        write_json(
            folder / SUMMARY,
            summary(split.by, windows, boards, ties, written, classes, notes, size),
        )


def _count(
    scene: Path,
    labels: Path,
    corners: NDArray[np.int64],
    size: int,
    classes: list[str],
    split: Split,
) -> _Counted:
    with rasterio.open(scene / "optical.tif") as source:
        grid = Grid.of(source)
    side = split.block if split.cuts_scenes else None
    board = Board.of(grid.height, grid.width, side, split.buffer)
    label = labels / f"{scene.name}.tif"
    if not label.exists():
        nothing = np.zeros((len(corners), len(classes)), np.int64)
        return _Counted(grid, board, np.zeros(board.roles.shape, bool), nothing)
    truth.check_classes(label, classes)
    known = truth.known_labels(open_arrays(scene), label)
    windows = truth.by_window(known, corners, size, len(classes))
    return _Counted(grid, board, truth.by_block(known, board), windows)


def _listed(records: Path, names: Sequence[str]) -> pd.DataFrame:
    """The columns of the index of scenes that tie scenes or name their split, in the order of names."""
    index = pd.read_csv(records / INDEX, dtype=str, keep_default_na=False).set_index("scene")
    return index.reindex(index=list(names), columns=list(_LISTED)).fillna("")


def _keys(names: Sequence[str], expression: str | None) -> list[str]:
    """What the expression's first group, or all of it, matches in each name; "" where it does not."""
    if expression is None:
        return [""] * len(names)
    matches = [re.search(expression, name) for name in names]
    keys = [(m[1] if m.re.groups else m[0]) or "" if m else "" for m in matches]
    if not any(keys):
        raise SplitError(
            f"split.group {expression!r} matches the name of no scene, such as {names[0]}; mend the "
            "expression, or write null"
        )
    return keys


def _deal(
    counted: dict[str, _Counted],
    ties: Ties,
    words: Sequence[str],
    size: int,
    split: Split,
    generator: np.random.Generator,
) -> list[str]:
    """Give every block its role; returns what is to be said about it."""
    boards = {name: c.board for name, c in counted.items()}
    held = {name: c.held for name, c in counted.items() if c.held.any()}
    shares = split.validation, split.test
    if split.by == "given":
        return deal_given(boards, set(held), ties, words, split.validation, generator)
    if split.by == "scene":
        deal_scenes(boards, set(held), ties, shares, generator)
    else:
        least = size + 2 * split.buffer
        chequered = split.by == "checkerboard"
        deal_blocks(boards, held, ties, least, chequered, shares, generator)
    return []


def _leave_out(boards: dict[str, Board], coregistered: Path) -> list[str]:
    """Take scenes of unverified registration out of training; returns what is to be said about it."""
    left = []
    for name, board in boards.items():
        registration = read_json(coregistered / name / "record.json")["registration"]
        training = board.roles == Role.UNLABELLED
        if registration["verdict"] == "unverified" and training.any():
            board.roles[training] = Role.NONE
            left.append(name)
    if not left:
        return []
    if not any((board.roles == Role.UNLABELLED).any() for board in boards.values()):
        raise SplitError(
            "the registration of every training scene is unverified, and split.unverified is leave_out; "
            "look at the report's section Registration, or write use"
        )
    return [f"left out of training, their registration being unverified: {', '.join(left)}"]


def _roles(board: Board, shown: pd.DataFrame | None, size: int) -> NDArray[np.uint8]:
    roles = board.raster()
    if shown is not None:
        for y, x, fold in shown[["y", "x", "labelled"]].itertuples(index=False):
            roles[y : y + size, x : x + size] = _FOLDS[fold]
    return roles


def _write(
    folder: Path,
    scene: Path,
    label: Path | None,
    grid: Grid,
    roles: NDArray[np.uint8],
    scenes: Scenes,
) -> Written:
    """Roles of a scene and its labels inside the budget; returns what was written, counted."""
    classes = len(scenes.label.names)
    pixels = {word: np.zeros(classes, np.int64) for word in SPLITS}
    shown = np.zeros(classes, np.int64)
    _write_raster(folder / ROLES / f"{scene.name}.tif", grid, roles, None)
    if label:
        known = truth.known_labels(open_arrays(scene), label)
        for word in SPLITS:
            mine = in_split(roles, word)
            if mine.any():
                pixels[word] += truth.histogram(np.where(mine, known, np.uint8(IGNORE)), classes)
        if pixels["validation"].any():
            held = np.where(in_split(roles, "validation"), known, np.uint8(IGNORE))
            path = folder / HELD_OUT / f"{scene.name}.tif"
            _write_raster(path, grid, held, scenes.label.colours)
        known[(roles != Role.LABELLED) & (roles != Role.CALIBRATION)] = IGNORE
        shown += truth.histogram(known, classes)
        if shown.any():
            path = folder / LABELS / f"{scene.name}.tif"
            _write_raster(path, grid, known, scenes.label.colours)
    return Written(pixels, shown, leakage.distance(roles))


def _write_raster(
    path: Path, grid: Grid, raster: NDArray[np.uint8], colours: list[str] | None
) -> None:
    strips = ((w, raster[None, w.row_off : w.row_off + w.height]) for w in grid.strips())
    table = rgb(colours) if colours else None
    write_strips(path, grid, strips, bands=1, dtype="uint8", nodata=IGNORE, colours=table)
