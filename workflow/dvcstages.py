"""What DVC knows of the stages: their inputs and outputs, and which of them are stale."""

from pathlib import Path
from typing import Any, NamedTuple

from snakemake.exceptions import WorkflowError

PIPELINE = "dvc.yaml"


class Stage(NamedTuple):
    """What a rule must know of a stage. Paths are relative to the project's folder."""

    sources: list[str]  # deps that no stage makes
    upstream: list[str]  # every output of the stages it depends on
    outs: dict[str, bool]  # path -> whether it is a folder
    stale: bool  # itself (deps, params, command, outputs) or for something upstream


def ask_dvc() -> dict[str, Stage]:
    """Every stage of the project in the working folder, by DVC's name of it.

    Raises:
        WorkflowError: DVC cannot read the project, or a stage is running.
    """
    import networkx as nx  # these imports take most of a second: the main process only
    from dvc.dependency.param import ParamsDependency
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    table = {}
    try:
        with Repo() as repo:
            graph = repo.index.graph  # edges go from a stage to the stages that it depends on
            changed = repo.status(PIPELINE)
            # What `dvc add` or another dvc.yaml makes is a source to these stages.
            pipeline = [stage for stage in graph if stage.path_in_repo == PIPELINE]
            stale = {stage for stage in pipeline if stage.addressing in changed}
            stale |= {follower for stage in stale for follower in nx.ancestors(graph, stage)}
            for stage in pipeline:
                made = [out for s in graph[stage] if s in pipeline for out in s.outs]
                deps = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
                table[stage.addressing] = Stage(
                    sources=[str(d) for d in deps if not any(_overlap(d, out) for out in made)],
                    upstream=[str(out) for out in made],
                    outs={str(out): _is_folder(out) for out in stage.outs},
                    stale=stage in stale,
                )
    except DvcException as error:
        raise WorkflowError(f"DVC: {error}") from None
    return table


def _overlap(dep: Any, out: Any) -> bool:
    """Whether one is the other or lies in it."""
    return bool(dep.fs.overlaps(dep.fs_path, out.fs_path))


def _is_folder(out: Any) -> bool:
    """As recorded in dvc.lock; before the first run, an output without a suffix is a folder."""
    return bool(out.hash_info.isdir) if out.hash_info else not Path(out.def_path).suffix
