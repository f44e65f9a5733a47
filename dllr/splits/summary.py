"""What the split stage tells: who is where, which classes each split holds, and that nothing leaks."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dllr.errors import SplitError
from dllr.raster.roles import SPLITS, in_split
from dllr.splits import leakage
from dllr.splits.board import Board
from dllr.splits.dealing import Ties, roles_of


class Written(NamedTuple):
    """What was written of a scene, counted in the rasters themselves."""

    pixels: dict[str, NDArray[np.int64]]  # split → (K,) pixels with a label by class, shown or not
    shown: NDArray[np.int64]  # (K,) pixels by class whose labels training may see
    distance: float | None  # px between training and held-out pixels


def summary(
    by: str,
    windows: pd.DataFrame,
    boards: Mapping[str, Board],
    ties: Ties,
    written: Mapping[str, Written],
    classes: Sequence[str],
    notes: Sequence[str],
    size: int,
) -> dict[str, Any]:
    """The content of summary.json.

    Raises:
        SplitError: a held-out split has no label, or something leaks.
    """
    pixels = {word: _total([w.pixels[word] for w in written.values()]) for word in SPLITS}
    for word in ("validation", "test"):
        if not pixels[word].any():
            raise SplitError(
                f"the {word} split holds no labelled pixel with data; "
                + (
                    f"name a labelled scene for {word} in the list"
                    if by == "given"
                    else f"raise split.{word}, make split.buffer smaller, or take another split.seed"
                )
            )
    seen = _total([w.shown for w in written.values()])
    shown = {word: seen if word == "train" else pixels[word] for word in SPLITS}
    used = dict.fromkeys(boards, "none")
    for name, words in windows.groupby("scene")["split"].unique().items():
        used[str(name)] = "+".join(sorted(words))
    labelled = windows.loc[windows["labelled"] != "no", "scene"].unique()
    splits = roles_of(boards)
    together = ties.together()
    distances = [w.distance for w in written.values() if w.distance is not None]
    leaks = {
        "windows_sharing_pixels": _shared_windows(windows, size),
        "scenes_sharing_ground": leakage.shared_ground(list(splits.values()), ties.ground),
    }
    if any(leaks.values()):
        raise SplitError(
            f"the split leaks: {leaks}; this is a fault of the program, please report it with params.yaml"
        )
    return {
        "by": by,
        "scenes": used,
        "windows": windows["split"].value_counts().sort_index().to_dict(),
        "labelled_tiles": windows["labelled"].value_counts().sort_index().to_dict(),
        "labelled_scenes": sorted(str(name) for name in labelled),
        "labelled_pixels": _named(classes, seen),
        "pixels_by_class": {word: _named(classes, shown[word]) for word in SPLITS},
        "absent_classes": {word: _absent(classes, shown[word]) for word in SPLITS},
        "training_pixels_by_class": _named(classes, pixels["train"]),
        "min_distance_px": round(min(distances), 3) if distances else None,
        "shared_between_splits": leaks,
        "groups": {
            word: sum(any(word in splits[name] for name in group) for group in together)
            for word in SPLITS
        },
        "kept_together": [group for group in together if len(group) > 1],
        "blocks": _blocks(boards),
        "warnings": [*notes, *_warnings(classes, pixels, seen)],
    }


def _total(counts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = np.sum(counts, axis=0)
    return total


def _named(classes: Sequence[str], counts: NDArray[np.int64]) -> dict[str, int]:
    return dict(zip(classes, counts.tolist(), strict=True))


def _absent(classes: Sequence[str], counts: NDArray[np.int64]) -> list[str]:
    return [name for name, count in _named(classes, counts).items() if count == 0]


def _blocks(boards: Mapping[str, Board]) -> dict[str, int]:
    """Blocks of each split; of scenes that are not cut, each is one block."""
    return {
        word: sum(int(in_split(board.roles, word).sum()) for board in boards.values())
        for word in SPLITS
    }


def _shared_windows(windows: pd.DataFrame, size: int) -> int:
    shared = 0
    for _, frame in windows.groupby("scene"):
        if frame["split"].nunique() > 1:
            places = {str(w): f[["y", "x"]].to_numpy() for w, f in frame.groupby("split")}
            shared += leakage.shared_windows(places, size)
    return shared


def _warnings(
    classes: Sequence[str], pixels: Mapping[str, NDArray[np.int64]], seen: NDArray[np.int64]
) -> list[str]:
    """A sentence for each thing that scores and maps will suffer from."""
    said = []
    present = set(classes) - set(_absent(classes, pixels["train"]))
    missed = [name for name in _absent(classes, seen) if name in present]
    if missed:
        said.append(
            f"The labelled budget shows no pixel of {', '.join(missed)}, which the training split holds: "
            "raise split.labelled_tiles or split.labelled_scenes, or take another split.seed."
        )
    lacking = {word: _absent(classes, pixels[word]) for word in SPLITS}
    return said + [
        f"The {word} split holds no labelled pixel of {', '.join(absent)}."
        for word, absent in lacking.items()
        if absent
    ]
