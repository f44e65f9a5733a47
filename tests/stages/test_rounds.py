"""A round that loses what validation had gained ends the rounds, and the better network is passed on."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dllr.cli import main
from dllr.params.load import read_yaml
from dllr.raster.grid import read_indices
from dllr.training import guard

from .small_scenes import front, project, save  # noqa: F401

R = Path("results")


def stage(text: str) -> None:
    assert main(text.split()) == 0


def guarded(number: int) -> dict[str, Any]:
    return dict(json.loads((R / f"rounds/{number}/guard.json").read_text()))


@pytest.fixture
def rounds(project: Path, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: F811
    """Runs the chain of three rounds, whose fused mIoU on validation is as told, through `evaluate`."""
    values = read_yaml(Path("params.yaml"))
    values["model"]["width"] = 8
    values["train"] |= {"batch": 2, "log_every": 1}
    values["warmup"]["steps"] = values["train_round"]["steps"] = 2
    values["train_round"]["guard"] = 0.01
    values["rounds"] = {"1": 0, "2": 1, "3": 2}
    save(values)
    assert front() == 0, project
    read = guard.read

    def run(*mious: float) -> None:
        told = iter(mious)

        def instead(*arguments: Any) -> guard.Readings:
            found = read(*arguments)
            assert found.miou["fused"] is not None, "there are validation labels"
            return found._replace(miou=found.miou | {"fused": next(told)})

        monkeypatch.setattr(guard, "read", instead)
        stage(
            f"warmup --coregistered {R}/coregistered --tiles {R}/tiles --split {R}/split --out {R}/rounds/0"
        )
        for r in (1, 2, 3):
            stage(
                f"pseudo_label --coregistered {R}/coregistered --superpixels {R}/superpixels --split "
                f"{R}/split --teacher {R}/rounds/{r - 1} --out {R}/pseudo_labels/{r} --round {r}"
            )
            stage(
                f"train_round --coregistered {R}/coregistered --split {R}/split --pseudo-labels "
                f"{R}/pseudo_labels/{r} --previous {R}/rounds/{r - 1} --out {R}/rounds/{r} --round {r}"
            )
        stage(
            f"evaluate --coregistered {R}/coregistered --labels {R}/labels --split {R}/split "
            f"--trained {R}/rounds --out {R}/evaluation"
        )

    return run


def test_rounds_that_hold_are_kept(rounds: Any) -> None:
    rounds(0.5, 0.495, 0.52, 0.511)
    assert [guarded(r)["verdict"] for r in range(4)] == ["kept"] * 4
    assert [guarded(r)["best"] for r in range(4)] == [0.5, 0.5, 0.52, 0.52]
    checkpoints = {(R / f"rounds/{r}/checkpoint.pt").read_bytes() for r in range(4)}
    assert len(checkpoints) == 4
    assert not list(R.glob("rounds/*/kept.pt"))


def test_a_lost_round_is_not_selected_and_later_ones_pass_the_better_network_on(
    rounds: Any,
) -> None:
    rounds(0.5, 0.52, 0.505)
    assert [guarded(r)["verdict"] for r in range(4)] == ["kept", "kept", "lost", "skipped"]
    first, second, third = ((R / f"rounds/{r}/checkpoint.pt").read_bytes() for r in (1, 2, 3))
    assert second != first == third
    assert pd.read_csv(R / "rounds/3/history.csv").empty
    assert json.loads((R / "pseudo_labels/3/summary.json").read_text()) == {"skipped": True}
    assert not list((R / "pseudo_labels/3").glob("*/class.tif"))
    metrics = json.loads((R / "evaluation/scores.json").read_text())
    assert metrics["selected_round"] in (0, 1)
    assert metrics["rounds"]["3"] == metrics["rounds"]["1"]
    assert set(pd.read_csv(R / "evaluation/marginals.csv")["round"]) == {1, 2}


def test_all_that_follows_a_skipped_round_is_skipped(rounds: Any) -> None:
    rounds(0.5, 0.3)
    assert [guarded(r)["verdict"] for r in range(4)] == ["kept", "lost", "skipped", "skipped"]
    kept = (R / "rounds/0/checkpoint.pt").read_bytes()
    assert [(R / f"rounds/{r}/checkpoint.pt").read_bytes() == kept for r in (1, 2, 3)] == [
        False, True, True,
    ]  # fmt: skip


@pytest.mark.usefixtures("project")
def test_labels_of_validation_lie_apart_from_those_that_train() -> None:
    assert front() == 0
    held = {path.stem for path in (R / "split/validation").glob("*.tif")}
    shown = {path.stem for path in (R / "split/labels").glob("*.tif")}
    assert held and shown and not held & shown
    for name in held:
        label = read_indices(R / f"split/validation/{name}.tif")
        role = read_indices(R / f"split/roles/{name}.tif")
        truth = read_indices(R / f"labels/{name}.tif")
        assert (label != 255).any()
        assert (role[label != 255] == 3).all()
        assert (label[label != 255] == truth[label != 255]).all()
