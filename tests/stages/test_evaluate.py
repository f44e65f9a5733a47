"""What `evaluate` writes of a small run, and that its tables tell of the same pixels."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dllr.cli import main
from dllr.evaluation.classes import by_class
from dllr.evaluation.confusion import confusion, scores
from dllr.evaluation.parts import boundary
from dllr.models.checkpoint import load
from dllr.params.load import read_yaml
from dllr.raster.arrays import open_arrays
from dllr.stages.certifying import BOTH, CONDITIONS, Condition, certificate, cloud, impaired
from dllr.stages.rating import intervals_of, summed, whole
from dllr.stages.scoring import Mapper, Matrices, counted, doubted

from .small_scenes import SIDE, front, project, save, write  # noqa: F401

HEADS = ("fused", "optical", "sar")
R = Path("results")
EVALUATE = (
    f"evaluate --coregistered {R}/coregistered --labels {R}/labels --split {R}/split "
    f"--trained {R}/rounds --out {R}/evaluation"
)


def gaps(folder: Path) -> None:
    """A cloud over the upper half of every optical image, no SAR in the last columns, neither in a corner."""
    rng = np.random.default_rng(1)
    for name in "abcd":
        optical = rng.integers(1, 9000, (4, SIDE, SIDE)).astype(np.uint16)
        optical[:, : SIDE // 2] = 0
        sar = rng.random((1, SIDE, SIDE), np.float32) + 0.1
        sar[:, :, -20:] = np.nan
        label = np.kron(rng.choice([10, 20, 40, 0], (1, 8, 8)), np.ones((1, 16, 16), int))
        write(folder / name / "optical.tif", optical)
        write(folder / name / "sar.tif", sar)
        write(folder / name / "label.tif", label.astype(np.uint8))


@dataclass
class Run:
    """The stage's outputs, and what it was made from."""

    metrics: dict[str, Any]
    selection: dict[str, Any]
    mapper: Mapper
    matrices: Matrices

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(R / "evaluation" / name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("run")


@pytest.fixture
def run(project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:  # noqa: F811
    """A round of two steps, made once and evaluated once; the tests read it."""
    made = folder / "project"
    if not made.exists():
        values = read_yaml(Path("params.yaml"))
        values["scenes"]["optical"]["nodata"] = 0
        values["model"]["width"] = 8
        values["train"] |= {"batch": 2, "log_every": 1}
        values["warmup"]["steps"] = 2
        values["rounds"] = {}
        save(values)
        gaps(project / "data/demo")
        assert front() == 0
        for words in (
            f"warmup --coregistered {R}/coregistered --tiles {R}/tiles --split {R}/split --out {R}/rounds/0",
            EVALUATE,
        ):
            assert main(words.split()) == 0
        project.rename(made)
    monkeypatch.chdir(made)
    mapper = Mapper(
        R / "rounds/0/checkpoint.pt", R / "coregistered", R / "labels", R / "split", 0.25
    )
    metrics, selection = (
        json.loads((R / "evaluation" / name).read_text())
        for name in ("scores.json", "selection.json")
    )
    return Run(metrics, selection, mapper, counted(mapper, "0"))


def test_scores_are_those_of_the_pixels_looked_at_anew(run: Run) -> None:
    names = run.metrics["classes"]
    found = {key: np.zeros((len(names),) * 2, np.int64) for key in ("all", "band", "no optical")}
    seen_by_none = 0
    for held in run.mapper.held("test", doing="test"):
        valid, border = np.asarray(held.scene.valid), boundary(held.truth)
        predicted = np.concatenate([z[0].argmax(axis=0) for _, z in run.mapper.look(held.scene)])
        scored = held.masks["test"] & valid.any(axis=0)
        seen_by_none += int((held.masks["test"] & ~scored & (held.truth != 255)).sum())
        for key, part in (
            ("all", scored),
            ("band", scored & border),
            ("no optical", scored & ~valid[0]),
        ):
            found[key] += confusion(np.where(part, held.truth, 255), predicted, len(names))
    assert seen_by_none > 0 and 0 < found["band"].sum() < found["all"].sum()
    told = run.metrics["rounds"]["0"]["fused"]
    assert told["boundary_miou"] == scores(found["band"], names)["miou"]
    assert told == {
        **scores(found["all"], names),
        "boundary_miou": told["boundary_miou"],
        **by_class(found["all"], names),
    }
    seen = run.metrics["seen"]
    assert list(seen) == ["both", "no optical", "no sar"]
    assert seen["no optical"]["miou"]["fused"] == scores(found["no optical"], names)["miou"]
    assert sum(part["pixels"] for part in seen.values()) == found["all"].sum()
    assert all(part["pixels"] for part in seen.values())


def test_the_table_by_scene_holds_all_parts_and_adds_up(run: Run) -> None:
    table = run.table("confusion_by_scene.csv")
    assert (table["count"] > 0).all()
    assert set(table["head"]) == set(HEADS) and set(table["split"]) == {"validation", "test"}
    rows = table[(table["split"] == "test") & (table["head"] == "fused")]
    sums = rows.groupby(["actual", "predicted"])["count"].sum()
    every = run.table("confusion.csv").set_index(["actual", "predicted"])["count"]
    assert sums.to_dict() == every[every > 0].to_dict()
    by_head = table[table["split"] == "test"].groupby("head")["count"].sum()
    assert by_head.nunique() == 1  # all heads on the same pixels


def test_scores_by_class_are_those_of_the_selected_round(run: Run) -> None:
    table = run.table("classes.csv").set_index("class")
    told = run.metrics["rounds"]["0"]["fused"]
    for column, key in (("iou", "iou"), ("precision", "precision"), ("f1", "class_f1")):
        shown = {n: None if np.isnan(v) else pytest.approx(v) for n, v in table[column].items()}
        assert told[key] == shown
    assert table["pixels"].sum() == whole(run.matrices, "fused", "test").sum()
    known = table.dropna(subset=["iou_low"])
    assert len(known) and (known["iou_low"] <= known["iou_high"]).all()


def test_intervals_are_by_block_where_there_are_few_scenes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run.metrics["intervals"]
    assert found["by"] == "block" and set(HEADS) < set(found)
    assert found["units"] == 4  # a scene of 128 px has four blocks of 64
    for head in HEADS:
        bounds = found[head]["miou"]
        assert bounds["low"] <= run.metrics["rounds"]["0"][head]["miou"] <= bounds["high"]
    monkeypatch.setattr("dllr.stages.rating.FEWEST", 1)
    by_scene = intervals_of(run.matrices, {}, run.metrics["classes"])
    assert (by_scene["by"], by_scene["units"]) == ("scene", 1)
    assert by_scene["fused"]["miou"] is None  # one scene tells nothing of others


def test_blocks_add_up_to_the_whole(run: Run) -> None:
    blocks = doubted(run.mapper, dict.fromkeys(HEADS, 1.0)).blocks
    for head in HEADS:
        matrix = whole(run.matrices, head, "test")
        hits, actual, predicted = blocks[head].sum(axis=0)
        np.testing.assert_array_equal(hits, matrix.diagonal())
        np.testing.assert_array_equal(actual, matrix.sum(axis=1))
        np.testing.assert_array_equal(predicted, matrix.sum(axis=0))


def test_reliability_is_of_all_scored_pixels_before_and_after_the_temperature(run: Run) -> None:
    table = run.table("reliability.csv")
    assert len(table) == 15
    for word in ("before", "after"):
        pixels = table[f"pixels_{word}"]
        assert pixels.sum() == whole(run.matrices, "fused", "test").sum()
        gap = (table[f"accuracy_{word}"] - table[f"confidence_{word}"]).abs()
        told = run.metrics["calibration"]["fused"][word]
        assert (gap * pixels).sum() / pixels.sum() == pytest.approx(told["ece"])
        assert 0 <= told["brier"] <= 2
    hits = {
        word: (table[f"accuracy_{word}"] * table[f"pixels_{word}"]).sum()
        for word in ("before", "after")
    }
    assert hits["before"] == pytest.approx(hits["after"])  # a temperature changes no class
    doubt = doubted(run.mapper, load(R / "evaluation" / "checkpoint.pt").temperatures)
    for head in HEADS:
        told = run.metrics["calibration"][head]
        assert (told["before"]["ece"], told["after"]["ece"]) == (
            doubt.before[head].ece,
            doubt.after[head].ece,
        )


def test_the_temperature_is_the_one_that_the_checkpoint_carries(run: Run) -> None:
    kept = load(R / "evaluation" / "checkpoint.pt").temperatures
    assert run.selection["temperature"] == kept["fused"] != 1


def test_the_certificate_without_a_loss_is_the_evaluation_itself(run: Run) -> None:
    seen_by_both = summed(run.matrices, "fused", "test")[0].sum(axis=0)
    found = certificate(run.mapper, {BOTH: Condition()})
    np.testing.assert_array_equal(found[BOTH], seen_by_both)
    table = run.table("certificate.csv").set_index("condition")
    told = scores(seen_by_both, run.metrics["classes"])
    for key in ("miou", "oa", "f1", "kappa"):
        assert table.loc[BOTH, key] == pytest.approx(told[key])  # type: ignore[literal-required]
    assert list(table.index) == list(CONDITIONS)
    assert set(table["pixels"]) == {seen_by_both.sum()}


def test_a_lost_image_is_one_without_data(run: Run) -> None:
    found = certificate(run.mapper, {"sar": CONDITIONS["sar"]})["sar"]
    (held,) = run.mapper.held("test", doing="test")
    blind = np.array(held.scene.valid)
    scored = held.masks["test"] & blind.all(axis=0)
    blind[0] = False
    bands = run.mapper.look(replace(held.scene, valid=blind))
    predicted = np.concatenate([z[0].argmax(axis=0) for _, z in bands])
    expected = confusion(np.where(scored, held.truth, 255), predicted, run.mapper.classes)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("columns", [1, 4])
def test_a_moved_image_is_the_same_further_right(columns: int) -> None:
    scene = open_arrays(next((R / "coregistered").glob("*/record.json")).parent)
    moved = impaired(scene, Condition(shift=columns), np.ones((SIDE, SIDE), bool))
    there = moved.crop(0, 0, SIDE, SIDE)
    here = scene.crop(0, 0, SIDE, SIDE)
    np.testing.assert_array_equal(there.optical, here.optical)
    np.testing.assert_array_equal(there.valid[0], here.valid[0])
    np.testing.assert_array_equal(there.sar[..., columns:], here.sar[..., :-columns])
    np.testing.assert_array_equal(there.valid[1, :, columns:], here.valid[1, :, :-columns])
    assert not there.valid[1, :, :columns].any()
    inside = moved.crop(5, 40, 16, 16)
    np.testing.assert_array_equal(inside.sar, there.sar[:, 5:21, 40:56])


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_clouds_cover_their_share_of_the_scored_pixels_and_grow(share: float) -> None:
    scored = np.zeros((100, 130), bool)
    scored[20:90, 11:] = True
    found = cloud("one", scored, share)
    assert found.shape == scored.shape
    assert found[scored].mean() == pytest.approx(share, abs=1e-3)
    np.testing.assert_array_equal(found, cloud("one", scored, share))
    assert (found != cloud("other", scored, share)).any()
    assert (cloud("one", scored, share + 0.1) | ~found).all()
    edges = (found[:, 1:] != found[:, :-1]).mean()
    assert edges < 0.1  # clouds, not grains


def test_a_cloud_over_one_pixel_or_over_all() -> None:
    one = np.zeros((3, 5), bool)
    one[1, 2] = True
    assert cloud("one", one, 0.5).shape == (3, 5)
    assert cloud("one", one, 1).all()


def test_dvc_compares_the_round_in_use_in_few_numbers(run: Run) -> None:
    told = json.loads((R / "evaluation/metrics.json").read_text())
    fused = run.metrics["rounds"]["0"]["fused"]
    assert all(isinstance(value, int | float) for value in told.values())
    assert {name: told[name] for name in ("miou", "oa", "kappa")} == {
        name: fused[name] for name in ("miou", "oa", "kappa")
    }
    assert told["miou_sar_alone"] == run.metrics["rounds"]["0"]["sar"]["miou"]
    assert told["ece"] == run.metrics["calibration"]["fused"]["after"]["ece"]
    assert len(told) < 25


def test_the_same_run_gives_the_same_bytes(run: Run) -> None:
    assert run.metrics
    before = {path.name: path.read_bytes() for path in sorted((R / "evaluation").iterdir())}
    assert main(EVALUATE.split()) == 0
    after = {path.name: path.read_bytes() for path in sorted((R / "evaluation").iterdir())}
    assert set(before) == {
        "certificate.csv", "checkpoint.pt", "classes.csv", "confusion.csv", "confusion_by_scene.csv",
        "history.csv", "ledger.csv", "marginals.csv", "metrics.json", "reliability.csv", "scores.json", "selection.json",
    }  # fmt: skip
    assert before == after


def test_a_certificate_that_is_not_asked_for_is_not_measured(run: Run) -> None:
    """Last of the module: it writes over the table."""
    assert run.metrics
    path = Path("params.yaml")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("certificate: true", "certificate: false"), encoding="utf-8")
    assert main(EVALUATE.split()) == 0
    path.write_text(text, encoding="utf-8")
    assert list(run.table("certificate.csv")["condition"]) == [BOTH]
