"""The main promises again on the real chain: one small run, shared by all tests here."""

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from ruamel.yaml import YAML

from .conftest import NOTHING, Project

HEADS = {"fused", "optical", "sar"}
ROUNDS = ["0", "1", "2"]


def ran(printed: str) -> set[str]:
    """The stages whose command DVC ran."""
    return set(re.findall(r"Running stage '([^']+)'", printed))


def stale(chain: Project) -> set[str]:
    return set(json.loads(chain("dvc", "status", "--json")))


def metrics(chain: Project) -> dict[str, Any]:
    return json.loads((chain.root / "results/evaluation/scores.json").read_text())


def nothing_to_do(chain: Project) -> None:
    assert NOTHING["dvc"] in chain("dvc", "status")
    assert NOTHING["snakemake"] in chain("snakemake", "--cores", "all", "--dry-run")


def test_after_snakemake_nothing_is_left_to_do(built_chain: Project) -> None:
    nothing_to_do(built_chain)
    assert ran(built_chain("dvc", "repro")) == set()


def test_scores_have_the_promised_form(built_chain: Project) -> None:
    found = metrics(built_chain)
    assert list(found["rounds"]) == ROUNDS
    assert len(found["classes"]) == 7
    for heads in found["rounds"].values():
        assert set(heads) == HEADS
        for scores in heads.values():
            by_class = {"iou", "precision", "recall", "class_f1"}
            assert set(scores) == {"miou", "oa", "f1", "kappa", "boundary_miou"} | by_class
            assert all(set(scores[key]) == set(found["classes"]) for key in by_class)
            assert 0 <= scores["miou"] <= 1
    selection = json.loads((built_chain.root / "results/evaluation/selection.json").read_text())
    best = max(ROUNDS, key=lambda r: (selection["validation_miou"][r], -int(r)))
    assert found["selected_round"] == selection["selected_round"] == int(best)
    assert selection["temperature"] > 0


def test_maps_open_as_they_should_and_leave_no_data_alone(built_chain: Project) -> None:
    folders = sorted(p for p in (built_chain.root / "results/maps").iterdir() if p.is_dir())
    assert len(folders) == 6
    classes = YAML(typ="safe").load(built_chain.root / "params.yaml")["scenes"]["label"]["classes"]
    first = tuple(bytes.fromhex(next(iter(classes.values()))["colour"].removeprefix("#")))
    for folder in folders:
        image = built_chain.root / "results/coregistered" / folder.name
        with (
            rasterio.open(folder / "class.tif") as kind,
            rasterio.open(folder / "confidence.tif") as sure,
        ):
            with (
                rasterio.open(image / "optical.tif") as optical,
                rasterio.open(image / "sar.tif") as sar,
            ):
                seen = (optical.read() != optical.nodata).any(axis=0) | np.isfinite(sar.read(1))
                assert (kind.crs, kind.transform, kind.shape) == (
                    optical.crs,
                    optical.transform,
                    optical.shape,
                )
            classes, confidence = kind.read(1), sure.read(1)
            assert kind.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert kind.colormap(1)[0][:3] == first
            assert np.array_equal(classes != 255, seen)
            assert classes[seen].max() < 7
            assert confidence[seen].max() <= 100
            assert (confidence[~seen] == 255).all()


def test_pseudo_labels_lie_in_training_scenes_and_keep_their_evidence(built_chain: Project) -> None:
    results = built_chain.root / "results"
    split = json.loads((results / "split/summary.json").read_text())["scenes"]
    for number in ("1", "2"):
        folder = results / "pseudo_labels" / number
        assert {p.name for p in folder.iterdir() if p.is_dir()} == {
            n for n, s in split.items() if s == "train"
        }
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["converged"]
        assert sum(summary["after"].values()) == pytest.approx(1, abs=1e-4)
        assert (results / "rounds" / number / "labels.json").read_text() == (
            folder / "summary.json"
        ).read_text()


def test_labels_outside_the_budget_are_not_written(built_chain: Project) -> None:
    results = built_chain.root / "results"
    known = 0
    for path in sorted((results / "split/labels").glob("*.tif")):
        with (
            rasterio.open(path) as shown,
            rasterio.open(results / "split/roles" / path.name) as roles,
        ):
            visible = shown.read(1) != 255
            assert np.isin(roles.read(1)[visible], (1, 2)).all()
            known += int(visible.sum())
    assert 0 < known <= 8 * 64 * 64


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("dllr/report/page.py", {"report"}),
        ("dllr/methods/supervised.py", {"warmup"}),
        ("dllr/methods/dllr.py", {"train_round@1", "train_round@2"}),
        ("dllr/registration/estimate.py", {"coregister"}),
        ("dllr/params/report.py", {"report"}),
        ("dllr/cli.py", set()),
        ("dllr/demo/sar.py", set()),
    ],
)
def test_an_edit_of_code_makes_its_stages_stale(
    chain: Project, file: str, stages: set[str]
) -> None:
    path = chain.root / file
    path.write_text(path.read_text() + "\n# edited\n")
    assert stale(chain) == stages


def test_a_late_parameter_runs_only_what_follows(chain: Project) -> None:
    chain.edit("params.yaml", "  overlap: 0.5 ", "  overlap: 0.4 ")
    planned = chain("snakemake", "--cores", "all", "--dry-run")
    assert set(re.findall(r"^rule (\w+):", planned, re.M)) == {"map", "report", "all"}
    assert ran(chain("dvc", "repro")) == {"map", "report"}
    nothing_to_do(chain)


def test_a_label_pixel_reaches_what_sees_labels_and_no_more(chain: Project) -> None:
    path = chain.root / "data/own/scene_01/label.tif"
    with rasterio.open(path, "r+") as label:
        values = label.read(1)
        values[0, 0] = 10 if values[0, 0] != 10 else 20
        label.write(values, 1)
    assert ran(chain("dvc", "repro", "split", "tile")) == {"scenes", "coregister", "split"}


def test_a_deleted_map_comes_back_without_being_made_again(chain: Project) -> None:
    before = (chain.root / "results/maps/scene_01/class.tif").read_bytes()
    shutil.rmtree(chain.root / "results/maps")
    printed = chain("snakemake", "--cores", "all")
    assert (chain.root / "results/maps/scene_01/class.tif").read_bytes() == before
    assert "map: 100%" not in printed
    nothing_to_do(chain)


def test_a_removed_round_leaves_no_trace_and_none_is_allowed(chain: Project) -> None:
    params = chain.root / "params.yaml"
    text, edits = re.subn(r"(?m)^rounds: \{.*?\}", "rounds: {}", params.read_text())
    assert edits == 1
    params.write_text(text)
    done = ran(chain("dvc", "repro"))  # the map stands where round 0 had been selected before
    assert {"evaluate", "export", "report"} <= done <= {"evaluate", "export", "map", "report"}
    assert list(metrics(chain)["rounds"]) == ["0"]
    assert [p.name for p in (chain.root / "results/rounds").iterdir() if p.is_dir()] == ["0"]
    nothing_to_do(chain)


def test_a_clone_with_the_cache_has_nothing_to_do(chain: Project, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    chain("dvc", "remote", "add", "--default", "local", str(remote))
    chain("git", "commit", "--quiet", "--message", "remote", "--", ".dvc/config")
    chain("dvc", "push")
    chain("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone", {**chain.env, "PYTHONPATH": str(tmp_path / "clone")})
    shutil.copytree(chain.root / "data/own", clone.root / "data/own")
    clone("dvc", "pull")
    nothing_to_do(clone)


def test_training_killed_and_run_again_gives_the_same_network(chain: Project) -> None:
    checkpoint = chain.root / "results/rounds/0/checkpoint.pt"
    before = checkpoint.read_bytes()
    shutil.rmtree(chain.root / ".dllr", ignore_errors=True)
    running = chain.start("dvc", "repro", "--force", "--single-item", "warmup")
    until = time.monotonic() + 120
    while not list(chain.root.glob(".dllr/warmup/*/last.pt")):
        assert time.monotonic() < until and running.poll() is None
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert list(chain.root.glob(".dllr/warmup/*/last.pt"))
    assert not checkpoint.exists()
    shutil.rmtree(chain.root / ".dvc/tmp", ignore_errors=True)
    chain("dvc", "repro", "--force", "--single-item", "warmup")
    assert checkpoint.read_bytes() == before
    nothing_to_do(chain)


def test_dvc_compares_experiments(chain: Project) -> None:
    chain("dvc", "exp", "run", "--set-param", "evaluate.overlap=0.5", "--name", "denser")
    assert "evaluate.overlap" in chain("dvc", "params", "diff")
    changed = json.loads(chain("dvc", "metrics", "diff", "--json", "--all"))
    assert any("metrics.json" in name for name in changed)
    assert "denser" in chain("dvc", "exp", "show", "--csv", "--no-pager")
    plots = drawn(chain("dvc", "plots", "diff", "HEAD", "--json"))
    assert len(plots.pop("confusion")) == 2 * len(metrics(chain)["classes"]) ** 2
    for marks in plots.values():
        assert {mark["rev"] for mark in marks if "rev" in mark} == {"HEAD", "workspace"}


def drawn(plots: str) -> dict[str, list[dict[str, str]]]:
    """What `dvc plots` draws: the marks of each plot, what they stand for, and their shape."""
    import vl_convert

    found = {}
    for name, entries in json.loads(plots)["data"].items():
        content = entries[0]["content"]
        svg = vl_convert.vegalite_to_svg(
            json.loads(content) if isinstance(content, str) else content
        )
        parts = re.findall(
            r'<path aria-label="([^"]*)" [^>]*?roledescription="([^"]*)" [^>]*?d="([^"]*)" (.*?)/>',
            svg,
        )
        found[name] = [
            {"mark": mark, "shape": shape, "look": look}
            | dict(word.split(": ", 1) for word in label.split("; "))
            for label, mark, shape, look in parts
        ]
    return found


def test_dvc_draws_what_the_tables_hold(built_chain: Project) -> None:
    folder = built_chain.root / "results/evaluation"
    plots = drawn(built_chain("dvc", "plots", "show", "--json"))

    def table(name: str) -> pd.DataFrame:
        return pd.read_csv(folder / name)

    def lengths(marks: list[dict[str, str]]) -> list[float]:
        return [float(re.search(r"h(-?[\d.]+)", mark["shape"])[1]) for mark in marks]  # type: ignore[index]

    curves = plots["learning curves"]
    assert sorted(mark["round"] for mark in curves) == sorted(ROUNDS * 3)
    assert len({mark["look"] for mark in curves}) == len(ROUNDS)
    assert all("L" in mark["shape"] for mark in curves)

    counts = {(m["actual"], m["predicted"]): m for m in plots["confusion"]}
    for row in table("confusion.csv").itertuples():
        assert counts[row.actual, row.predicted]["pixels"] == f"{row.count:,}"  # type: ignore[str-bytes-safe]
    assert len({mark["look"] for mark in counts.values()}) > 2  # colours follow the counts

    scores, shares = table("classes.csv"), table("marginals.csv")
    wanted = scores[["iou", "precision", "recall", "f1"]].stack().dropna().tolist()
    bars = plots["scores by class"]
    assert sorted(float(m["value"]) for m in bars) == pytest.approx(sorted(wanted), abs=1e-6)
    longest = max(lengths(bars))
    assert longest > 50
    assert lengths(bars) == pytest.approx(
        [longest * float(m["value"]) / max(wanted) for m in bars], abs=0.1
    )
    bars = plots["class shares of the pseudo-labels"]
    assert len(bars) == 2 * len(shares)
    assert max(lengths(bars)) > 50

    points = [m for m in plots["reliability"] if m["mark"] == "point"]
    bins = table("reliability.csv")
    assert len(points) == bins[["accuracy_before", "accuracy_after"]].notna().to_numpy().sum()


def test_a_stage_that_runs_is_known_by_what_dvc_will_record(chain: Project) -> None:
    from dllr.tracking.identity import planned_stages, recorded_stages, state_of

    recorded, planned = recorded_stages(chain.root), planned_stages(chain.root)
    assert {name: stage.key for name, stage in planned.items()} == {
        name: stage.key for name, stage in recorded.items()
    }
    states = state_of(recorded.values()), state_of(planned.values())
    assert states[0] and states[1] and states[0].key == states[1].key


def test_mlflow_shows_what_dvc_recorded(chain: Project) -> None:
    assert "posted" in chain("dllr", "track") or (chain.root / "mlflow.db").exists()
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{chain.root}/mlflow.db")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    parents = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
    assert len(parents) == 1
    selected = metrics(chain)["selected_round"]
    fused = metrics(chain)["rounds"][str(selected)]["fused"]
    assert parents[0].data.metrics["miou"] == pytest.approx(fused["miou"])
    assert len(runs) == 1 + 13
    for run in runs:
        seconds = run.data.metrics["system/wall_seconds"]
        assert run.info.end_time - run.info.start_time == pytest.approx(1000 * seconds, abs=2)
        assert run.data.metrics["system/peak_memory_megabytes"] > 10
    (model,) = client.search_logged_models([parents[0].info.experiment_id])
    assert model.source_run_id == parents[0].info.run_id
