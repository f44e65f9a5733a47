"""`python -m stages NAME INPUT ... OUTPUT` runs one stage and leaves a line in runs.log.

What a test asks of the stages it starts stands in the environment: TOY_HANG=STAGE makes that stage
stop for good, its output half written; TOY_MEET=STAGE,STAGE makes each of these stages wait until
the others have started, which they only do where they run side by side.
"""

import importlib
import os
import sys
import time
from pathlib import Path

RUNS = Path("runs.log")
PATIENCE = 60.0  # s


def main(name: str, *paths: str) -> None:
    stage = os.environ["DVC_STAGE"]
    with RUNS.open("a", encoding="utf-8") as file:
        file.write(f"{stage} threads={os.environ.get('DLLR_THREADS')}\n")
    *inputs, out = (Path(path) for path in paths)
    out.parent.mkdir(parents=True, exist_ok=True)
    if os.environ.get("TOY_HANG") == stage:
        out.mkdir()
        (out / "half").touch()
        Path("hanging").touch()
        time.sleep(PATIENCE)
    if stage in (meeting := os.environ.get("TOY_MEET", "").split(",")):
        meet(set(meeting))
    importlib.import_module(f"stages.{name}").run(*inputs, out)


def meet(expected: set[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not expected <= set(RUNS.read_text(encoding="utf-8").split()):
        if time.monotonic() > deadline:
            sys.exit(f"waited {PATIENCE:.0f} s for {expected} to start")
        time.sleep(0.05)


main(*sys.argv[1:])
