"""Written pseudo-labels of small scenes: where, how many, of which class, and what the ledger says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllr.cli import main
from dllr.params.load import read_yaml
from dllr.raster.grid import read_indices
from dllr.stages import teaching
from dllr.training import losses
from dllr.transport.ledger import EVERY
from dllr.transport.rivals import RULES

from .small_scenes import front, project, save  # noqa: F401

R = Path("results")
WARMUP = (
    f"warmup --coregistered {R}/coregistered --tiles {R}/tiles --split {R}/split --out {R}/rounds/0"
)
LABELS = (
    f"pseudo_label --coregistered {R}/coregistered --superpixels {R}/superpixels --split {R}/split "
    f"--teacher {R}/rounds/0 --out {R}/pseudo_labels/1 --round 1"
)


def made(**settings: Any) -> dict[str, Any]:
    """The stage run with other settings; its summary."""
    values = read_yaml(Path("params.yaml"))
    values["pseudo_label"] |= settings
    save(values)
    assert main(LABELS.split()) == 0
    return dict(json.loads((R / "pseudo_labels/1/summary.json").read_text()))


def rasters(name: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each training scene: what may be labelled, and a raster."""
    for path in sorted((R / "pseudo_labels/1").glob(f"*/{name}.tif")):
        yield (
            np.isin(read_indices(R / f"split/roles/{path.parent.name}.tif"), (0, 1, 2)),
            (read_indices(path)),
        )


@pytest.fixture
def trained(project: Path) -> None:  # noqa: F811
    values = read_yaml(Path("params.yaml"))
    values["model"]["width"] = 8
    values["train"] |= {"batch": 2, "log_every": 1}
    values["warmup"]["steps"] = 30
    values["rounds"] = {"1": 0}
    save(values)
    assert front() == 0, project
    assert main(WARMUP.split()) == 0


@pytest.mark.usefixtures("trained")
def test_labels_have_the_asked_coverage_and_shares(capsys: pytest.CaptureFixture[str]) -> None:
    found = made(coverage=[0.6, 0.6], epsilon=0.01, gate=0.0, rho=None)
    assert found["converged"] and found["residual"] <= 1e-6
    assert found["coverage"] == pytest.approx(0.6, abs=0.03)
    for name, share in found["target"].items():
        assert found["after"][name] == pytest.approx(share, abs=0.05)
    covered = wanted = 0
    for (train, label), (_, weight), (_, level) in zip(
        rasters("class"), rasters("weight"), rasters("level"), strict=True
    ):
        has = label != 255
        assert not has[~train].any()
        assert not weight[~has].any()
        assert ((level != 255) == has).all()
        covered, wanted = covered + has.sum(), wanted + train.sum()
    assert covered / wanted == pytest.approx(found["coverage"], abs=0.05)  # some have no data
    assert set(found["sensitivity"]) == {n for n, b in found["target"].items() if b > 0}
    capsys.readouterr()


@pytest.mark.usefixtures("trained")
def test_a_price_moves_the_shares_of_labels_towards_what_sureness_alone_gives() -> None:
    every = {"coverage": [0.6, 0.6], "epsilon": 0.01, "gate": 0.0, "regions": 0.0}
    free = made(**every, shares=False)["after"]
    apart = []
    for rho in (None, 1.0, 0.1):
        found = made(**every, shares=True, rho=rho)
        assert found["converged"]
        assert found["coverage"] == pytest.approx(0.6, abs=0.03)
        apart.append(sum(abs(found["after"][name] - share) for name, share in free.items()))
    assert apart == sorted(apart, reverse=True)
    assert apart[0] > 2 * apart[-1]


@pytest.mark.usefixtures("trained")
def test_the_teacher_has_its_part_in_the_shares() -> None:
    aims = [made(teacher_shares=part)["target"] for part in (0.0, 0.5, 1.0)]
    for name in aims[0]:
        assert 2 * aims[1][name] == pytest.approx(aims[0][name] + aims[2][name], abs=1e-5)
    assert max(abs(aims[0][name] - aims[2][name]) for name in aims[0]) > 0.01
    assert sum(aims[2].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.usefixtures("trained")
def test_without_levels_the_surest_keep_the_teachers_class() -> None:
    found = made(shares=False, regions=0.0, coverage=[0.5, 0.5])
    assert found["levels"] == {} and found["sensitivity"] == {}
    assert found["flipped"] == 0.0
    assert all(set(np.unique(level)) <= {0, 255} for _, level in rasters("level"))
    ledger = pd.read_parquet(R / "pseudo_labels/1/ledger.parquet")
    whole = ledger[ledger["class"] == EVERY].set_index("rule")
    assert whole.loc["reassigned", "accuracy"] == pytest.approx(whole.loc["threshold", "accuracy"])


@pytest.mark.usefixtures("trained")
def test_the_ledger_compares_at_one_coverage() -> None:
    made(coverage=[0.7, 0.7])
    sample = pd.read_parquet(R / "pseudo_labels/1/sample.parquet")
    rules = list(sample.columns[3:])
    assert rules == [*RULES, "shares", "shares + regions", "reassigned"]
    for rule in rules:
        assert (sample[rule] != 255).mean() == pytest.approx(0.7, abs=1e-3)
    ledger = pd.read_parquet(R / "pseudo_labels/1/ledger.parquet")
    assert list(ledger["rule"].unique()) == rules
    assert set(ledger["set"]) == {"calibration"} and set(ledger["round"]) == {1}


@pytest.mark.usefixtures("trained")
def test_the_ledger_says_what_each_rule_does_to_the_classes() -> None:
    found = made(coverage=[0.7, 0.7])
    sample = pd.read_parquet(R / "pseudo_labels/1/sample.parquet")
    ledger = pd.read_parquet(R / "pseudo_labels/1/ledger.parquet")
    names, levels = found["classes"], ["shares", "shares + regions", "reassigned"]
    for rule, rows in ledger.groupby("rule"):
        each = rows.set_index("class").loc[names]
        labels = sample[rule][sample[rule] != 255]
        counts = np.bincount(labels, minlength=len(names))
        assert each["after"].to_numpy() == pytest.approx(counts / len(labels))
        assert each["before"].sum() == pytest.approx(1)
        whole = rows.set_index("class").loc[EVERY]
        assert whole["flipped"] == pytest.approx((each["flipped"] * each["after"]).sum())
        assert whole["passes"] > 0 if rule in levels else np.isnan(whole["passes"])
        if rule not in levels:
            assert each["potential"].isna().all()
    one, other = (ledger[ledger["rule"] == rule].set_index("class") for rule in levels[-2:])
    assert one["potential"].equals(other["potential"])
    whole = ledger[ledger["class"] == EVERY].set_index("rule")["flipped"]
    assert whole["argmax"] == whole["threshold"] == 0 < whole["reassigned"]
    before = ledger[ledger["class"] != EVERY].groupby("class")["before"]
    assert (before.max() == before.min()).all()


@pytest.mark.usefixtures("trained")
def test_both_solvers_give_the_same_labels() -> None:
    every = {
        "epsilon": 0.5,
        "sample": 10**6,
        "gate": 0.0,
        "coverage": [0.8, 0.8],
        "max_passes": 20000,
        "rho": None,
    }
    found = [made(solver=solver, **every) for solver in ("newton", "pot")]
    one, other = (np.array(list(f["potentials"].values()), float) for f in found)
    known = np.isfinite(one)
    apart = (one - found[0]["unlabelled_potential"]) - (other - found[1]["unlabelled_potential"])
    assert np.abs(apart[known]).max() < 1e-3


@pytest.mark.usefixtures("trained")
def test_finished_scenes_survive_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    write = teaching.Teacher._write

    def dying(self: Any, scene: Any, *arguments: Any) -> None:
        judged.append(scene.name)
        if len(judged) == 2:
            raise OSError("the power went")
        write(self, scene, *arguments)

    monkeypatch.setattr(teaching.Teacher, "_write", dying)
    assert main(LABELS.split()) == 1
    first, second = judged
    assert not (R / "pseudo_labels/1").exists()
    made()
    assert judged[2] == second and first not in judged[2:]
    assert not list(Path(".dllr/pseudo_label").iterdir())


@pytest.mark.usefixtures("trained")
def test_temperatures_at_their_limit_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    values = read_yaml(Path("params.yaml"))
    values["split"] |= {"calibration": 0.5}  # a window that tells
    save(values)
    assert front() == 0
    monkeypatch.setattr(teaching, "temperature", lambda _logits, _label: 1.0)
    made()
    assert "at its limit" not in caplog.text
    monkeypatch.setattr(teaching, "temperature", lambda _logits, _label: teaching.LIMITS[1])
    made()
    assert "the temperature of the head sar is at its limit, 10.0" in caplog.text


@given(st.integers(1, 100_000), st.sampled_from([64, 100, 128, 256]))
def test_pixels_of_a_fold_are_bounded_and_those_of_a_small_one_every_second(
    windows: int, size: int
) -> None:
    side = len(range(size)[teaching.thinned(windows, size)])
    assert windows * (side - 1) ** 2 <= teaching.FOLD
    if windows * size**2 <= 4 * teaching.FOLD:
        assert side == size // 2
    assert side > 0


def test_heads_weigh_in_labels_as_they_do_in_losses() -> None:
    whole = sum(losses.WEIGHTS.values())
    assert {head: weight / whole for head, weight in losses.WEIGHTS.items()} == teaching.WEIGHTS
