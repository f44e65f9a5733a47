"""One truth for two engines: DVC says what a stage is and whether it is stale, Snakemake runs it.

A rule takes its inputs, outputs and shell command from here, so dvc.yaml stays the only place
where a stage's command and paths are written::

    rule warmup:
        input: link.deps("warmup")
        output: link.outs("warmup")
        shell: link.run("warmup")

Each job runs one stage through DVC, which records it in dvc.lock as it is made. Whether a job is
needed is asked of DVC while the Snakefile is read: a fresh stage gets `ancient()` inputs, a stale
one an input with new content (`.snakemake/dvc/<stage>`). File times, and what Snakemake remembers
of earlier runs, then decide nothing.

Snakemake removes the outputs of a stale stage before the job, as it does for any rule; where only
something upstream had changed, and without effect, DVC puts them back from its cache and runs
nothing. (`update()` would keep them, at the price of a copy of every output before every job.)
"""

import itertools
import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from snakemake.exceptions import WorkflowError
from snakemake.io import ancient, directory

STATE = Path(".snakemake/dvc")

# Jobs find the `dvc` and `dllr` installed beside this Python, whether or not it is activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["DVC_NO_ANALYTICS"] = "1"


class Stage(NamedTuple):
    """What a job must know of a stage; paths are relative to the project's root."""

    sources: list[str]  # deps that no stage makes
    upstream: list[str]  # every output of the stages it depends on
    outs: dict[str, bool]  # path -> whether it is a folder
    stale: bool  # its own deps, params, command or outputs changed, or those of a stage upstream


class Link:
    """The stages of dvc.yaml in the words of Snakemake's rules.

    A stage made by `foreach` is a member of a family and has a key: `train_round@2` is the member
    "2" of the family `train_round`. One rule serves a family: where it has several members, its
    outputs hold the wildcard `{key}`. An empty family is not `in` the link and needs no rule.

    Args:
        workflow: Snakemake's own object, the global of that name in a Snakefile.

    Raises:
        WorkflowError: DVC cannot read the project, or a command-line option was given that would
            bypass params.yaml or DVC.
    """

    def __init__(self, workflow: Any) -> None:
        self.workflow = workflow
        if workflow.is_main_process:
            _refuse_config(workflow)
            self.stages = _ask_dvc()
            _write_state(self.stages)
        else:  # a job on its way to run: the main process has asked, and asking takes seconds
            table = json.loads((STATE / "stages.json").read_text(encoding="utf-8"))
            self.stages = {name: Stage(*values) for name, values in table.items()}

    def __contains__(self, name: str) -> bool:
        return bool(self._members(name))

    def all(self) -> list[str]:
        """Every output of every stage: the target that leaves nothing undone."""
        return [out for stage in self.stages.values() for out in stage.outs]

    def deps(self, name: str) -> Callable[[Any], list[str]]:
        """Inputs of a stage or family: a function of the rule's wildcards."""
        address = self._address(name)

        def inputs(wildcards: Any) -> list[str]:
            if self.workflow.is_main_process:
                _refuse_force(self.workflow)
            return self._inputs(address.format(**wildcards))

        return inputs

    def outs(self, name: str, flags: Mapping[str, Callable[[Any], Any]] | None = None) -> list[str]:
        """Outputs of a stage or family, folders flagged as such.

        `flags` gives outputs another flag of Snakemake by their path: `{"*.html": report}`.
        """
        constraint = "|".join(re.escape(key) for key in self._members(name))
        outs = []
        for pattern, is_folder in self._patterns(name).items():
            out: Any = pattern.replace("{key}", f"{{key,{constraint}}}")
            out = directory(out) if is_folder else out
            for glob, flag in (flags or {}).items():
                out = flag(out) if fnmatch(pattern, glob) else out
            outs.append(out)
        return outs

    def log(self, name: str) -> str:
        """Where what a stage prints is kept."""
        return f"logs/{self._address(name)}.log"

    def benchmark(self, name: str) -> str:
        """Where a stage's running time and memory are kept."""
        return f"logs/benchmarks/{self._address(name)}.tsv"

    def run(self, name: str) -> str:
        """Shell text that makes a stage, and it alone, through DVC; progress stays visible."""
        stage = self._address(name).replace("{key}", "{wildcards.key}")
        return (
            "DLLR_THREADS={threads} "
            f"dvc --wait-for-lock repro --single-item {stage} 2>&1 | tee {{log:q}}"
        )

    def _members(self, name: str) -> dict[str, Stage]:
        """Stages by key; a stage that is no family is its own only member, with the key ""."""
        split = {address: address.partition("@") for address in self.stages}
        return {key: self.stages[a] for a, (family, _, key) in split.items() if family == name}

    def _patterns(self, name: str) -> dict[str, bool]:
        members = self._members(name)
        if not members:
            raise WorkflowError(f"dvc.yaml has no stage {name!r}: mend the rule of that name")
        columns = zip(*(stage.outs.items() for stage in members.values()), strict=True)
        return {
            pattern_of({key: out for key, (out, _) in zip(members, column, strict=True)}): any(
                is_folder for _, is_folder in column
            )
            for column in columns
        }

    def _address(self, name: str) -> str:
        """DVC's name of a stage; of a family with several members, with `{key}` in it."""
        keys = list(self._members(name))
        if len(keys) > 1:
            return f"{name}@{{key}}"
        return f"{name}@{keys[0]}" if keys and keys[0] else name

    def _inputs(self, address: str) -> list[str]:
        stage = self.stages[address]
        files = [*stage.sources, *stage.upstream, str(STATE / address)]
        return files if stage.stale else [ancient(file) for file in files]


def pattern_of(outs: Mapping[str, str]) -> str:
    """The pattern that gives each key's path: {"1": "rounds/1", "2": "rounds/2"} -> "rounds/{key}".

    A single path is its own pattern.
    """
    key, out = next(iter(outs.items()))
    parts = out.split(key) if key else [out]
    for joints in itertools.product((key, "{key}"), repeat=len(parts) - 1):
        pattern = "".join(map("".join, zip(parts, (*joints, ""), strict=True)))
        if all(pattern.replace("{key}", k) == o for k, o in outs.items()):
            return pattern
    raise WorkflowError(
        f"the outputs {', '.join(outs.values())} of one family in dvc.yaml differ in more than "
        "their keys; give each the key in place of itself"
    )


def _refuse_config(workflow: Any) -> None:
    if workflow.config_settings.overwrite_config:
        raise WorkflowError(
            "--config and --configfile set nothing here: params.yaml is the only source of "
            "parameters. Edit it, or try a value with: dvc exp run -S section.key=value"
        )


def _refuse_force(workflow: Any) -> None:
    dag = workflow.dag_settings  # unknown while the Snakefile is read, hence asked with the inputs
    if dag.forceall or dag.forcetargets or dag.forcerun:
        raise WorkflowError(
            "--force, --forceall and --forcerun cannot make DVC run a stage that is up to date. "
            "Use: dvc repro --force (everything) or dvc repro --force --single-item STAGE"
        )


def _ask_dvc() -> dict[str, Stage]:
    import networkx as nx  # these two imports take most of a second: the main process only
    from dvc.dependency.param import ParamsDependency
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

    try:
        with Repo() as repo:
            graph = repo.index.graph  # edges go from a stage to the stages that it depends on
            changed = repo.status()
            dirty = {stage for stage in graph if stage.addressing in changed}
            dirty |= {stage for d in dirty for stage in nx.ancestors(graph, d)}
            table = {}
            for stage in graph:
                if not isinstance(stage, PipelineStage):
                    continue  # a file added with `dvc add`: a source to Snakemake
                made = [o for s in graph[stage] if isinstance(s, PipelineStage) for o in s.outs]
                deps = [d for d in stage.deps if not isinstance(d, ParamsDependency)]
                table[stage.addressing] = Stage(
                    [
                        str(d)
                        for d in deps
                        if not any(d.fs.overlaps(d.fs_path, o.fs_path) for o in made)
                    ],
                    [str(o) for o in made],
                    {str(o): _is_folder(o) for o in stage.outs},
                    stage in dirty,
                )
    except DvcException as error:
        raise WorkflowError(f"DVC: {error}") from None
    return table


def _is_folder(out: Any) -> bool:
    """As recorded in dvc.lock; before the first run, an output without a suffix is a folder."""
    return bool(out.hash_info.isdir) if out.hash_info else not Path(out.def_path).suffix


def _write_state(stages: Mapping[str, Stage]) -> None:
    STATE.mkdir(parents=True, exist_ok=True)
    for address, stage in stages.items():
        marker = STATE / address
        if stage.stale or not marker.exists():
            marker.write_text(f"{time.time_ns()}\n", encoding="utf-8")
    whole = STATE / f"stages.{os.getpid()}"
    whole.write_text(json.dumps(stages), encoding="utf-8")
    whole.replace(STATE / "stages.json")
