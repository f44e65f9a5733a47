"""What stages cost when they last ran here: facts of execution, beside the results and never among them.

`.dllr/costs/<stage>.json`, by DVC's name of the stage. What DVC took from its cache has none, nor has a
stage that went on where it was stopped: what was spent before is not known.
"""

import os
import platform
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from dllr.files import WORK, digest, read_json, write_json

FOLDER = WORK / "costs"
_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of the system's peak memory


def key_of(sections: Mapping[str, Any], names: Iterable[str]) -> str:
    """Key of what a stage was told: those sections of params.yaml, as JSON values, that it reads."""
    return digest([[name, sections[name]] for name in sorted(names) if name in sections])


class Cost(NamedTuple):
    """Time passed and time of all cores (s), the most memory that one process held (bytes), the machine and
    its GPU in words; of stages that need none no GPU is told.

    key: see `key_of`.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    key: str
    machine: str = ""  # of costs that were written down before it was
    gpu: str = ""


@contextmanager
def measured(stage: str, key: str) -> Iterator[None]:
    """Write down what the block costs, with the processes that it starts, if it ends well. A process that
    torchrun started writes nothing: who started torchrun does."""
    if "RANK" in os.environ:
        yield
        return
    path, begun = FOLDER / f"{stage}.json", FOLDER / f"{stage}.begun"
    stopped = begun.exists()
    path.unlink(missing_ok=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    begun.touch()
    start, used = time.monotonic(), _used()
    yield
    if not stopped:
        cost = Cost(time.monotonic() - start, _used() - used, _peak(), key, machine(), gpu())
        write_json(path, cost._asdict())
    begun.unlink()


def machine() -> str:
    """System, cores, and Python: what numbers and times depend on, beside the versions of packages."""
    place = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"{place}, Python {platform.python_version()}"


def gpu() -> str:
    """Its name, where a stage has one; empty for stages that do not load torch, which takes its time."""
    torch = sys.modules.get("torch")
    return str(torch.cuda.get_device_name()) if torch and torch.cuda.is_available() else ""


def known(root: Path = Path()) -> dict[str, Cost]:
    """By stage, what was written down in a project's folder."""
    return {path.stem: Cost(**read_json(path)) for path in sorted((root / FOLDER).glob("*.json"))}


def of(
    root: Path, values: Mapping[str, Any], reads: Mapping[str, Iterable[str]]
) -> dict[str, Cost]:
    """By stage, of those that ran in this folder with these values.

    values: sections of params.yaml, as JSON values. reads: by stage, the names of those that it reads.
    """
    return {
        name: cost
        for name, cost in known(root).items()
        if name in reads and cost.key == key_of(values, reads[name])
    }


def _used() -> float:
    """CPU time of this process and of those that it started and that ended (s)."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _peak() -> int:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return _UNIT * max(usage.ru_maxrss for usage in both)
