"""Is a registration right, or does it say that it is not? Simulated and real pairs, beside peers.

`python -m benchmarks.registration [--quick]` prints tables on stderr and a JSON object: errors in px,
CPU seconds a pair. 200 simulated pairs of 1024² (the demo country, seeds from 2000); with
DLLR_SHARED_DATA real Sentinel pairs moved by known transforms, and floods whose images lie on one grid; a
pair of 10,000² from files. Two processes; some twenty minutes. Begun again, it goes on where it was.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks import _registration_figures as figures
from benchmarks import _registration_jobs as jobs
from benchmarks import _registration_large as large
from benchmarks._registration_pairs import cases

SHARED = "DLLR_SHARED_DATA"
PROCESSES = 2
TRIALS = 11  # of each real pair, the one as it is included


def main(quick: bool) -> None:
    # Read when a process loads numpy: its CPU seconds are to be those of one thread.
    os.environ["OMP_NUM_THREADS"] = "1"
    code = jobs.digest()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, spawn) as pool:
        pairs = _each(pool, code, jobs.simulated, cases(1 if quick else 10))
        found: dict[str, Any] = {
            "simulated": figures.of_simulated(pairs),
            "methods": figures.of_methods(pairs),
        }
        if shared := os.environ.get(SHARED):
            root = Path(shared)
            scenes = sorted(p.parent for p in (root / "s1s2_pairs").glob("*/sar.tif"))
            count = 3 if quick else TRIALS
            trials = [jobs.Trial(scene, n) for scene in scenes for n in range(count)]
            found["real"] = figures.of_real(_each(pool, code, jobs.moved, trials))
            scenes = sorted(p.parent for p in (root / "ombria").glob("*/sar.tif"))
            found["ombria"] = figures.of_ombria(_each(pool, code, jobs.aligned, scenes))
        else:
            found["real"] = found["ombria"] = {"skipped": f"{SHARED} is not set"}
    found["large"] = {"skipped": "--quick"} if quick else _large()
    print(figures.tables(found), file=sys.stderr)
    print(json.dumps(found, allow_nan=False))


def _each(
    pool: ProcessPoolExecutor, code: str, work: Callable[[Any], jobs.Row], todo: Sequence[Any]
) -> list[jobs.Row]:
    """Rows in the order of what is to be done."""
    waiting = [pool.submit(jobs.kept, (work, what, code)) for what in todo]
    for done in tqdm(as_completed(waiting), total=len(waiting), desc=work.__name__):
        done.result()
    return [done.result() for done in waiting]


def _large() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        large.write(Path(folder))
        words = [sys.executable, "-m", "benchmarks._registration_large", folder]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the pairs, no large one")
    main(parser.parse_args().quick)
