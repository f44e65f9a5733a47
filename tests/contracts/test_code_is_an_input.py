"""dvc.yaml lists the code each stage imports: an edit there reruns the stage, an edit elsewhere does not."""

from pathlib import Path

import pytest
from dvc.repo import Repo

from dllr.cli import STAGES
from dllr.methods import METHODS
from dllr.params.load import load
from dllr.transport import SOLVERS
from dllr.workcache import closure

ROOT = Path(__file__).parents[2]
# These change no number: what errors say, on how many threads, where work is kept.
HARMLESS = {"dllr/errors.py", "dllr/execution.py", "dllr/workcache.py"}


@pytest.fixture(scope="module")
def deps() -> dict[str, set[str]]:
    with Repo(str(ROOT)) as repo:
        return {
            stage.addressing.partition("@")[0]: {str(d.def_path) for d in stage.deps}
            for stage in repo.index.stages
        }


def imported(stage: str) -> set[str]:
    """Files that a stage imports, with the method and the solver that params choose."""
    params = load(ROOT / "params.yaml")
    chosen = {
        "train_round": [METHODS[params.train_round.method].partition(":")[0]],
        "pseudo_label": [SOLVERS[params.pseudo_label.solver]],
    }
    found = closure(f"dllr.stages.{stage}", *chosen.get(stage, []))
    return {path.relative_to(ROOT).as_posix() for path in found.values()}


@pytest.mark.parametrize("stage", STAGES)
def test_imports_are_inputs(stage: str, deps: dict[str, set[str]]) -> None:
    files = imported(stage)
    needed = {f for f in files if f not in HARMLESS}
    missing = {f for f in needed if not any(f == d or f.startswith(f"{d}/") for d in deps[stage])}
    assert not missing, f"{stage} imports them, and dvc.yaml does not list them: {sorted(missing)}"


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_listed_is_imported(stage: str, deps: dict[str, set[str]]) -> None:
    files = imported(stage)
    code = {d for d in deps[stage] if d.startswith("dllr/")}
    idle = {d for d in code if not any(f == d or f.startswith(f"{d}/") for f in files)}
    assert not idle, f"{stage} reruns for nothing when these change: {sorted(idle)}"


def test_a_rival_method_is_no_input(deps: dict[str, set[str]]) -> None:
    rivals = {spec.partition(":")[0].replace(".", "/") + ".py" for spec in METHODS.values()}
    chosen = METHODS[load(ROOT / "params.yaml").train_round.method].partition(":")[0]
    assert not (deps["train_round"] & rivals) - {chosen.replace(".", "/") + ".py"}
