"""Posting while stages run, from a process of its own that can fail without anybody noticing.

The stage starts the follower and forgets it: no waiting, no output, no shared pipe. The follower
reads the growing history.csv, posts what is new, and ends soon after the stage's process. When DVC
has recorded the stage it posts everything; when DVC went without recording it, the run is killed.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil

from dllr.errors import TrackingError
from dllr.tracking.identity import (
    Stage,
    State,
    planned_stages,
    recorded_stages,
    state_of,
)
from dllr.tracking.metrics import SYSTEM, Point, history_points
from dllr.tracking.post import post
from dllr.tracking.store import Store
from dllr.tracking.view import data_name, stage_view, state_view

POLL = 2.0  # s between looks at the history
SAMPLE = 10.0  # s between looks at what its processes use
AWAY = 30.0  # s before a store that failed is tried again
RECORDING = 600.0  # s that DVC may take to hash, cache and record the outputs of a stage
SHELLS = {"sh", "bash", "dash", "zsh", "fish", "ksh"}


def watch(stage: str, history: Path) -> None:
    """Follow a training stage of this process: its history shows in MLflow while it grows.

    Returns at once and never raises.

    Args:
        stage: as DVC calls it, `train_round@1`.
        history: the history.csv that the training appends to; it may come later.
    """
    _start("watch", stage, str(history.resolve()))


def post_when_done(stage: str) -> None:
    """Post everything as soon as DVC has recorded this process's stage; returns at once."""
    _start("finish", stage, "")


def _start(task: str, stage: str, history: str) -> None:
    if os.environ.get("DLLR_TRACK") == "0":
        return
    try:
        root = Path(os.environ.get("DVC_ROOT", ".")).resolve()
        own = psutil.Process()
        runner = next((p for p in own.parents() if p.name() not in SHELLS), own)
        name = stage.rpartition(":")[2]  # DVC says `../dvc.yaml:warmup` when run from a subfolder
        command = [sys.executable, "-m", "dllr.tracking", task, name, history]
        command += [str(root), str(Life.of(own)), str(Life.of(runner))]
        # Through a shell that ends at once: the follower is nobody's child, so never a zombie.
        subprocess.run(
            ["sh", "-c", 'nice -n 10 "$@" &', "sh", *command],
            cwd=root,
            env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
    except (OSError, psutil.Error):
        pass  # `dllr track` posts it later


@dataclass(frozen=True)
class Life:
    """A process, told from a later one with the same number by the time it started."""

    pid: int
    started: float

    @classmethod
    def of(cls, process: psutil.Process) -> "Life":
        return cls(process.pid, process.create_time())

    @classmethod
    def parse(cls, text: str) -> "Life":
        pid, started = text.split("@")
        return cls(int(pid), float(started))

    def __str__(self) -> str:
        return f"{self.pid}@{self.started!r}"

    def lasts(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 0.5
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False


def observe(task: str, stage: str, history: str, root: str, process: str, runner: str) -> None:
    """What the detached process does; its failures go to `.dllr/tracking.log`."""
    follower = Follower(Path(root), stage, Life.parse(process), Life.parse(runner))
    if task == "watch":
        follower.follow(Path(history))
    follower.finish()


@dataclass
class Follower:
    """One stage of a project: `stage` as DVC calls it, run by `process`, which `runner` started."""

    root: Path
    stage: str
    process: Life
    runner: Life
    _sampled: tuple[float, float] | None = None  # when, and the CPU time that was spent by then

    def follow(self, history: Path) -> None:
        """Post the rows of `history` as they come, until the stage's process is gone."""
        again, lasts = 0.0, True
        while lasts:
            lasts = self.process.lasts()
            if time.monotonic() >= again and not self._try(lambda: self._send(history)):
                again = time.monotonic() + AWAY
            if lasts:
                time.sleep(POLL)

    def finish(self) -> None:
        """Post everything once DVC has recorded the stage; if it never will, say so."""
        until = time.monotonic() + RECORDING
        runs = True
        while runs and time.monotonic() < until:
            runs = self.process.lasts() or self.runner.lasts()
            if not self.process.lasts() and self._try(self._recorded):
                self._try(lambda: bool(post(self.root)))
                return
            if runs:
                time.sleep(POLL / 4)
        self._try(self._kill)

    @cached_property
    def _identity(self) -> tuple[State, Stage, dict[str, Stage]]:
        """Of the stage that runs: what the sources were when it was looked at first."""
        planned = planned_stages(self.root)
        state = state_of(planned.values())
        if state is None:
            raise TrackingError("the sources changed while they were read")
        return state, planned[self.stage], planned

    @cached_property
    def _store(self) -> Store:
        return Store(self.root)

    @cached_property
    def _run(self) -> tuple[str, str]:
        """Experiment and run of the stage, shown as running."""
        state, stage, planned = self._identity
        whole = state_view(self.root, state, {})
        own = stage_view(self.root, state, stage, {}, planned)
        whole.started = own.started = self.process.started
        with self._store.writing():
            experiment = self._store.experiment(data_name(state))
            self._store.settle(experiment)
            known = self._store.runs(experiment, state.key)
            self._store.put(experiment, whole, known, status="RUNNING")
            self._store.put(experiment, own, known, parent=whole, status="RUNNING")
            run_id = known[own.key].info.run_id
            self._store.follow(run_id, [])  # a sign of life, before others look for one
        return experiment, run_id

    def _send(self, history: Path) -> bool:
        _ = self._identity  # taken first, and once: a store that is away does not put it off
        _, run_id = self._run
        self._store.follow(run_id, history_points(history) + self._use())
        return True

    def _use(self) -> list[Point]:
        """What the followed process used, with those that it started, since it was looked at last, every
        SAMPLE seconds. Of several that share a training it is the first."""
        now = time.time()
        last, spent = self._sampled or (self.process.started, 0.0)
        if self._sampled and now - last < SAMPLE:
            return []
        seconds = memory = 0.0
        try:
            own = psutil.Process(self.process.pid)
            for process in (own, *own.children(recursive=True)):
                times = process.cpu_times()
                seconds += times.user + times.system
                memory += process.memory_info().rss
        except psutil.Error:  # it has just ended
            return []
        self._sampled = now, seconds
        step = round(now - self.process.started)
        share = max(0.0, seconds - spent) / max(now - last, 1e-3)
        return [
            Point(f"{SYSTEM}/process_cpu_percentage", 100 * share, step),
            Point(f"{SYSTEM}/process_memory_megabytes", memory / 1e6, step),
        ]

    def _recorded(self) -> bool:
        """Whether dvc.lock has the stage as it ran."""
        entry = recorded_stages(self.root).get(self.stage)
        return entry is not None and entry.key == self._identity[1].key

    def _kill(self) -> bool:
        if "_run" in self.__dict__:
            experiment, run_id = self._run
            self._store.kill(run_id)
            self._store.settle(experiment)
        return True

    def _try(self, step: Callable[[], bool]) -> bool:
        """`step`, or False after a line in the log: whoever observes may fail in any way."""
        try:
            return step()
        except Exception as error:
            log = self.root / ".dllr" / "tracking.log"
            with contextlib.suppress(OSError), log.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%F %T')} {self.stage}: {error!r}\n")
            return False
