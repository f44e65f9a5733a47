"""What stages cost when they last ran here: facts of execution, beside the results and never among them.

`.dllr/costs/<stage>.json`, by DVC's name of the stage. What DVC took from its cache has none.
"""

import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from dllr.files import WORK, read_json, write_json

FOLDER = WORK / "costs"
_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of the system's peak memory


class Cost(NamedTuple):
    """Time passed and time of all cores (s), and the most memory that one process held (bytes)."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


@contextmanager
def measured(stage: str) -> Iterator[None]:
    """Write down what the block costs if it ends well. Of several processes the first one writes, for
    itself and those it started."""
    began, used = time.monotonic(), _used()
    yield
    if int(os.environ.get("RANK", "0")) == 0:
        cost = Cost(time.monotonic() - began, _used() - used, _peak())
        write_json(FOLDER / f"{stage}.json", cost._asdict())


def known(order: Sequence[str], root: Path = Path()) -> dict[str, Cost]:
    """By stage, what was written down in a project's folder; in the order of the stages' names in `order`,
    and of those with the same name by what follows its `@`."""
    found = {path.stem: Cost(**read_json(path)) for path in sorted((root / FOLDER).glob("*.json"))}
    there = [name for name in found if name.partition("@")[0] in order]
    there.sort(key=lambda name: order.index(name.partition("@")[0]))
    return {name: found[name] for name in there}


def _used() -> float:
    """CPU time of this process and of those that it started and that ended (s)."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _peak() -> int:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return _UNIT * max(usage.ru_maxrss for usage in both)
