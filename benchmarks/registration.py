"""Is a registration right, or does it say that it is not? Simulated and real pairs, beside peers.

`python -m benchmarks.registration [--quick]` prints a table on stderr and a JSON object: errors in px,
CPU seconds a pair. 200 simulated pairs of 1024² (the demo country, seeds from 2000); with
DLLR_SHARED_DATA real Sentinel pairs moved by known transforms, and floods whose images lie on one grid; a
pair of 10,000² from files. Two processes; some twenty minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks import _registration_large as large
from benchmarks._registration_pairs import (
    OMBRIA_REACH,
    REAL_REACH,
    SIMULATED_REACH,
    Case,
    cases,
    displaced,
    movements,
    real,
    rmse,
    simulated,
)
from benchmarks._registration_peers import PEERS
from dllr.registration import make
from dllr.registration.gate import register
from dllr.registration.pair import ArrayPair
from dllr.registration.search import Reach
from dllr.registration.transform import Matrix, distance

AGREEMENT, COVERAGE = 2.0, 0.1  # px, share of blocks: the defaults
FAILED = 2.0  # px, an error that is a failure
OURS = "ours, whatever the verdict"
SHARED = "DLLR_SHARED_DATA"


def main(quick: bool) -> None:
    with ProcessPoolExecutor(2) as pool:
        todo = cases(1 if quick else 10)
        pairs = pd.DataFrame(_each(pool, _simulated, todo, "simulated"))
        found: dict[str, Any] = {"simulated": _of_simulated(pairs), "peers": _of_peers(pairs)}
        if root := os.environ.get(SHARED):
            jobs = [
                (path, 3 if quick else 11) for path in sorted(Path(root, "s1s2_pairs").iterdir())
            ]
            moved = _each(pool, _moved, jobs, "real pairs")
            found["real"] = _of_real(pd.DataFrame(chain.from_iterable(moved)))
            scenes = sorted(p.parent for p in Path(root, "ombria").glob("*/sar.tif"))
            found["ombria"] = _of_ombria(pd.DataFrame(_each(pool, _aligned, scenes, "ombria")))
    if not quick:
        found["large"] = _large()
    print(json.dumps(found, indent=1), file=sys.stderr)
    print(json.dumps(found))


def _each(
    pool: ProcessPoolExecutor, work: Callable[[Any], Any], jobs: Sequence[Any], title: str
) -> list[Any]:
    return list(tqdm(pool.map(work, jobs), total=len(jobs), desc=title))


def _ours(pair: ArrayPair, reach: Reach) -> dict[str, Any]:
    """The verdict, the transform that its estimates have in the mean, and each of them."""
    kinds = {name: make(name) for name in ("information", "gradients")}
    start = time.process_time()
    verdict = register(pair, kinds, reach, AGREEMENT, COVERAGE)
    seconds = time.process_time() - start
    each = {name: e.matrix for name, e in verdict.estimates.items()}
    whatever = np.mean(list(each.values()), axis=0) if len(each) == len(kinds) else None
    return {
        "word": verdict.word, "reason": verdict.reason, "matrix": verdict.matrix, "seconds": seconds,
        OURS: whatever, **each,
    }  # fmt: skip


def _peers(pair: ArrayPair) -> dict[str, tuple[Matrix | None, float]]:
    found: dict[str, tuple[Matrix | None, float]] = {}
    for name, peer in PEERS.items():
        start = time.process_time()
        try:
            matrix = peer(pair)
        except Exception:  # each peer's own way of giving up
            matrix = None
        found[name] = matrix, time.process_time() - start
    return found


def _simulated(case: Case) -> dict[str, Any]:
    pair = simulated(case)
    assert pair.truth is not None
    error = partial(_error, measure=lambda m: rmse(m, pair.truth, pair.images.size))
    ours = _ours(pair.images, SIMULATED_REACH)
    row = {**case._asdict(), "accepted": ours["word"] == "applied", "reason": ours["reason"]}
    row |= {"error": error(ours["matrix"]), "seconds": ours["seconds"]}
    row |= {name: error(ours.get(name)) for name in (OURS, "information", "gradients")}
    for name, (matrix, seconds) in _peers(pair.images).items():
        row |= {name: error(matrix), f"{name} seconds": seconds}
    return row


def _error(matrix: Matrix | None, measure: Callable[[Matrix], float]) -> float:
    return float("inf") if matrix is None else measure(matrix)


def _of_simulated(pairs: pd.DataFrame) -> dict[str, Any]:
    accepted = pairs[pairs["accepted"]]
    wrong = accepted[accepted["error"] > FAILED]
    found: dict[str, Any] = {
        "pairs": len(pairs), "accepted": len(accepted), "accepted_and_wrong": len(wrong),
        "wrong": wrong[["seed", "relief", "looks", "cloud", "error"]].to_dict("records"),
        "cpu_seconds": _figures(pairs["seconds"]),
    }  # fmt: skip
    for name, relief, limit in (("flat", 0, 1.0), ("relief", 130, 1.5)):
        mine = accepted[accepted["relief"] == relief]["error"]
        found[name] = {
            "accepted": len(mine), **_figures(mine), f"share_below_{limit:g}": _share(mine < limit),
        }  # fmt: skip
        for sky, under in (("clear", pairs["cloud"] <= 0.2), ("cloudy", pairs["cloud"] > 0.2)):
            part = pairs[(pairs["relief"] == relief) & under]
            found[name][f"refused_{sky}"] = _share(~part["accepted"])
    refused = pairs[~pairs["accepted"]]
    found["refused_reasons"] = (
        refused["reason"].str.replace(r"[\d.]+", "#", regex=True).value_counts().to_dict()
    )
    return found


def _of_peers(pairs: pd.DataFrame) -> dict[str, Any]:
    names = [OURS, "information", "gradients", *PEERS]
    return {
        name: {
            **{
                f"median_{kind}": _median(pairs[pairs["relief"] == relief][name])
                for kind, relief in (("flat", 0), ("relief", 130))
            },
            "median": _median(pairs[name]),
            "failed": int((pairs[name] > FAILED).sum()),
            **({"cpu_seconds": _median(pairs[f"{name} seconds"])} if name in PEERS else {}),
        }
        for name in names
    }


def _moved(job: tuple[Path, int]) -> list[dict[str, Any]]:
    """A real pair under known movements: how far each estimate is from that of the pair as it is."""
    folder, count = job
    images = real(folder)
    rows, first = [], dict[str, Matrix]()
    for known in movements(images.size, count, seed=int(folder.name)):
        pair = displaced(images, known)
        ours = _ours(pair, REAL_REACH)
        back = np.linalg.inv(known)
        matrices = {"ours": ours["matrix"]} | {name: m for name, (m, _) in _peers(pair).items()}
        row: dict[str, Any] = {
            "scene": folder.name,
            "as_is": not rows,
            "accepted": ours["word"] == "applied",
        }
        for name, matrix in matrices.items():
            error = float("inf")
            if matrix is not None:
                first.setdefault(name, back @ matrix)
                error = distance(back @ matrix, first[name], images.size)
            row[name] = error
        rows.append(row)
    return rows


def _of_real(rows: pd.DataFrame) -> dict[str, Any]:
    tried = rows[~rows["as_is"]]
    errors = tried[tried["accepted"]]["ours"]
    found: dict[str, Any] = {
        "trials": len(rows), "refused": _share(~rows["accepted"]), **_figures(errors),
        "share_below_1": _share(errors < 1),
        "refused_by_scene": {str(s): _share(~part["accepted"]) for s, part in rows.groupby("scene")},
        "median_by_scene": {
            str(s): _median(part[part["accepted"]]["ours"]) for s, part in tried.groupby("scene")
        },
        "failed": {"ours": int((errors > FAILED).sum())},
    }  # fmt: skip
    found["failed"] |= {name: int((tried[name] > FAILED).sum()) for name in PEERS}
    found["peers_median"] = {name: _median(tried[name]) for name in PEERS}
    return found


def _aligned(folder: Path) -> dict[str, Any]:
    images = real(folder)
    ours = _ours(images, OMBRIA_REACH)
    none = np.eye(3)
    return {
        "scene": folder.name,
        "accepted": ours["word"] == "applied",
        "farthest": _error(ours["matrix"], lambda m: distance(m, none, images.size)),
        "rmse": _error(ours["matrix"], lambda m: rmse(m, none, images.size)),
    }


def _of_ombria(rows: pd.DataFrame) -> dict[str, Any]:
    accepted = rows[rows["accepted"]]
    return {
        "scenes": len(rows), "accepted": len(accepted),
        "rmse_below_1": int((accepted["rmse"] < 1).sum()),
        "farthest_below_1": int((accepted["farthest"] < 1).sum()),
        "rmse": {r.scene: round(r.rmse, 3) for r in accepted.itertuples()},
    }  # fmt: skip


def _large() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        large.write(Path(folder))
        words = [sys.executable, "-m", "benchmarks._registration_large", folder]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def _figures(values: Iterable[float]) -> dict[str, float | None]:
    some = [v for v in values if np.isfinite(v)]
    if not some:
        return {"median": None, "p95": None, "worst": None}
    return {
        "median": round(float(np.median(some)), 3),
        "p95": round(float(np.quantile(some, 0.95)), 3),
        "worst": round(max(some), 3),
    }


def _median(values: Iterable[float]) -> float | None:
    """Of all, failures without a transform included as the largest."""
    some = list(values)
    middle = float(np.median(some)) if some else float("inf")
    return round(middle, 3) if np.isfinite(middle) else None


def _share(flags: Iterable[bool]) -> float | None:
    some = list(flags)
    return round(float(np.mean(some)), 3) if some else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the pairs, no large one")
    main(parser.parse_args().quick)
