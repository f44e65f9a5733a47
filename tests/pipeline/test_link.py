"""The link itself: patterns, what it refuses, and what jobs read of it."""

import shutil
import sys
from pathlib import Path

import pytest
from snakemake.exceptions import WorkflowError

from .conftest import ROOT, Project

sys.path.insert(0, str(ROOT))  # as Snakemake does for the Snakefile there
from workflow.dvclink import pattern_of


@pytest.mark.parametrize(
    ("texts", "pattern"),
    [
        ({"1": "rounds/1", "2": "rounds/2"}, "rounds/{key}"),
        ({"1": "v1/r1/1.pt", "10": "v1/r10/10.pt"}, "v1/r{key}/{key}.pt"),
        ({"1": "rounds/1"}, "rounds/1"),
        ({"country": "data/demo"}, "data/demo"),
        ({"": "results/split"}, "results/split"),
    ],
)
def test_pattern_of_a_family(texts: dict[str, str], pattern: str) -> None:
    assert pattern_of(texts) == pattern


def test_a_family_without_a_pattern_is_refused() -> None:
    with pytest.raises(WorkflowError, match=r"a/1, b/2 .* differ in more than their keys"):
        pattern_of({"1": "a/1", "2": "b/2"})


def test_options_that_bypass_params_or_dvc_are_refused(project: Project) -> None:
    printed = project("snakemake", "--dry-run", "--config", "bins=9", ok=False)
    assert "params.yaml is the only source" in printed
    assert "dvc exp run -S section.key=value" in printed
    printed = project("snakemake", "--dry-run", "--forceall", ok=False)
    assert "dvc repro --force" in printed


def test_a_missing_source_is_found_before_anything_runs(project: Project) -> None:
    project.edit("params.yaml", "root: data/raw", "root: data/none")
    printed = project("snakemake", ok=False)
    assert "stage prepare needs data/none, which is not there" in printed
    assert (project.root / "results/prepared").exists()
    assert project.ran() == set()


def test_what_dvc_cannot_read_is_told_in_its_words(project: Project) -> None:
    project.edit("dvc.yaml", '"${root}"', '"${rot}"')
    printed = project("snakemake", "--dry-run", ok=False)
    assert "WorkflowError" in printed
    assert "Could not find 'rot'" in printed


def test_a_rule_without_a_stage_is_named(project: Project) -> None:
    project.edit("Snakefile", 'link.log("stats")', 'link.log("statistics")')
    assert "dvc.yaml has no stage 'statistics'" in project("snakemake", "-n", ok=False)


def test_a_job_on_a_node_does_not_ask_dvc(project: Project) -> None:
    """The command a cluster's node gets reads the Snakefile without loading DVC at all."""
    (project.root / "results/stats.json").unlink()
    project("snakemake", "--dry-run")
    project.edit("Snakefile", "link = Link(workflow)", PROBE)
    job = ["--mode", "remote", "--target-jobs", "stats:", "--allowed-rules", "stats"]
    project("snakemake", "results/stats.json", *job, "--cores", "1", "--nolock", "--force")
    assert (project.root / "probe").read_text() == "False False"
    assert (project.root / "results/stats.json").exists()
    assert project.ran() == set()


PROBE = """link = Link(workflow)
import sys, pathlib
pathlib.Path("probe").write_text(f"{workflow.is_main_process} {'dvc' in sys.modules}")"""


@pytest.fixture
def real(template: Project, tmp_path: Path) -> Project:
    """This project's own pipeline, parameters and rules, before anything was run."""
    root = tmp_path / "real"
    for folder in ("workflow", "dllr", "profiles", "params"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("Snakefile", "dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(ROOT / file, root)
    project = Project(root, template.env)
    project("git", "init", "--quiet")
    project("dvc", "init", "--quiet")
    return project


def test_every_stage_has_one_rule_and_every_rule_a_stage(real: Project) -> None:
    stages = {
        line.split()[0].partition("@")[0]
        for line in real("dvc", "stage", "list", "--name-only").splitlines()
    }
    rules = real("snakemake", "--list-rules").splitlines()
    assert {rule.strip() for rule in rules} >= stages | {"all"}
    assert len(stages) == 12


def test_a_mistyped_parameter_is_told_before_anything_else(real: Project) -> None:
    real.edit("params.yaml", "labelled_tiles:", "labeled_tiles:")
    printed = real("snakemake", "--dry-run", ok=False)
    assert "split.labeled_tiles: unknown key; did you mean `labelled_tiles`?" in printed
    assert "Traceback" not in printed


def test_the_cluster_profile_gives_training_a_gpu(real: Project) -> None:
    profile = "profiles/slurm"
    real.edit(f"{profile}/config.yaml", "executor: slurm", "executor: dryrun")
    printed = real("snakemake", "--dry-run", "--workflow-profile", profile)
    _, _, warmup = printed.partition("rule warmup:")
    assert "gpu=1" in warmup.partition("rule ")[0]
    assert "runtime=1440" in warmup.partition("rule ")[0]
