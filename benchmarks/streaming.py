"""Does a billion pixels fit? The transport streamed over blocks that are made on the fly.

`python -m benchmarks.streaming` solves 10⁹ pixels × 7 classes with equal columns, ε = .1, to an L1 error of
1e-6, on Dask's threads: seconds a pass, beside what reading the blocks from memory once would take, seconds
that making the blocks alone takes, and resident memory after the first pass and at the end. A part of it
runs on a cluster of two processes as well and must give the same potentials. `--pixels N` takes another
number.
"""

import argparse
import json
import re
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import dask
import dask.array
import numpy as np
import torch
from dask.array import Array
from dask.base import compute
from dask.delayed import delayed
from dask.distributed import Client, LocalCluster
from numpy.typing import NDArray
from scipy.special import log_softmax

from dllr.transport import newton
from dllr.transport.data import Chunks, Moments
from dllr.transport.problem import Problem

BLOCK, CLASSES, EPSILON, ERROR, WORKERS = 2**20, 7, 0.1, 1e-6, 2
PART = 2**26  # pixels that the cluster solves too
SHARES = np.array([0.35, 0.25, 0.15, 0.12, 0.08, 0.04, 0.01])


class Watched:
    """Chunks whose passes are timed, with the memory after each."""

    def __init__(self, cost: Array) -> None:
        self._chunks = Chunks(cost)
        self.sample = self._chunks.sample
        self.seconds: list[float] = []
        self.memory: list[int] = []

    def look(self, potentials: NDArray[np.float64], epsilon: float) -> Moments:
        start = time.perf_counter()
        found = self._chunks.look(potentials, epsilon)
        self.seconds.append(time.perf_counter() - start)
        self.memory.append(_resident())
        print(f"pass {len(self.seconds)}: {self.seconds[-1]:.1f} s", file=sys.stderr, flush=True)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pixels", type=int, default=10**9)
    pixels = parser.parse_args().pixels
    problem = Problem(SHARES, EPSILON)
    with dask.config.set(scheduler="threads", num_workers=WORKERS):
        made = _timed(lambda: compute(*(delayed(_touched)(b) for b in range(_count(pixels)))))
        data = Watched(_blocks(pixels))
        found = newton.solve(data, problem, tolerance=ERROR)
        part = newton.solve(Chunks(_blocks(PART)), problem, tolerance=ERROR)
    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        there = newton.solve(Chunks(_blocks(PART)), problem, tolerance=ERROR)
    figures: dict[str, Any] = {
        "pixels": pixels, "passes": found.passes, "error": float(f"{found.residual:.1e}"),
        "converged": found.converged, "s_per_pass": round(float(np.median(data.seconds)), 1),
        "s_making_blocks": round(made, 1),
        "s_least_reading": round(pixels * CLASSES * 4 / _bandwidth() / 1e9, 1),
        "mib_after_first_pass": data.memory[0] // 2**20, "mib_at_end": data.memory[-1] // 2**20,
        "mib_of_all": round(pixels * CLASSES * 4 / 2**20),
        "cluster_apart": float(np.abs(there.potentials - part.potentials).max()),
    }  # fmt: skip
    print(json.dumps(figures))


def _blocks(pixels: int) -> Array:
    sizes = [min(BLOCK, pixels - first) for first in range(0, pixels, BLOCK)]
    parts = [
        dask.array.from_delayed(delayed(_block)(b, size), (size, CLASSES), np.float32)
        for b, size in enumerate(sizes)
    ]
    return dask.array.concatenate(parts)


def _count(pixels: int) -> int:
    return -(-pixels // BLOCK)


def _block(number: int, size: int) -> NDArray[np.float32]:
    """Costs of a block: those of the first, its classes dearer or cheaper by what its number says."""
    lift = np.random.default_rng(number).normal(scale=0.3, size=CLASSES).astype(np.float32)
    return _first()[:size] + lift


@cache
def _first() -> NDArray[np.float32]:
    dice = np.random.default_rng(0)
    truth = dice.choice(CLASSES, size=BLOCK, p=SHARES)
    scores = 1.5 * dice.standard_normal((BLOCK, CLASSES), np.float32)
    scores[np.arange(BLOCK), truth] += 3
    found: NDArray[np.float32] = -log_softmax(scores, axis=1)
    return found


def _touched(number: int) -> float:
    return float(_block(number, BLOCK)[0, 0])


def _timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _bandwidth() -> float:
    """GB/s that all workers together read, of sums over what no cache holds."""
    values = np.ones(2**27, np.float32)
    halves = np.array_split(values, WORKERS)
    with dask.config.set(scheduler="threads", num_workers=WORKERS):
        best = min(
            _timed(lambda: compute(*(delayed(np.add.reduce)(half) for half in halves)))
            for _ in range(5)
        )
    return values.nbytes / best / 1e9


def _resident() -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return 1024 * int(found[1])


if __name__ == "__main__":
    torch.set_num_threads(1)  # blocks run side by side
    main()
