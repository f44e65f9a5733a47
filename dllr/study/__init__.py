"""Studies: many cells (parameter values × seeds) through the same stages, gathered in one table.

A cell is a git worktree of the last commit in studies/cells/<study>/<cell>/ with its own params.yaml;
`dvc repro` makes it as it makes the project, up to its scores: no maps, no report. What is finished is
DVC's to say, so a study that was stopped goes on where it was. A cell that the table has, made by the
same parameters and code, is not made again, be it on another machine: what was committed of a table in
one sitting is there in the next.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from dllr.errors import StudyError
from dllr.execution import threads
from dllr.files import WORK, file_digest
from dllr.study import description, page, results, schedule, sections, worktree
from dllr.study.description import Cell, Study

CELLS = Path("studies/cells")
RESULTS = Path("studies/results")

log = logging.getLogger(__name__)


def run(file: Path, root: Path, tier: str | None = None) -> str:
    """Run the cells of a study that are not finished, and write its tables and its page.

    Args:
        file: a file of studies/; see `dllr.study.description.Study`.
        root: the project's folder, which is the working folder.
        tier: of the study's sizes, where the file has any; None: the first.

    Returns:
        what to tell the user. The page is studies/results/<study>.md and .html, of a tier
        <study>_<tier>; the tables lie beside it as *.csv.

    Raises:
        ParamsError, StudyError: before anything runs, if the description, a cell's parameters or
            the state of the repository do not allow it; at the end, with the tables written, if
            cells failed.
    """
    root = root.resolve()
    name, study = description.read(file, tier)
    cells = description.cells(study, file, root)
    revision = worktree.commit(root)
    place = root / CELLS / name
    place.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(place / ".lock", timeout=0):
            return _Sitting(study, cells, root, place, revision).run()
    except Timeout:
        raise StudyError(f"{file} is being run already; wait for its end") from None


class _Sitting:
    """One run of a study: what its table lacks is made, and is written down cell by cell."""

    def __init__(
        self, study: Study, cells: list[Cell], root: Path, place: Path, revision: str
    ) -> None:
        self.study, self.cells, self.place, self.revision = study, cells, place, revision
        self.root, self.page = root, root / RESULTS / f"{place.name}.md"
        self.writing = threading.Lock()
        self.environment = _environment(root, place.name, study.jobs)
        cache = worktree.cache_dir(root)
        self.states = {}
        for cell in cells:
            folder = place / cell.name
            with worktree.alone(folder):
                worktree.settle(root, folder, revision, cell.params, cache)
                self.states[cell.name] = schedule.ask_dvc(folder, results.SCORED, root)
        recipes = {name: state.recipe for name, state in self.states.items()}
        self.rows = results.kept(self.page.with_suffix(".csv"), recipes)
        for cell in cells:
            if not self.states[cell.name].current:
                continue
            if cell.name not in self.rows:
                self._finish(cell)
            elif (place / cell.name / WORK).exists():  # stopped after its row was written
                self._show(cell)

    def run(self) -> str:
        todo = {n: state.recipes for n, state in self.states.items() if n not in self.rows}
        log.info("%d cells, %d of them finished before", len(self.cells), len(self.rows))
        tasks = schedule.tasks(todo)

        def work(sharers: schedule.Sharers) -> str:
            cell = next(cell for cell in self.cells if cell.name in sharers)
            if len(sharers) > 1:
                stages = tasks[sharers]
                log.info("%s, for %d cells: %s", cell.name, len(sharers), " ".join(stages))
                return _repro(self.place / cell.name, stages, self.environment)
            problem = _repro(
                self.place / cell.name, [self.states[cell.name].last], self.environment
            )
            log.info("%s %s", "FAILED" if problem else "finished", cell.name)
            if not problem:
                self._finish(cell)
            return problem

        failed = schedule.run(tasks, work, self.study.jobs)
        return self._end({n: failed[key] for n in todo if (key := frozenset([n])) in failed})

    def _finish(self, cell: Cell) -> None:
        """Write down what a cell made, show it in MLflow, and free what it needs no more."""
        self._gather(cell)
        self._write({})
        self._show(cell)

    def _show(self, cell: Cell) -> None:
        """In MLflow; with that a cell is done, and what it needs no more goes."""
        folder = self.place / cell.name
        _post(folder, self.states[cell.name].last, self.environment)
        worktree.tidy(folder)

    def _gather(self, cell: Cell) -> None:
        recipe = self.states[cell.name].recipe
        found = results.gathered(cell, self.place / cell.name, recipe, self.revision)
        with self.writing:
            self.rows[cell.name] = found

    def _write(self, failed: Mapping[str, str]) -> str:
        """The tables of what there is, and the page about them; returns the page's table of scores."""
        with self.writing:
            if not self.rows:
                return ""
            path = self.page.with_suffix(".csv")
            results.write(path, self.cells, self.rows)
            made = results.read(path, [*self.study.varied, *self.study.seeds])
            said = sections.sections(self.study, made, results.read_scenes(path))
            page.write(self.page, self.page.stem, self._lead(made, path, failed), said)
            (scores,) = (section.table for section in said if section.name == "scores")
            return "\n".join(page.rows(scores)) if scores else ""

    def _lead(self, made: pd.DataFrame, path: Path, failed: Mapping[str, str]) -> str:
        """What was run, and where every number comes from."""
        commits = " and ".join(f"`{commit}`" for commit in made["commit"].unique())
        words = [
            f"Parameter set `{self.study.set}` at commit {commits}: {made['cell'].nunique()} of "
            f"{len(self.cells)} cells finished. Everything here is made of `{path.name}` (SHA-256 "
            f"`{file_digest(path)[:16]}`), which names for each number the cell, its commit and the digest "
            f"of its dvc.lock, and of the test scenes' counts in `{results.scenes_beside(path).name}`.",
            *(f"Cell `{name}` failed." for name in failed),
        ]
        return " ".join(words)

    def _end(self, failed: Mapping[str, str]) -> str:
        table = self._write(failed)
        page = self.page.relative_to(self.root)
        written = f"{page} and {page.stem}.csv" if table else "no table yet"
        if failed:
            lines = [f"  {name}: {problem}" for name, problem in failed.items()]
            raise StudyError(
                f"{len(failed)} of {len(self.cells)} cells failed; the others: {written}. Mend the "
                "cause and run the study again, what is finished stays:\n" + "\n".join(lines)
            )
        return f"{table}\n\n{len(self.cells)} cells in {written}"


def _repro(folder: Path, stages: list[str], environment: Mapping[str, str]) -> str:
    """`dvc repro` of the stages in a cell; returns what went wrong."""
    command = [str(Path(sys.executable).with_name("dvc")), "repro", *stages]
    return f"see {worktree.log_of(folder)}" if _run(command, folder, environment) else ""


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> int:
    """Run a command in a cell, by the cell's own code; returns its exit status."""
    paths = os.pathsep.join([str(folder), *filter(None, [environment.get("PYTHONPATH")])])
    with worktree.alone(folder) as output:
        done = subprocess.run(
            command,
            cwd=folder,
            # The cell's own code: an installed package is the project's, which may be edited since.
            env={**environment, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return done.returncode


def _post(folder: Path, last: str, environment: Mapping[str, str]) -> None:
    """Show a cell in MLflow, beside the others of its study. `last`: its last stage."""
    if environment.get("DLLR_TRACK") != "0":
        command = [sys.executable, "-m", "dllr", "track", "--until", last]
        if _run(command, folder, environment):
            log.warning("%s is not in MLflow: see %s", folder.name, worktree.log_of(folder))


def _environment(root: Path, name: str, jobs: int) -> dict[str, str]:
    """The same for all cells: with another number of threads, sums differ in their last digits."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    store = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"
    return os.environ | {
        "PATH": programs,
        "DLLR_THREADS": str(max(1, threads() // jobs)),
        "MLFLOW_TRACKING_URI": store,
        "MLFLOW_EXPERIMENT_NAME": os.environ.get("MLFLOW_EXPERIMENT_NAME") or name,
        "DVC_NO_ANALYTICS": "1",
    }
