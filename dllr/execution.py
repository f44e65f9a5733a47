"""How a stage runs on this machine: threads and device. Facts of execution, never parameters."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dllr.errors import TrainingError

if TYPE_CHECKING:
    import torch

# As the rules in workflow/ have it: both entry points then add up numbers in the same order.
MOST = 8


def threads() -> int:
    """Threads a stage may use: DLLR_THREADS (set by the workflow), else its cores, at most MOST."""
    told = os.environ.get("DLLR_THREADS", "")
    return (
        int(told) if told.isdigit() and int(told) > 0 else min(MOST, len(os.sched_getaffinity(0)))
    )


def processes() -> int:
    """Processes that share a training: DLLR_PROCESSES (the workflow sets it to a rule's GPUs), else 1."""
    told = os.environ.get("DLLR_PROCESSES", "")
    return int(told) if told.isdigit() and int(told) > 0 else 1


def device() -> "torch.device":
    """Device networks run on: DLLR_DEVICE, else the GPU where there is one, else the CPU.

    Of several processes that torchrun started each takes the GPU of its number.

    On the CPU all threads of the stage go to torch, and its algorithms are deterministic.

    Raises:
        TrainingError: DLLR_DEVICE names another kind of device, or a GPU where torch sees none.
    """
    import torch

    torch.set_num_threads(threads())
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Nothing here reads memory that was never written; filling it first would cost a tenth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    name = os.environ.get("DLLR_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise TrainingError(f"DLLR_DEVICE is {name!r}; expected cpu, cuda or cuda:1")
    seen = torch.cuda.device_count()
    if kind == "cuda" and int(number or 0) >= seen:
        raise TrainingError(
            f"DLLR_DEVICE is {name!r}, and torch {torch.__version__} sees {seen} GPUs; "
            "leave it unset, or install a build of torch for your GPU"
        )
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(torch.device(name))
    return torch.device(name)


@contextmanager
def one_thread_here() -> Iterator[None]:
    """The same in a process whose other tasks are scenes too, a worker's: nothing is put back."""
    import rasterio

    with rasterio.Env(GDAL_NUM_THREADS="1"):
        yield


@contextmanager
def one_thread_each() -> Iterator[None]:
    """While scenes run side by side, each takes one thread: GDAL must not multiply them."""
    import rasterio

    with rasterio.Env(GDAL_NUM_THREADS="1"):
        yield
