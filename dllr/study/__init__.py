"""Studies: many cells (parameter values × seeds) through the same stages, gathered in one table.

A cell is a git worktree of the last commit in studies/cells/<study>/<cell>/ with its own params.yaml;
`dvc repro` makes it as it makes the project, up to its scores: no maps, no report. What is finished is
DVC's to say, so a study that was stopped goes on where it was, and one that ran is gathered again in
seconds.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dllr.errors import StudyError
from dllr.execution import threads
from dllr.study import description, results, schedule, worktree
from dllr.study.description import Cell, Study

CELLS = Path("studies/cells")
RESULTS = Path("studies/results")

log = logging.getLogger(__name__)


def run(file: Path, root: Path) -> str:
    """Run the cells of a study that are not finished, and write its tables.

    Args:
        file: a file of studies/; see `dllr.study.description.Study`.
        root: the project's folder, which is the working folder.

    Returns:
        what to tell the user. The tables are studies/results/<study>.csv and .md.

    Raises:
        ParamsError, StudyError: before anything runs, if the description, a cell's parameters or
            the state of the repository do not allow it; at the end, with the tables written, if
            cells failed.
    """
    root = root.resolve()
    study = description.read(file)
    cells = description.cells(study, file, root)
    revision = worktree.commit(root)
    place = root / CELLS / file.stem
    place.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(place / ".lock", timeout=0):
            failed = _make(study, cells, root, place, revision)
            return _gather(file, study, cells, root, place, revision, failed)
    except Timeout:
        raise StudyError(f"{file} is being run already; wait for its end") from None


def _make(
    study: Study, cells: list[Cell], root: Path, place: Path, revision: str
) -> dict[str, str]:
    """Run what is not finished; returns what went wrong, by cell."""
    cache = worktree.cache_dir(root)
    recipes, scored = {}, ""
    for cell in cells:
        folder = place / cell.name
        with worktree.alone(folder):
            worktree.settle(root, folder, revision, cell.params, cache)
            state = schedule.ask_dvc(folder, results.METRICS)
        scored = state.last
        if not state.current:
            recipes[cell.name] = state.recipes
    log.info("%d cells, %d of them finished before", len(cells), len(cells) - len(recipes))
    tasks = schedule.tasks(recipes)
    environment = _environment(root, study.jobs)

    def work(sharers: schedule.Sharers) -> str:
        name = next(cell.name for cell in cells if cell.name in sharers)
        last = len(sharers) == 1
        stages = [scored] if last else tasks[sharers]
        if not last:
            log.info("%s, for %d cells: %s", name, len(sharers), " ".join(stages))
        problem = _repro(place / name, stages, environment)
        if last:
            log.info("%s %s", "FAILED" if problem else "finished", name)
            if not problem:
                worktree.tidy(place / name)
        return problem

    failed = schedule.run(tasks, work, study.jobs)
    return {name: failed[key] for name in recipes if (key := frozenset([name])) in failed}


def _repro(folder: Path, stages: list[str], environment: Mapping[str, str]) -> str:
    """`dvc repro` of the stages in a cell; returns what went wrong."""
    command = [str(Path(sys.executable).with_name("dvc")), "repro", *stages]
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
    return f"see {worktree.log_of(folder)}" if done.returncode else ""


def _environment(root: Path, jobs: int) -> dict[str, str]:
    """The same for all cells: with another number of threads, sums differ in their last digits."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    store = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"
    return os.environ | {
        "PATH": programs,
        "DLLR_THREADS": str(max(1, threads() // jobs)),
        "MLFLOW_TRACKING_URI": store,
        "DVC_NO_ANALYTICS": "1",
    }


def _gather(
    file: Path,
    study: Study,
    cells: list[Cell],
    root: Path,
    place: Path,
    revision: str,
    failed: Mapping[str, str],
) -> str:
    rows: list[dict[str, Any]] = []
    for cell in cells:
        if cell.name not in failed:
            rows += results.scores(cell, place / cell.name)
    page = root / RESULTS / f"{file.stem}.md"
    table = ""
    if rows:
        results.write_csv(page.with_suffix(".csv"), rows)
        table = results.write_summary(page, study, revision, rows, failed)
    written = f"{page.relative_to(root)} and {page.stem}.csv" if rows else "no table yet"
    if failed:
        lines = [f"  {name}: {problem}" for name, problem in failed.items()]
        raise StudyError(
            f"{len(failed)} of {len(cells)} cells failed; the others: {written}. Mend the cause "
            "and run the study again, what is finished stays:\n" + "\n".join(lines)
        )
    return f"{table}\n\n{len(cells)} cells in {written}"
