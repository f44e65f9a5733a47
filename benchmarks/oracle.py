"""What keeps a round from the ceiling: its class shares, or which pixels get which class?

`python -m benchmarks.oracle [FOLDER ...]` takes projects, or cells of a study, whose round 1 is made by the
method `dllr` (none = this one): as it is; and trained again on that round's warm-up, with labels reassigned
to just the true class shares of the unlabelled pixels, on the labels as they were written, and on the
truth at the pixels that have a written label. The truth is the scene folder's, which no stage lets
training read. Printed is the mIoU of the fused head, in %, by folder, of the warm-up and of each form of
round 1, on the test scenes and on the unlabelled pixels of the training scenes, with the true and the
labelled shares.
Windows lie side by side, so a score may differ from the one that `evaluate` writes.
"""

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from dllr.execution import device
from dllr.files import WORK, link_tree, read_json, write_json
from dllr.models.checkpoint import load as load_network
from dllr.params.load import load
from dllr.params.root import Params
from dllr.raster.arrays import SceneArrays, open_arrays
from dllr.raster.grid import IGNORE, read_indices
from dllr.raster.products import CHECKPOINT, PSEUDO_CLASS, ROLES, SUMMARY
from dllr.raster.roles import Role
from dllr.stages import train_round
from dllr.training.guard import read

ROUND = {"1": 0}
COREGISTERED, SPLIT, LABELS = (
    Path("results", name) for name in ("coregistered", "split", "labels")
)
WRITTEN = Path("results/pseudo_labels/1")
WARMED, MADE = Path("results/rounds/0"), Path("results/rounds/1")


def main(folders: list[Path]) -> None:
    rows: dict[str, Any] = {}
    for folder in folders:
        with contextlib.chdir(folder):
            WORK.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=WORK) as scratch:
                rows[str(folder)] = _folder(Path(scratch))
        print(folder, rows[str(folder)], file=sys.stderr, flush=True)
    print(json.dumps(rows))


def _folder(scratch: Path) -> dict[str, Any]:
    sections = load()
    if sections.train_round.method != "dllr":
        sys.exit(f"{Path.cwd()}: its round is of {sections.train_round.method}; expected dllr")
    summary = read_json(WRITTEN / SUMMARY)
    known = _known(len(summary["target"]))
    truth = dict(zip(summary["target"], (known / known.sum()).tolist(), strict=True))
    forms = {
        "true shares": (_with_shares(scratch / "shares", truth), None),
        "written labels": (WRITTEN, "written"),
        "true labels": (_with_truth(scratch / "labels"), "written"),
    }
    return {
        "labelled_shares": {name: round(share, 4) for name, share in summary["labelled"].items()},
        "true_shares": {name: round(share, 4) for name, share in truth.items()},
        "miou": {"warm-up": _scores(WARMED), "as it is": _scores(MADE)}
        | {
            name: _trained(sections, labels, form, scratch / name.replace(" ", "_"))
            for name, (labels, form) in forms.items()
        },
    }


def _trained(sections: Params, labels: Path, form: str | None, out: Path) -> dict[str, float]:
    settings: dict[str, Any] = {}
    if form is not None:
        settings["dllr"] = sections.train_round.dllr.model_copy(update={"labels": form})
    link_tree(WARMED, out / "rounds/0")
    train_round.run(
        coregistered=COREGISTERED, split=SPLIT, pseudo_labels=labels, previous=out / "rounds/0",
        out=out / "rounds/1", round=1, rounds=ROUND, train=sections.train,
        train_round=sections.train_round.model_copy(update=settings), watch=lambda _: None,
    )  # fmt: skip
    return _scores(out / "rounds/1")


def _scores(folder: Path) -> dict[str, float]:
    """mIoU in %, of the teacher of a round."""
    trained = load_network(folder / CHECKPOINT)
    roles = {"test": Role.TEST, "unlabelled": Role.UNLABELLED}
    found = {
        kind: read(trained, _truth(role), device()).miou["fused"] for kind, role in roles.items()
    }
    return {kind: round(100 * score, 1) for kind, score in found.items() if score is not None}


def _truth(role: Role) -> Iterator[tuple[SceneArrays, NDArray[np.uint8]]]:
    """Scenes with their true classes (H, W) where pixels have the role, 255 elsewhere."""
    for path in sorted(LABELS.glob("*.tif")):
        chosen = read_indices(SPLIT / ROLES / path.name) == role
        if chosen.any():
            truth = np.where(chosen, read_indices(path), np.uint8(IGNORE))
            yield open_arrays(COREGISTERED / path.stem), truth


def _known(classes: int) -> NDArray[np.int64]:
    """Unlabelled training pixels by true class."""
    counts = np.zeros(classes, np.int64)
    for _, truth in _truth(Role.UNLABELLED):
        counts += np.bincount(truth.ravel(), minlength=IGNORE + 1)[:classes]
    return counts


def _with_shares(folder: Path, shares: dict[str, float]) -> Path:
    """The labels of the round, said to be made to other shares, exactly."""
    shutil.copytree(WRITTEN, folder)
    summary = read_json(folder / SUMMARY)
    (folder / SUMMARY).unlink()
    summary["target"], summary["rho"] = shares, None
    summary["levels"]["shares"]["kept"] = True
    # Where the potentials start; a class that the labelled tiles lack has none.
    for name, lift in summary["potentials"].items():
        summary["potentials"][name] = 0.0 if lift is None else lift
    write_json(folder / SUMMARY, summary)
    return folder


def _with_truth(folder: Path) -> Path:
    """The labels of the round, each the true class where that is known."""
    shutil.copytree(WRITTEN, folder)
    for path in sorted(folder.glob(f"*/{PSEUDO_CLASS}")):
        if not (truth := LABELS / f"{path.parent.name}.tif").exists():
            continue
        labels, actual = read_indices(path), read_indices(truth)
        changed = np.where((labels != IGNORE) & (actual != IGNORE), actual, labels)
        with rasterio.open(path) as source:
            profile = source.profile
        path.unlink()
        with rasterio.open(path, "w", **profile) as target:
            target.write(changed, 1)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[Path()])
    main(parser.parse_args().folders)
