"""The command line says the same as dvc.yaml, and tells mistakes without a traceback."""

import importlib
import inspect
import shlex
from pathlib import Path
from typing import get_type_hints

import pytest
from dvc.repo import Repo

from dllr.cli import STAGES, main, stage_parser
from dllr.params.root import Params

ROOT = Path(__file__).parents[1]


def commands() -> dict[str, list[str]]:
    with Repo(str(ROOT)) as repo:
        return {s.addressing.partition("@")[0]: shlex.split(s.cmd) for s in repo.index.stages}


@pytest.mark.parametrize("stage", STAGES)
def test_the_command_in_dvc_yaml_is_what_the_stage_takes(stage: str) -> None:
    program, name, *words = commands()[stage]
    assert (program, name) == ("dllr", stage)
    function = importlib.import_module(f"dllr.stages.{stage}").run
    given = vars(stage_parser(stage, function).parse_args(words))
    assert None not in given.values()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_the_sections_that_dvc_watches(stage: str) -> None:
    with Repo(str(ROOT)) as repo:
        (found, *_) = [s for s in repo.index.stages if s.addressing.partition("@")[0] == stage]
        watched = {name for dep in found.deps for name in getattr(dep, "params", [])}
    function = importlib.import_module(f"dllr.stages.{stage}").run
    options = {name for name, kind in get_type_hints(function).items() if kind in (Path, int)}
    read = set(inspect.signature(function).parameters) & set(Params.model_fields)
    assert read - options == watched


def test_help_lists_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in [*STAGES, "audit", "track", "study"])


@pytest.mark.parametrize("command", [["scenes", "--out", "results/scenes"], ["audit"]])
def test_outside_a_project_the_message_says_where_to_go(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"dllr {command[0]}: params.yaml does not exist")
    assert "from the project's folder" in printed
