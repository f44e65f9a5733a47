"""What cells share is made once, the rest side by side.

A stage has a *recipe*: its command, its parameters, what it reads, with the content of what no stage makes
(scenes and code), and the recipes of what makes the rest.
Cells in which a stage has the same recipe would make the same. The stages are grouped by the set of
cells that share them; a set is one task, run in its first cell, and the other cells find its outputs
in DVC's run-cache. A set waits for the sets that contain it, because what a shared stage reads is
shared by the same cells at least. The set of a cell alone is the last of that cell's tasks.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from dllr.errors import StudyError
from dllr.files import digest
from dllr.study.worktree import git
from dllr.tracking.identity import hash_now, touches_any

PIPELINE = "dvc.yaml"

Sharers = frozenset[str]


@dataclass(frozen=True)
class State:
    """What DVC says of a cell: the recipe of each stage that a file needs, whether all of them are made
    as they should be, the name of the one that writes it, and its recipe."""

    recipes: dict[str, str]
    current: bool
    last: str
    recipe: str


def ask_dvc(folder: Path, target: Path, root: Path) -> State:
    """The state of the pipeline in a folder, as far as `target`, one of its files, needs it.

    root: the project's folder. Paths below it are taken relative to it, so that a recipe is the same on
    every machine.

    Raises:
        StudyError: DVC cannot read it.
    """
    import networkx as nx
    from dvc.dependency import ParamsDependency
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    recipes: dict[str, str] = {}
    try:
        with Repo(str(folder)) as repo:
            graph = repo.index.graph  # edges go from a stage to the stages that it depends on
            last = repo.find_outs_by_path(str(folder / target))[0].stage
            graph = graph.subgraph({last, *nx.descendants(graph, last)})
            read = {d.def_path: d for s in graph for d in _files(s)}
            known = _committed(folder, read.keys())
            made = [out.def_path for s in graph for out in s.outs]
            for path, dependency in read.items():
                if path not in known and not touches_any(path, made):
                    known[path] = hash_now(dependency) or ""
            for stage in reversed(list(nx.topological_sort(graph))):
                if stage.path_in_repo != PIPELINE:
                    continue  # a pipeline of its own, in a folder below
                params = [d.read_params() for d in stage.deps if isinstance(d, ParamsDependency)]
                deps = sorted((d.def_path, known.get(d.def_path, "")) for d in _files(stage))
                above = sorted(recipes[s.name] for s in graph[stage] if s.name in recipes)
                text = json.dumps([stage.cmd, params, deps, above], default=str, ensure_ascii=False)
                recipes[stage.name] = digest(text.replace(str(root), "."))
            current = not repo.status(last.addressing, with_deps=True)
    except DvcException as error:
        raise StudyError(f"DVC cannot read {folder / PIPELINE}: {error}") from None
    return State(recipes, current, last.name, recipes[last.name])


def _files(stage: Any) -> list[Any]:
    """What a stage of DVC reads beside its parameters."""
    from dvc.dependency import ParamsDependency

    return [d for d in stage.deps if not isinstance(d, ParamsDependency)]


def _committed(folder: Path, paths: Collection[str]) -> dict[str, str]:
    """Path → git's hash of what the last commit has there, of those that it has."""
    inside = sorted(path for path in paths if not Path(path).is_absolute())
    listed = git(folder, "ls-tree", "-z", "HEAD", "--", *inside)
    entries = (entry.split("\t", 1) for entry in listed.split("\0") if entry)
    return {path: facts.split()[2] for facts, path in entries}


def tasks(recipes: Mapping[str, Mapping[str, str]]) -> dict[Sharers, list[str]]:
    """Stages by the cells that share them, and an entry for every cell alone.

    Args:
        recipes: of each cell, the recipe of each stage by the stage's name.
    """
    sharers: dict[str, set[str]] = defaultdict(set)
    for cell, own in recipes.items():
        for recipe in own.values():
            sharers[recipe].add(cell)
    found: dict[Sharers, list[str]] = {}
    for own in recipes.values():
        for stage, recipe in own.items():
            stages = found.setdefault(frozenset(sharers[recipe]), [])
            if stage not in stages:
                stages.append(stage)
    return found | {frozenset([c]): found.get(frozenset([c]), []) for c in recipes}


def run(todo: Collection[Sharers], work: Callable[[Sharers], str], jobs: int) -> dict[Sharers, str]:
    """Do every task after those that contain it, `jobs` at a time; of what is ready that first which fewest
    share, so that a study that is stopped has finished cells.

    Args:
        work: does a task and returns what went wrong, empty if nothing did.

    Returns:
        task → what went wrong, for those that failed and those that waited for one of them.
    """
    waits = {task: {other for other in todo if task < other} for task in todo}
    order = TopologicalSorter(waits)
    order.prepare()
    failed: dict[Sharers, str] = {}
    running: dict[Future[str], Sharers] = {}
    ready: list[Sharers] = []
    pool = ThreadPoolExecutor(jobs)
    try:
        while order.is_active():
            ready = sorted([*ready, *order.get_ready()], key=len)
            while ready and len(running) < jobs:
                task = ready.pop(0)
                if broken := [other for other in waits[task] if other in failed]:
                    failed[task] = failed[broken[0]]
                    order.done(task)
                else:
                    running[pool.submit(work, task)] = task
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task = running.pop(future)
                if problem := future.result():
                    failed[task] = problem
                order.done(task)
    finally:
        pool.shutdown(cancel_futures=True)
    return failed
