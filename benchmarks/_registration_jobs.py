"""What the processes of `benchmarks.registration` do: jobs, each giving figures that JSON can hold.

What was done already by the same code is kept under .dllr/bench/registration and not done again.
"""

import hashlib
import json
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import _registration_pairs as pairs
from benchmarks._registration_peers import PEERS
from dllr.files import WORK, write_json
from dllr.registration import make
from dllr.registration.estimate import Estimate, Estimator
from dllr.registration.gate import register
from dllr.registration.pair import ArrayPair, Pair
from dllr.registration.search import NoEvidenceError, Reach
from dllr.registration.transform import Matrix, distance

KINDS = ("information", "gradients")
AGREEMENT, COVERAGE = 2.0, 0.1  # px, share of blocks: the defaults
UNGATED = "ours, whatever the verdict"
METHODS = (UNGATED, *KINDS, *PEERS)
ROOT = Path(__file__).parents[1]

Row = dict[str, Any]


class Trial(NamedTuple):
    """A real pair under the `number`-th of its known movements."""

    folder: Path
    number: int


class Remembering:
    """An estimator that remembers what it found alone: the gate may lead it to another's place."""

    def __init__(self, inner: Estimator) -> None:
        self.inner = inner
        self.asked = False
        self.alone: Estimate | None = None

    def find(self, pair: Pair, reach: Reach) -> Estimate:
        self.asked = True
        self.alone = self.inner.find(pair, reach)
        return self.alone

    def near(self, pair: Pair, start: Matrix) -> Estimate:
        return self.inner.near(pair, start)


def simulated(case: pairs.Case) -> Row:
    """Errors of all methods on one simulated pair, px; None where there is no transform."""
    images, truth = pairs.simulated(case)
    found, row = _all(images, pairs.SIMULATED_REACH)
    errors = {n: m if m is None else pairs.rmse(m, truth, images.size) for n, m in found.items()}
    offset = pairs.rmse(pairs.best_shift(truth, images.size), truth, images.size)
    return {**case._asdict(), **row, "errors": errors, "shift_at_best": offset}


def moved(trial: Trial) -> Row:
    """The transforms of all methods on a real pair that was moved, with the movement taken back."""
    images = pairs.real(trial.folder)
    known = pairs.movement(images.size, trial.number, seed=int(trial.folder.name))
    found, row = _all(pairs.displaced(images, known), pairs.REAL_REACH)
    back = {n: m if m is None else (np.linalg.inv(known) @ m).tolist() for n, m in found.items()}
    return {"scene": trial.folder.name, "number": trial.number, **row, "size": images.size} | {
        "matrices": back
    }


def aligned(folder: Path) -> Row:
    """How far from none the transform of a pair is whose images lie on one grid."""
    images = pairs.real(folder)
    matrix, _, row = _ours(images, pairs.OMBRIA_REACH)
    none, farthest, rmse = np.eye(3), None, None
    if matrix is not None:
        farthest = distance(matrix, none, images.size)
        rmse = pairs.rmse(matrix, none, images.size)
    return {"scene": folder.name, **row, "farthest": farthest, "rmse": rmse}


def kept(job: tuple[Callable[[Any], Row], Any, str]) -> Row:
    """What a function makes of its argument, once: (function, argument, digest of the code)."""
    work, what, code = job
    path = WORK / "bench" / "registration" / code / f"{work.__name__}-{_name(what)}.json"
    if not path.exists():
        write_json(path, work(what))
    row: Row = json.loads(path.read_text())
    return row


def digest() -> str:
    """Of the code that rows depend on."""
    found = hashlib.sha256()
    folders = (ROOT / "dllr" / name for name in ("registration", "demo", "raster"))
    sources = [path for folder in folders for path in folder.glob("*.py")]
    for path in sorted([*sources, *Path(__file__).parent.glob("_registration_[jp]*.py")]):
        found.update(path.read_bytes())
    for name in ("numpy", "scipy", "scikit-image", "simpleitk", "opencv-python-headless"):
        found.update(version(name).encode())
    return found.hexdigest()[:12]


def _name(what: Any) -> str:
    parts = [what] if isinstance(what, Path) else what
    return "-".join(p.name if isinstance(p, Path) else f"{p}" for p in parts)


def _all(images: ArrayPair, reach: Reach) -> tuple[dict[str, Matrix | None], Row]:
    """The transforms by method, ours with the gate first, and a row with all else."""
    gated, alone, row = _ours(images, reach)
    all_found = [m for m in alone.values() if m is not None]
    ungated = np.mean(all_found, axis=0) if len(all_found) == len(KINDS) else None
    found: dict[str, Matrix | None] = {"ours": gated, UNGATED: ungated, **alone}
    row["peer_cpu_seconds"] = {}
    for name, peer in PEERS.items():
        start = time.process_time()
        try:
            found[name] = peer(images)
        except Exception:  # each peer's own way of giving up
            found[name] = None
        row["peer_cpu_seconds"][name] = time.process_time() - start
    return found, row


def _ours(images: ArrayPair, reach: Reach) -> tuple[Matrix | None, dict[str, Matrix | None], Row]:
    """The verdict's transform, what each kind of evidence finds alone, and a row with all else."""
    kinds = {name: Remembering(make(name)) for name in KINDS}
    start, cpu = time.perf_counter(), time.process_time()
    verdict = register(images, kinds, reach, AGREEMENT, COVERAGE)
    row: Row = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "accepted": verdict.word == "applied",
        "reason": verdict.reason,
        "apart": verdict.apart if np.isfinite(verdict.apart) else None,
        "coverage": min((e.coverage for e in verdict.estimates.values()), default=0.0),
        "led": any(e is not kinds[name].alone for name, e in verdict.estimates.items()),
    }
    for kind in kinds.values():
        if not kind.asked:  # another one gave up before
            try:
                kind.find(images, reach)
            except NoEvidenceError:
                continue
    alone = {name: None if k.alone is None else k.alone.matrix for name, k in kinds.items()}
    return verdict.matrix, alone, row
