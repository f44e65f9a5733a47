# Entry point of Snakemake; `dvc repro` is the other, and after either the other has nothing to do.
#
#   snakemake                          everything that is not up to date, on all cores
#   snakemake -n                       what that would be
#   snakemake results/split            what this output needs, and no more
#   snakemake --report runs.zip        how long each stage took, with the results: unpack, open its page
#   snakemake --workflow-profile profiles/slurm                   the same on a cluster
#
# What a stage is stands in dvc.yaml, and DVC says which are stale (workflow/dvclink.py). The rules
# add facts of execution alone: threads, memory, GPUs, logs, benchmarks.
#
# Another value of a parameter: edit params.yaml, or `dvc exp run -S section.key=value`.
# A stage once more although it is up to date: `dvc repro --force --single-item STAGE`; all of
# them: `dvc repro --force`. (--config and --forceall are refused: DVC would not follow.)
from functools import partial

from dllr.errors import ParamsError
from dllr.params.load import load
from snakemake.exceptions import WorkflowError

from workflow.dvclink import Link

if workflow.is_main_process:  # jobs read this file again, once it is known to be right
    try:
        load()
    except ParamsError as error:
        raise WorkflowError(str(error)) from None

link = Link(workflow)


def memory(mb: int):
    """Megabytes a stage asks a cluster for: twice as many at each new attempt."""
    return lambda wildcards, attempt: mb * 2 ** (attempt - 1)


rule all:
    input:
        link.all(),


include: "workflow/rules/scenes.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/products.smk"
