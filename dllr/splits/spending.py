"""Spending the labelled budget on the windows of the training split."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dllr.errors import SplitError
from dllr.splits.budget import choose, choose_scenes, held_back, touching


def spend(
    windows: pd.DataFrame,
    counts: NDArray[np.int64],
    size: int,
    *,
    tiles: int | None,
    scenes: int | None,
    min_labelled: float,
    calibration: float,
    generator: np.random.Generator,
) -> NDArray[np.object_]:
    """Fold of each window (N,): train, calibration, or no = its labels stay hidden.

    windows: columns scene, y, x and split; counts: (N, K) labelled pixels by class; size: side in px.
    tiles, scenes: budgets, None = all. For one state of the generator they are nested: what a smaller
    budget shows, and the fold it is in, stays in a larger one of the same kind, all else being equal.
    Scenes nest so where tiles is None, since a fixed number of tiles spreads over more scenes; their
    windows then come scene by scene, and with a number of tiles all in one order.

    Raises:
        SplitError: no window has labels enough, or there are fewer such windows than asked for.
    """
    fold = np.full(len(windows), "no", object)
    corners = windows[["y", "x"]].to_numpy()
    numbers = pd.factorize(windows["scene"])[0]
    labelled = numbers[counts.any(axis=1)]
    train = (windows["split"] == "train").to_numpy() & np.isin(numbers, labelled)
    pool = np.flatnonzero(train & (counts.sum(axis=1) >= min_labelled * size**2))
    if not len(pool):
        raise SplitError(
            f"no window of {size} px in the training split has {min_labelled:.0%} of its pixels "
            "labelled and with data; lower split.min_labelled or tile.size, or make split.block larger"
        )
    parts = [pool]
    if scenes is not None:
        parts = _of_scenes(pool, numbers, counts, scenes, generator)
        train &= np.isin(numbers, numbers[np.concatenate(parts)])
        if tiles is not None:
            parts = [np.sort(np.concatenate(parts))]
    chosen: list[int] = []
    for part in parts:
        boxes = np.column_stack([numbers[part], corners[part]])
        picked = choose(counts[part], boxes, size, tiles or len(part), generator)
        chosen += part[picked].tolist()
    if tiles and len(chosen) < tiles:
        where = (
            "the training split" if scenes is None else f"{scenes} scene(s) of the training split"
        )
        raise SplitError(
            f"split.labelled_tiles asks for {tiles} labelled tiles, but {where} holds {len(chosen)} that "
            f"do not overlap and have {min_labelled:.0%} of their pixels labelled; set "
            f"split.labelled_tiles to at most {len(chosen)}, or to null for all"
            + ("" if scenes is None else ", or raise split.labelled_scenes")
        )
    held = held_back(len(chosen), calibration)
    fold[chosen] = np.where(held, "calibration", "train")
    if tiles is None:
        _label_the_rest(fold, train, numbers, corners, size)
    return fold


def _of_scenes(
    pool: NDArray[np.int64],
    numbers: NDArray[np.int64],
    counts: NDArray[np.int64],
    budget: int,
    generator: np.random.Generator,
) -> list[NDArray[np.int64]]:
    """The windows of the scenes that may be labelled, scene by scene in the order of choice."""
    candidates = np.unique(numbers[pool])
    by_scene = [pool[numbers[pool] == number] for number in candidates]
    totals = np.array([counts[rows].sum(axis=0) for rows in by_scene])
    return [by_scene[i] for i in choose_scenes(totals, budget, generator)]


def _label_the_rest(
    fold: NDArray[np.object_],
    train: NDArray[np.bool_],
    numbers: NDArray[np.int64],
    corners: NDArray[np.int64],
    size: int,
) -> None:
    """All other training windows of the labelled scenes, but for those that see the calibration fold."""
    for number in np.unique(numbers[train]):
        rows = np.flatnonzero((numbers == number) & train)
        hidden = rows[fold[rows] == "no"]
        held = rows[fold[rows] == "calibration"]
        fold[hidden[~touching(corners[hidden], corners[held], size)]] = "train"
