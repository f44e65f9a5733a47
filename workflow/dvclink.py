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
from collections import defaultdict
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError
from snakemake.io import ancient, directory

from workflow.dvcstages import PIPELINE, Stage, ask_dvc

STATE = Path(".snakemake/dvc")

# Jobs find the programs installed beside this Python, whether or not its environment is activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["DVC_NO_ANALYTICS"] = "1"


class Link:
    """The stages of dvc.yaml in the words of Snakemake's rules.

    A stage made by `foreach` is a member of a family and has a key: `train_round@2` is the member
    "2" of the family `train_round`. One rule serves a family: where it has several members, its
    outputs hold the wildcard `{key}`. An empty family is not `in` the link and needs no rule.

    Args:
        workflow: Snakemake's own object, the global of that name in a Snakefile.

    Raises:
        WorkflowError: DVC cannot read the project, a rule names a stage that dvc.yaml has not, or
            an option was given that would bypass params.yaml or DVC.
    """

    def __init__(self, workflow: Any) -> None:
        self.workflow = workflow
        if workflow.is_main_process:
            _refuse_config(workflow)
            self.stages = ask_dvc()
            _write_state(self.stages)
        else:  # a job on its way to run: the main process has asked, and asking takes seconds
            table = json.loads((STATE / "stages.json").read_text(encoding="utf-8"))
            self.stages = {address: Stage(*values) for address, values in table.items()}
        self.families: dict[str, dict[str, str]] = defaultdict(dict)  # name -> key -> address
        for address in self.stages:
            name, _, key = address.partition("@")
            self.families[name][key] = address

    def __contains__(self, name: str) -> bool:
        return name in self.families

    def all(self) -> list[str]:
        """Every output of every stage: the target that leaves nothing undone."""
        return [out for stage in self.stages.values() for out in stage.outs]

    def deps(self, name: str) -> Callable[[Any], list[str]]:
        """Inputs of a stage or family: a function of the rule's wildcards."""
        pattern = self._address(name)

        def inputs(wildcards: Any) -> list[str]:
            if self.workflow.is_main_process:
                _refuse_force(self.workflow)
            address = pattern.format(**wildcards)
            stage = self.stages[address]
            _refuse_missing(address, stage)
            files = [*stage.sources, *stage.upstream, str(STATE / address)]
            return files if stage.stale else [ancient(file) for file in files]

        return inputs

    def outs(self, name: str, flags: Mapping[str, Callable[[Any], Any]] | None = None) -> list[str]:
        """Outputs of a stage or family, folders flagged as such.

        `flags` gives those whose path fits a pattern one more: `{"*.html": report}`.
        """
        self._address(name)
        members = self.families[name]
        keys = "|".join(map(re.escape, members))
        flagged = []
        for column in zip(*(self.stages[a].outs.items() for a in members.values()), strict=True):
            pattern = pattern_of({k: out for k, (out, _) in zip(members, column, strict=True)})
            out: Any = pattern.replace("{key}", f"{{key,{keys}}}")
            if any(is_folder for _, is_folder in column):
                out = directory(out)
            for glob, flag in (flags or {}).items():
                out = flag(out) if fnmatch(pattern, glob) else out
            flagged.append(out)
        return flagged

    def run(self, name: str, processes: str = "1") -> str:
        """Shell text that makes a stage, and it alone, through DVC; its output stays visible.

        processes: that share it, a number or what Snakemake puts in, such as `{resources.gpu}`.
        """
        stage = self._address(name).replace("{key}", "{wildcards.key}")
        return (
            f"DLLR_THREADS={{threads}} DLLR_PROCESSES={processes} "
            f"dvc --wait-for-lock repro --single-item {stage} 2>&1 | tee {{log:q}}"
        )

    def log(self, name: str) -> str:
        """Where what a stage prints is kept."""
        return f"logs/{self._address(name)}.log"

    def benchmark(self, name: str) -> str:
        """Where a stage's running time and memory are kept."""
        return f"logs/benchmarks/{self._address(name)}.tsv"

    def _address(self, name: str) -> str:
        """DVC's name of a stage; of a family with several members, with `{key}` in it."""
        if name not in self:
            raise WorkflowError(f"{PIPELINE} has no stage {name!r}, which a rule names")
        return pattern_of(self.families[name])


def pattern_of(texts: Mapping[str, str]) -> str:
    """The pattern that gives each key's text: {"1": "rounds/1", "2": "rounds/2"} -> "rounds/{key}".

    A single text is its own pattern.
    """
    key, text = next(iter(texts.items()))
    parts = text.split(key) if key else [text]
    for joints in itertools.product((key, "{key}"), repeat=len(parts) - 1):
        pattern = "".join(map("".join, zip(parts, (*joints, ""), strict=True)))
        if all(pattern.replace("{key}", k) == t for k, t in texts.items()):
            return pattern
    raise WorkflowError(
        f"{PIPELINE}: the outputs {', '.join(texts.values())} of one family differ in more than "
        "their keys; write ${key} where the key stands"
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


def _refuse_missing(address: str, stage: Stage) -> None:
    """Snakemake would take outputs of an earlier run for given, and pass over the stage."""
    if missing := [source for source in stage.sources if not Path(source).exists()]:
        raise WorkflowError(
            f"stage {address} needs {', '.join(missing)}, which is not there and which no stage "
            f"makes: put it there, or mend its path in params.yaml or {PIPELINE}"
        )


def _write_state(stages: Mapping[str, Stage]) -> None:
    STATE.mkdir(parents=True, exist_ok=True)
    for address, stage in stages.items():
        marker = STATE / address
        if stage.stale or not marker.exists():
            marker.write_text(f"{time.time_ns()}\n", encoding="utf-8")
    whole = STATE / f"stages.{os.getpid()}"
    whole.write_text(json.dumps(stages), encoding="utf-8")
    whole.replace(STATE / "stages.json")
