"""What does a round's reassignment cost beside the teacher's inference on the same pixels?

`python -m benchmarks.relabelling [FOLDER]` takes a project, or a cell of a study, whose warm-up is made
(none = this one), and runs the stage `pseudo_label` of round 1 once more, superpixels apart, into a folder
that is given back. Printed are wall and CPU seconds of the teacher's forward passes with their blending; of
the transport, that is solving for all training pixels and writing their labels; of the ledger and the
sensitivity, which compare rules on a sample; and of the whole stage, with the pixels, and the passes that
the solver made over them.
"""

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dllr.files import WORK, read_json
from dllr.params.load import load
from dllr.raster.products import SUMMARY
from dllr.stages import pseudo_label, teaching

RESULTS = Path("results")


class Clock:
    """Wall and CPU seconds inside some functions, by name."""

    def __init__(self) -> None:
        self.spent: dict[str, dict[str, float]] = {}

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        start, cpu = time.perf_counter(), time.process_time()
        yield
        spent = self.spent.setdefault(name, {"seconds": 0.0, "cpu_seconds": 0.0})
        spent["seconds"] += time.perf_counter() - start
        spent["cpu_seconds"] += time.process_time() - cpu

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            with self.running(name):
                return function(*given, **named)

        return timed

    def along(self, name: str, function: Callable[..., Iterator[Any]]) -> Callable[..., Any]:
        """What a generator does between two things that it gives."""

        def timed(*given: Any, **named: Any) -> Iterator[Any]:
            every, end = function(*given, **named), object()
            while True:
                with self.running(name):
                    found = next(every, end)
                if found is end:
                    return
                yield found

        return timed


def main(folder: Path) -> None:
    with contextlib.chdir(folder):
        print(json.dumps(_measured()))


def _measured() -> dict[str, Any]:
    clock, sections = Clock(), load()
    pseudo_label._solution = clock.around("transport", pseudo_label._solution)
    pseudo_label.over_scenes = clock.around("transport", pseudo_label.over_scenes)
    pseudo_label.judged = clock.around("ledger", pseudo_label.judged)
    pseudo_label.sensitivity = clock.around("ledger", pseudo_label.sensitivity)
    teaching.logits = clock.along("inference", teaching.logits)
    WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as scratch, clock.running("stage"):
        # Not the stage's own folder: what an interrupted run has finished there stays.
        pseudo_label.work_dir = lambda *_: Path(scratch) / "work"
        out = Path(scratch) / "1"
        pseudo_label.run(
            coregistered=RESULTS / "coregistered", superpixels=RESULTS / "superpixels",
            split=RESULTS / "split", teacher=RESULTS / "rounds/0", out=out, round=1,
            rounds=sections.rounds,
            pseudo_label=sections.pseudo_label.model_copy(update={"regions": 0.0}),
        )  # fmt: skip
        summary = read_json(out / SUMMARY)
    rounded = {
        name: {unit: round(value, 2) for unit, value in spent.items()}
        for name, spent in clock.spent.items()
    }
    share = clock.spent["transport"]["seconds"] / clock.spent["inference"]["seconds"]
    return {
        "pixels": summary["pixels"],
        "passes": summary["passes"],
        **rounded,
        "transport_by_inference": round(share, 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="none = this one")
    main(parser.parse_args().folder)
