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
from dllr.raster.arrays import open_arrays, scene_names
from dllr.raster.grid import IGNORE, Grid, read_indices, rgb, write_strips
from dllr.raster.partition import Role, blocks, choose, inside, sharing_ground, with_buffer
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
    truth = Truth(coregistered, labels)
    grids = {name: _grid(coregistered / name) for name in scene_names(coregistered)}
    size = int(windows["size"].iloc[0])
    roles = _roles(grids, truth, size, split, generator)
    windows["split"] = _split_of(windows, roles, size)
    windows = windows[windows["split"] != ""].reset_index(drop=True)
    windows["labelled"] = "no"
    classes = scenes.label.names
    chosen = _budget(windows, truth, size, len(classes), split, generator)
    for place, index in enumerate(chosen):
        held_back = int((place + 1) * split.calibration) > int(place * split.calibration)
        windows.loc[index, "labelled"] = "calibration" if held_back else "train"
        (box,) = boxes(windows.loc[[index]])
        square = roles[box.scene][box.y : box.y + size, box.x : box.x + size]
        square[...] = Role.CALIBRATION if held_back else Role.LABELLED
    if split.labelled_tiles is None:
        _label_the_rest(windows, roles, truth, size)
    with atomic_dir(out) as folder:
        windows.to_parquet(folder / WINDOWS, index=False)
        seen = _write_rasters(folder, grids, roles, truth, scenes)
        write_json(folder / SUMMARY, _summary(windows, roles, truth, classes, seen, split))


def _grid(scene: Path) -> Grid:
    with rasterio.open(scene / "optical.tif") as source:
        return Grid.of(source)


class Truth:
    """Labels where there is data to learn from; scenes without any such pixel are not in it."""

    def __init__(self, coregistered: Path, labels: Path) -> None:
        self._coregistered, self._labels = coregistered, labels
        names = [path.stem for path in sorted(labels.glob("*.tif"))]
        self.names = [name for name in names if (self.read(name) != IGNORE).any()]

    def read(self, name: str) -> NDArray[np.uint8]:
        """Class indices (H, W); 255 where nothing is known, or neither modality has data."""
        valid = np.asarray(open_arrays(self._coregistered / name).valid)
        label = read_indices(self._labels / f"{name}.tif")
        return np.where(valid[0] | valid[1], label, np.uint8(IGNORE))


Unit = list[tuple[str, tuple[slice, slice]]]  # parts of scenes that go to one split together


def _units(grids: dict[str, Grid], truth: Truth, size: int, split: Split) -> list[Unit]:
    """What is drawn for validation and test: scenes that share no ground, or blocks of scenes."""
    whole = (slice(None), slice(None))
    groups = sharing_ground(grids)
    if split.by == "scene":
        labelled = [[name for name in group if name in truth.names] for group in groups]
        pairs = zip(groups, labelled, strict=True)
        return [[(name, whole) for name in group] for group, known in pairs if known]
    for group in groups:
        if len(group) > 1:
            raise SplitError(
                f"scenes {', '.join(group)} overlap on the ground, so their blocks would leak into one "
                "another; set split.by to scene, which keeps such scenes together, or remove one of them"
            )
    least = size + 2 * split.buffer
    units: list[Unit] = []
    for name in truth.names:
        values = truth.read(name)
        for rows, columns in blocks(values.shape[0], values.shape[1], split.block):
            square = values[rows, columns]
            if min(square.shape) >= least and (square != IGNORE).any():
                units.append([(name, (rows, columns))])
    return units


def _roles(
    grids: dict[str, Grid], truth: Truth, size: int, split: Split, generator: np.random.Generator
) -> dict[str, NDArray[np.uint8]]:
    """Roles by pixel before any label is chosen: unlabelled, validation, test or none."""
    units = _units(grids, truth, size, split)
    parts = [max(1, round(share * len(units))) for share in (split.validation, split.test)]
    if len(units) < sum(parts) + 1:
        remedy = "set split.by to block" if split.by == "scene" else "make split.block smaller"
        raise SplitError(
            f"{len(units)} labelled {split.by}(s) that share no ground, but a split by {split.by} needs "
            f"at least {sum(parts) + 1}: one to train on, {parts[0]} for validation, {parts[1]} for "
            f"test; add labelled scenes, or {remedy}"
        )
    order = generator.permutation(len(units))
    roles = {n: np.full((g.height, g.width), Role.UNLABELLED, np.uint8) for n, g in grids.items()}
    for numbers, role in (
        (order[: parts[0]], Role.VALIDATION),
        (order[parts[0] : sum(parts)], Role.TEST),
    ):
        for name, (rows, columns) in (part for number in numbers for part in units[number]):
            roles[name][rows, columns] = role
    if split.by == "block":
        roles = {name: with_buffer(array, split.buffer) for name, array in roles.items()}
    for role in (Role.VALIDATION, Role.TEST):
        if not any(((roles[n] == role) & (truth.read(n) != IGNORE)).any() for n in truth.names):
            raise SplitError(
                f"the {_SPLITS[role]} split holds no labelled pixel with data; raise "
                f"split.{_SPLITS[role]}, make split.buffer smaller, or take another split.seed"
            )
    return roles


def _split_of(windows: pd.DataFrame, roles: dict[str, NDArray[np.uint8]], size: int) -> list[str]:
    names = np.full(len(windows), "", object)
    for scene, rows in windows.groupby("scene").indices.items():
        corners = windows[["y", "x"]].to_numpy()[rows]
        for role, word in _SPLITS.items():
            names[rows[inside(roles[str(scene)], role, corners, size)]] = word
    return list(names)


def _budget(
    windows: pd.DataFrame,
    truth: Truth,
    size: int,
    classes: int,
    split: Split,
    generator: np.random.Generator,
) -> list[int]:
    """Index labels of the windows whose labels training may see, in the order of choice."""
    pool = windows[(windows["split"] == "train") & windows["scene"].isin(truth.names)]
    counts = np.zeros((len(pool), classes), np.int64)
    for scene, rows in pool.groupby("scene").indices.items():
        values = truth.read(str(scene))
        for row in rows:
            y, x = pool[["y", "x"]].iloc[row]
            square = values[y : y + size, x : x + size]
            counts[row] = np.bincount(square[square != IGNORE], minlength=classes)
    worth = counts.sum(axis=1) >= split.min_labelled * size**2
    pool, counts = pool[worth], counts[worth]
    places = np.column_stack([pd.factorize(pool["scene"])[0], pool["y"], pool["x"]])
    chosen = choose(counts, places, size, split.labelled_tiles or len(pool), generator)
    if not chosen:
        raise SplitError(
            f"no window of {size} px in the training split has {split.min_labelled:.0%} of its pixels "
            "labelled and with data; lower split.min_labelled or tile.size, or make split.block larger"
        )
    if split.labelled_tiles and len(chosen) < split.labelled_tiles:
        raise SplitError(
            f"split.labelled_tiles asks for {split.labelled_tiles} labelled tiles, but the training split "
            f"holds {len(chosen)} that do not overlap and have {split.min_labelled:.0%} of their pixels "
            f"labelled; set split.labelled_tiles to at most {len(chosen)}, or to null for all"
        )
    return [int(pool.index[i]) for i in chosen]


def _label_the_rest(
    windows: pd.DataFrame, roles: dict[str, NDArray[np.uint8]], truth: Truth, size: int
) -> None:
    """All other training windows of labelled scenes, but for those that see the calibration fold."""
    rest = windows[
        (windows["split"] == "train")
        & (windows["labelled"] == "no")
        & windows["scene"].isin(truth.names)
    ]
    for index, box in zip(rest.index, boxes(rest), strict=True):
        square = roles[box.scene][box.y : box.y + size, box.x : box.x + size]
        if not (square == Role.CALIBRATION).any():
            windows.loc[index, "labelled"] = "train"
            square[...] = Role.LABELLED


def _write_rasters(
    folder: Path,
    grids: dict[str, Grid],
    roles: dict[str, NDArray[np.uint8]],
    truth: Truth,
    scenes: Scenes,
) -> NDArray[np.int64]:
    """Roles of every scene and the labels inside the budget; returns labelled pixels by class."""
    seen = np.zeros(len(scenes.label.names), np.int64)
    for name, grid in grids.items():
        _write(folder / ROLES / f"{name}.tif", grid, roles[name], None)
        if name in truth.names:
            visible = np.isin(roles[name], (Role.LABELLED, Role.CALIBRATION))
            shown = np.where(visible, truth.read(name), np.uint8(IGNORE))
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
    truth: Truth,
    classes: list[str],
    seen: NDArray[np.int64],
    split: Split,
) -> dict[str, Any]:
    """The proof: who is where, how far apart, which classes each split holds."""
    used = {name: windows.loc[windows["scene"] == name, "split"].unique() for name in roles}
    held: dict[str, dict[str, int]] = {}
    for role, word in _SPLITS.items():
        counts = np.zeros(len(classes), np.int64)
        for name in truth.names:
            if role is not Role.UNLABELLED:
                values = truth.read(name)[roles[name] == role]
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
