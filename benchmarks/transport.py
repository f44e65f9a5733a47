"""What does the transport of pixels to classes cost? Ours beside POT, at the same error, on one thread.

`python -m benchmarks.transport` solves 2²⁰ pixels × 7 classes with equal columns to an L1 error of 1e-6,
the plan written, and prints CPU seconds, passes, error and extra peak memory (in N × K × 4 bytes) for each
ε, with what a pass needs at least at the memory's bandwidth. Every solve has a process of its own, and a
peer is given up after PATIENCE. `--pixels N` takes another number of pixels.
"""

import argparse
import ctypes
import json
import multiprocessing
import os
import re
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dllr.transport import newton
from dllr.transport.data import Dense
from dllr.transport.problem import Problem

CLASSES, ERROR, PATIENCE = 7, 1e-6, 120.0  # PATIENCE: s
SHARES = np.array([0.35, 0.25, 0.15, 0.12, 0.08, 0.04, 0.01])
PEERS = ("sinkhorn", "sinkhorn_stabilized", "sinkhorn_log")
# Where POT's own error, a Euclidean one, must stop for the L1 error to be reached.
STOP = ERROR / CLASSES**0.5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pixels", type=int, default=2**20)
    parser.add_argument("--alone", action="store_true", help="without the peers")
    given = parser.parse_args()
    pixels = given.pixels
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # of the processes that follow
    figures: dict[str, Any] = {"pixels": pixels, "bandwidth_gb_s": _alone(_bandwidth)}
    moved = pixels * (CLASSES + 2) * 4
    figures["least_pass_ms"] = round(moved / figures["bandwidth_gb_s"] / 1e6, 1)
    for epsilon in (1.0, 0.5, 0.05, 0.005):
        ours = _alone(_ours, pixels, epsilon)
        row: dict[str, Any] = {"ours": ours}
        if epsilon >= 0.05 and not given.alone:  # below, none of POT's reaches the error in an hour
            row |= {name: _alone(_peer, name, pixels, epsilon) for name in PEERS}
            done = [row[name] for name in PEERS if row[name] is not None]
            reached = [peer["cpu_s"] for peer in done if peer["error"] <= ERROR]
            row["fastest_peer_over_ours"] = (
                round(min(reached) / ours["cpu_s"], 1) if reached else None
            )
        figures[f"epsilon {epsilon}"] = row
        print(f"epsilon {epsilon}: {row}", file=sys.stderr, flush=True)
    print(json.dumps(figures))


def _alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """What `work` finds in a process of its own; None where it takes too long."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        try:
            return pool.apply_async(work, arguments).get(PATIENCE)
        except multiprocessing.TimeoutError:
            return None


def _problem(pixels: int) -> Tensor:
    """Costs of a classifier that is biased towards some classes."""
    torch.set_num_threads(1)
    dice = torch.Generator().manual_seed(0)
    truth = torch.multinomial(torch.from_numpy(SHARES), pixels, replacement=True, generator=dice)
    scores = 1.5 * torch.randn(pixels, CLASSES, generator=dice)
    scores[torch.arange(pixels), truth] += 3.0
    return -torch.log_softmax(scores + torch.randn(CLASSES, generator=dice), 1)


def _ours(pixels: int, epsilon: float) -> dict[str, Any]:
    cost = _problem(pixels)
    newton.solve(Dense(cost[:1000]), Problem(SHARES, epsilon))  # what is made at the first call
    before, start = _memory(), time.process_time()
    data = Dense(cost)
    found = newton.solve(data, Problem(SHARES, epsilon), tolerance=ERROR)
    plan = data.plan(found.potentials, epsilon)
    seconds, extra = time.process_time() - start, _memory(peak=True) - before
    error = np.abs(plan.mean(0, dtype=torch.float64).numpy() - SHARES).sum()
    return {
        "cpu_s": round(seconds, 4), "passes": found.passes, "error": float(f"{error:.1e}"),
        "extra_memory": round(extra / (pixels * CLASSES * 4), 2),
    }  # fmt: skip


def _peer(name: str, pixels: int, epsilon: float) -> dict[str, Any]:
    import ot

    cost = _problem(pixels).double()
    cost -= cost.amin(1, keepdim=True)
    mass = torch.full((pixels,), 1 / pixels, dtype=torch.float64)
    shares = torch.from_numpy(SHARES)
    before, start = _memory(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = ot.sinkhorn(mass, shares, cost, epsilon, method=name, numItermax=2000, stopThr=STOP)
    seconds, extra = time.process_time() - start, _memory(peak=True) - before
    error = float((plan.sum(0) - shares).abs().sum() + (plan.sum(1) - mass).abs().sum())
    return {
        "cpu_s": round(seconds, 3), "error": float(f"{error:.1e}"),
        "extra_memory": round(extra / (pixels * CLASSES * 4), 2),
    }  # fmt: skip


def _bandwidth() -> float:
    """GB/s that one thread reads, of a sum over what no cache holds."""
    torch.set_num_threads(1)
    values = torch.ones(2**27)
    best = min(_timed(values.sum) for _ in range(5))
    return round(values.numel() * 4 / best / 1e9, 1)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _memory(peak: bool = False) -> int:
    """Resident bytes of this process now, its peak begun anew; or that peak."""
    if not peak:
        ctypes.CDLL(None).malloc_trim(0)  # what was freed before is no longer counted
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"{'VmHWM' if peak else 'VmRSS'}:\s+(\d+)", status)
    assert found is not None
    return 1024 * int(found[1])


if __name__ == "__main__":
    main()
