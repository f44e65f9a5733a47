"""Do time a scene and memory stay the same as scenes are added? The front of the chain at full size.

`python -m benchmarks.front [N ...]` (default 1 4 16) writes N scenes like WHU-OPT-SAR's, runs the stages up
to `split` as dvc.yaml has them, each a process of its own, and prints a JSON object: seconds a scene
without the start of the processes, which is timed apart, and peak memory by N, by stage too, and the
spread of each; of three rounds, each stage's best. Needs about 0.6 GB of disk a scene, given back.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dllr.files import WORK

ROOT = Path(__file__).parents[1]
ROUNDS = 3
STAGES = ("scenes", "coregister", "tile", "split")
DISK = 0.6e9  # bytes a scene, of files, products and arrays
SET = "whu_opt_sar"


def main(numbers: list[int]) -> None:
    words = _commands()
    work = WORK / "bench"
    work.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(work).free) < DISK * max(numbers):
        sys.exit(f"{free / 1e9:.0f} GB are free; {DISK * max(numbers) / 1e9:.0f} GB are needed")
    starts: list[Figures] = []
    rounds: dict[int, list[Figures]] = {number: [] for number in numbers}
    for _ in range(
        ROUNDS
    ):  # the machine's other users come and go: each number gets its share of them
        starts.append(_starts(words, work))
        for number in numbers:
            rounds[number].append(_front(words, work, number))
            print(json.dumps({number: rounds[number][-1]}), file=sys.stderr, flush=True)
    found = {number: _best(of) for number, of in rounds.items()}
    start = {key: sum(s[key] for s in _best(starts).values()) for key in ("seconds", "cpu_seconds")}
    seconds, cpu = (
        {n: round((sum(s[k] for s in f.values()) - start[k]) / n, 2) for n, f in found.items()}
        for k in start
    )
    peak = {n: max(s["MB"] for s in stages.values()) for n, stages in found.items()}
    print(
        json.dumps(
            {
                "start_seconds": round(start["seconds"], 2),
                "seconds_a_scene": seconds,
                "cpu_seconds_a_scene": cpu,
                "spread": _spread(seconds),
                "cpu_spread": _spread(cpu),
                "MB": peak,
                "MB_spread": _spread(peak),
                "stages": found,
            }
        )
    )


Figures = dict[str, dict[str, float]]  # by stage


def _front(words: dict[str, list[str]], work: Path, scenes: int) -> Figures:
    """The stages over this many scenes, from nothing."""
    with tempfile.TemporaryDirectory(dir=work) as name:
        project = _project(Path(name).absolute(), scenes)
        return {stage: _timed(words[stage], project) for stage in STAGES}


def _starts(words: dict[str, list[str]], work: Path) -> Figures:
    """The same processes without work."""
    return {stage: _timed([*words[stage], "--help"], work) for stage in STAGES}


def _best(rounds: list[Figures]) -> Figures:
    """Each stage's round that other users of the machine disturbed least; the largest of the memory."""
    found: Figures = {}
    for stage in STAGES:
        of = [figures[stage] for figures in rounds]
        least = min(of, key=lambda figures: figures["seconds"])
        found[stage] = {**least, "MB": max(figures["MB"] for figures in of)}
    return found


def _spread(values: dict[int, float]) -> float:
    """Largest over smallest."""
    return round(max(values.values()) / min(values.values()), 3)


def _commands() -> dict[str, list[str]]:
    """Words of each stage's command line, with the variables of dvc.yaml put in."""
    text = YAML(typ="safe").load(ROOT / "dvc.yaml")
    variables: dict[str, Any] = {}
    for part in text["vars"]:
        variables |= part

    def value(match: re.Match[str]) -> str:
        here: Any = variables
        for key in match[1].split("."):
            here = here[key]
        return str(here)

    return {s: shlex.split(re.sub(r"\$\{(.+?)\}", value, text["stages"][s]["cmd"])) for s in STAGES}


def _project(folder: Path, scenes: int) -> Path:
    """A project folder whose params are those of the set; its scenes are written by another process."""
    shutil.copytree(ROOT / "params", folder / "params")
    data = folder / "data" / SET
    subprocess.run([sys.executable, "-m", "benchmarks._sheets", data, str(scenes)], check=True)
    subprocess.run(
        [sys.executable, "-m", "dllr", "params", "use", SET],
        cwd=folder,
        env=_env(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    params["scenes"]["root"] = data.relative_to(folder).as_posix()
    # One scene cannot be dealt out whole, and holds no more windows of the budget than these.
    params["split"] |= {"by": "block", "group": None, "labelled_tiles": 32}
    params["scenes"]["list"] = "params/lists/everything.csv"
    yaml.dump(params, folder / "params.yaml")
    return folder


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "DLLR_TRACK": "0"}


def _timed(words: list[str], project: Path) -> dict[str, float]:
    """Wall and CPU seconds of a stage run in a folder, and the largest resident set of its process."""
    command = [sys.executable, "-m", *words]
    start, peak = time.perf_counter(), 0
    log = project / "log.txt"
    with log.open("w") as sink:
        process = subprocess.Popen(command, cwd=project, env=_env(), stdout=sink, stderr=sink)
        while True:
            # The kernel keeps the maximum of this process; the rusage of a child counts its parent's too.
            peak = max(peak, _resident(process.pid))
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            time.sleep(0.02)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        sys.exit(f"{shlex.join(words)} failed:\n{log.read_text()[-2000:]}")
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "MB": round(peak / 1024),
    }


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [1, 4, 16])
