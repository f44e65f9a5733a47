"""What does a simulated country cost? Seconds and peak memory of the stage `demo`, by size of the scenes.

`python -m benchmarks.simulate` writes 8 scenes of 1024² and one of 4096², each country in a process of its
own, and prints wall seconds, CPU seconds a megapixel and peak resident memory as JSON; `--size N` adds one
scene of N². What importing the package alone takes is told beside it. Memory has to stay flat: a scene is
made in windows, and only its plan, of at most about a megapixel, lies in memory whole.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

from dllr.params.demo import Country
from dllr.params.load import load
from dllr.stages.demo import run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", type=int, help="px, side of one more scene, say 8192")
    more = parser.parse_args().size
    country = load().demo["country"]
    asked = {"8 of 1024²": (1024, 8), "1 of 4096²": (4096, 1)}
    if more:
        asked[f"1 of {more}²"] = (more, 1)
    figures = {"nothing": _measured(None, 0)}
    for name, (size, scenes) in asked.items():
        figures[name] = _measured(
            country.model_copy(update={"size": size, "scenes": scenes}), scenes
        )
    print(json.dumps(figures, ensure_ascii=False))


def _measured(country: Country | None, scenes: int) -> dict[str, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_simulate, (country, scenes))


def _simulate(country: Country | None, scenes: int) -> dict[str, float]:
    start, before = time.perf_counter(), time.process_time()
    if country:
        with tempfile.TemporaryDirectory() as folder:
            run(out=Path(folder) / "country", demo={"country": country})
    wall, cpu = time.perf_counter() - start, time.process_time() - before
    pixels = scenes * country.size**2 / 1e6 if country else 1.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "wall_s": round(wall, 1),
        "cpu_s_a_megapixel": round(cpu / pixels, 2),
        "peak_mib": round(peak),
    }


if __name__ == "__main__":
    main()
