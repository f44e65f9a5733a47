"""Stage `split`: who trains, who selects, who tests, and which labels training may see.

The only place that decides splits and budgets. Labels outside the budget are not written, so no
overlapping window can reach them.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray
from scipy import ndimage

from dllr.errors import SplitError
from dllr.files import atomic_dir, write_json
from dllr.params.scenes import Scenes
from dllr.params.split import Split
from dllr.raster.grid import IGNORE, Grid, read_indices, rgb, write_strips
from dllr.raster.partition import Role, blocks, choose, inside, with_buffer
from dllr.raster.products import LABELS, ROLES, SUMMARY, WINDOWS
from dllr.raster.windows import boxes

_SPLITS = {Role.UNLABELLED: "train", Role.VALIDATION: "validation", Role.TEST: "test"}


def run(
    *, coregistered: Path, tiles: Path, labels: Path, out: Path, scenes: Scenes, split: Split
) -> None:
    """Write `out`/windows.parquet, roles/<scene>.tif, labels/<scene>.tif and summary.json.

    Raises:
        SplitError: too few labelled scenes or blocks, or fewer labelled windows than asked for.
    """
    generator = np.random.default_rng(split.seed)
    windows = pd.read_parquet(tiles / WINDOWS)
    truth = {path.stem: path for path in sorted(labels.glob("*.tif"))}
    grids = {name: _grid(coregistered / name) for name in sorted(windows["scene"].unique())}
    roles = _roles(grids, truth, split, generator)
    size = int(windows["size"].iloc[0])
    windows["split"] = _split_of(windows, roles, size)
    windows = windows[windows["split"] != ""].reset_index(drop=True)
    windows["labelled"] = "no"
    classes = scenes.label.names
    chosen = _budget(windows, truth, size, len(classes), split, generator)
    every = round(1 / split.calibration) if split.calibration else 0
    for place, index in enumerate(chosen):
        held_back = every and place % every == 1
        windows.loc[index, "labelled"] = "calibration" if held_back else "train"
        (box,) = boxes(windows.loc[[index]])
        square = roles[box.scene][box.y : box.y + size, box.x : box.x + size]
        square[...] = Role.CALIBRATION if held_back else Role.LABELLED
    with atomic_dir(out) as folder:
        windows.to_parquet(folder / WINDOWS, index=False)
        seen = _write_rasters(folder, grids, roles, truth, scenes)
        write_json(folder / SUMMARY, _summary(windows, roles, truth, classes, seen, split))


def _grid(scene: Path) -> Grid:
    with rasterio.open(scene / "optical.tif") as source:
        return Grid.of(source)


def _roles(
    grids: dict[str, Grid], truth: dict[str, Path], split: Split, generator: np.random.Generator
) -> dict[str, NDArray[np.uint8]]:
    """Roles by pixel before any label is chosen: unlabelled, validation, test or none."""
    units = [
        (name, int(block))
        for name, path in truth.items()
        if name in grids
        for block in (_labelled_blocks(path, split.block) if split.by == "block" else [-1])
    ]
    parts = [max(1, round(share * len(units))) for share in (split.validation, split.test)]
    if len(units) < sum(parts) + 1:
        remedy = "set split.by to block" if split.by == "scene" else "make split.block smaller"
        raise SplitError(
            f"{len(units)} labelled {split.by}(s), but a split by {split.by} needs at least "
            f"{sum(parts) + 1}: one to train on, {parts[0]} for validation, {parts[1]} for test; "
            f"add labelled scenes, or {remedy}"
        )
    order = generator.permutation(len(units))
    roles = {n: np.full((g.height, g.width), Role.UNLABELLED, np.uint8) for n, g in grids.items()}
    for numbers, role in (
        (order[: parts[0]], Role.VALIDATION),
        (order[parts[0] : sum(parts)], Role.TEST),
    ):
        for name, block in (units[number] for number in numbers):
            array = roles[name]
            array[blocks(*array.shape[:2], split.block) == block if block >= 0 else ...] = role
    if split.by == "scene":
        return roles
    return {name: with_buffer(array, split.buffer) for name, array in roles.items()}


def _labelled_blocks(path: Path, side: int) -> NDArray[np.int64]:
    values = read_indices(path)
    found: NDArray[np.int64] = np.unique(
        blocks(values.shape[0], values.shape[1], side)[values != IGNORE]
    )
    return found


def _split_of(windows: pd.DataFrame, roles: dict[str, NDArray[np.uint8]], size: int) -> list[str]:
    names = np.full(len(windows), "", object)
    for scene, rows in windows.groupby("scene").indices.items():
        corners = windows[["y", "x"]].to_numpy()[rows]
        for role, word in _SPLITS.items():
            names[rows[inside(roles[str(scene)], role, corners, size)]] = word
    return list(names)


def _budget(
    windows: pd.DataFrame,
    truth: dict[str, Path],
    size: int,
    classes: int,
    split: Split,
    generator: np.random.Generator,
) -> list[int]:
    """Index labels of the windows whose labels training may see, in the order of choice."""
    pool = windows[(windows["split"] == "train") & windows["scene"].isin(list(truth))]
    counts = np.zeros((len(pool), classes), np.int64)
    for scene, rows in pool.groupby("scene").indices.items():
        values = read_indices(truth[str(scene)])
        for row in rows:
            y, x = pool[["y", "x"]].iloc[row]
            square = values[y : y + size, x : x + size]
            counts[row] = np.bincount(square[square != IGNORE], minlength=classes)
    worth = counts.sum(axis=1) >= split.min_labelled * size**2
    pool, counts = pool[worth], counts[worth]
    places = np.column_stack([pd.factorize(pool["scene"])[0], pool["y"], pool["x"]])
    chosen = choose(counts, places, size, split.labelled_tiles, generator)
    if len(chosen) < split.labelled_tiles:
        raise SplitError(
            f"split.labelled_tiles asks for {split.labelled_tiles} labelled tiles, but the training split "
            f"holds {len(chosen)} that do not overlap and have {split.min_labelled:.0%} of their pixels "
            f"labelled; set split.labelled_tiles to at most {len(chosen)}"
        )
    return [int(pool.index[i]) for i in chosen]


def _write_rasters(
    folder: Path,
    grids: dict[str, Grid],
    roles: dict[str, NDArray[np.uint8]],
    truth: dict[str, Path],
    scenes: Scenes,
) -> NDArray[np.int64]:
    """Roles of every scene and the labels inside the budget; returns labelled pixels by class."""
    seen = np.zeros(len(scenes.label.names), np.int64)
    for name, grid in grids.items():
        _write(folder / ROLES / f"{name}.tif", grid, roles[name], None)
        if name in truth:
            visible = np.isin(roles[name], (Role.LABELLED, Role.CALIBRATION))
            shown = np.where(visible, read_indices(truth[name]), np.uint8(IGNORE))
            seen += np.bincount(shown[shown != IGNORE], minlength=len(seen))
            _write(folder / LABELS / f"{name}.tif", grid, shown, scenes.label.colours)
    return seen


def _write(path: Path, grid: Grid, raster: NDArray[np.uint8], colours: list[str] | None) -> None:
    strips = ((w, raster[None, w.row_off : w.row_off + w.height]) for w in grid.strips())
    table = rgb(colours) if colours else None
    write_strips(path, grid, strips, bands=1, dtype="uint8", nodata=IGNORE, colours=table)


def _summary(
    windows: pd.DataFrame,
    roles: dict[str, NDArray[np.uint8]],
    truth: dict[str, Path],
    classes: list[str],
    seen: NDArray[np.int64],
    split: Split,
) -> dict[str, Any]:
    """The proof: who is where, how far apart, which classes each split holds."""
    used = {name: windows.loc[windows["scene"] == name, "split"].unique() for name in roles}
    held: dict[str, dict[str, int]] = {}
    for role, word in _SPLITS.items():
        counts = np.zeros(len(classes), np.int64)
        for name, path in truth.items():
            if role is not Role.UNLABELLED and name in roles:
                values = read_indices(path)[roles[name] == role]
                counts += np.bincount(values[values != IGNORE], minlength=len(classes))
        held[word] = dict(zip(classes, (seen if word == "train" else counts).tolist(), strict=True))
    return {
        "by": split.by,
        "scenes": {name: "+".join(sorted(words)) or "none" for name, words in used.items()},
        "windows": windows["split"].value_counts().sort_index().to_dict(),
        "labelled_tiles": windows["labelled"].value_counts().sort_index().to_dict(),
        "labelled_pixels": dict(zip(classes, seen.tolist(), strict=True)),
        "pixels_by_class": held,
        "absent_classes": {w: [c for c, n in held[w].items() if n == 0] for w in held},
        "min_distance_px": _distance(roles),
    }


def _distance(roles: dict[str, NDArray[np.uint8]]) -> float | None:
    """Smallest distance between training and held-out pixels, None where no scene holds both."""
    found = []
    for array in roles.values():
        held_out = np.isin(array, (Role.VALIDATION, Role.TEST))
        train = np.isin(array, (Role.UNLABELLED, Role.LABELLED, Role.CALIBRATION))
        if held_out.any() and train.any():
            found.append(float(ndimage.distance_transform_edt(~held_out)[train].min()))
    return round(min(found), 3) if found else None
