"""What `dllr track` leaves in the store, read back through MLflow's client."""

import pytest
from tracked_project import Project, commit

from dllr.tracking import track

STAGES = [
    "scenes", "split", "warmup", "pseudo_label@1", "train_round@1", "evaluate", "export", "report",
]  # fmt: skip


def test_a_run_for_the_state_and_one_below_it_for_each_stage(project: Project) -> None:
    line = track(project.root)
    assert line.endswith("9 posted, 0 updated, 0 unchanged")
    (whole,) = project.wholes()
    assert whole["experiment"] == whole["tags"]["set"] == "islands"
    assert whole["status"] == "FINISHED"
    assert whole["name"].endswith(" self_training 16 tiles")
    assert whole["params"]["train.learning_rate"] == "0.002"
    assert whole["params"]["scenes.optical.scale"] == "0.0001"
    assert whole["params"]["warmup.steps"] == "4000"
    assert {"seed.split": "3", "seed.train": "0", "method": "self_training"}.items() <= whole[
        "tags"
    ].items()
    assert whole["metrics"]["miou"] == 0.6
    assert whole["metrics"]["iou/built-up _dense_"] == 0.6
    assert whole["metrics"]["sar/miou"] == pytest.approx(0.4)
    rounds = [(step, value) for step, value, _ in whole["history"]["rounds/fused/miou"]]
    assert rounds == [(0, 0.5), (1, 0.6)]
    assert [name for name, _ in whole["inputs"]] == ["data/islands"]
    assert whole["inputs"][0][1].endswith(".dir")
    assert whole["artifacts"] == [
        "certificate.csv", "confusion.csv", "ledger.csv", "model_card.md", "params.yaml",
        "report/index.html", "scores.json", "selection.json",
    ]  # fmt: skip

    children = project.children(whole)
    assert sorted(children) == sorted(STAGES)
    assert all(child["status"] == "FINISHED" for child in children.values())
    student = children["train_round@1"]
    assert len(student["history"]["loss"]) == 400
    assert student["history"]["loss"][-1][:2] == (3990, 1 / 3991)
    assert "unlabelled" not in student["metrics"]  # an empty column has no points
    assert student["metrics"]["test/fused/miou"] == 0.6
    assert children["warmup"]["metrics"]["test/fused/miou"] == 0.5
    assert student["params"]["train_round.method"] == "self_training"
    assert student["tags"]["guard"] == "kept"
    assert {
        "validation/fused/miou": 0.5,
        "validation/optical/miou": 0.4,
        "validation/correlation": 0.71,
        "validation/entropy": 0.35,
    }.items() <= student["metrics"].items()
    assert "validation/sar/miou" not in student["metrics"]  # no pixel that it sees
    assert "split.seed" not in student["params"]
    assert [n for n, _ in student["inputs"]] == ["results/pseudo_labels/1", "results/rounds/0"]
    transport = children["pseudo_label@1"]["metrics"]
    assert {
        "target/water": 0.25,
        "temperature/fused": 1.5,
        "converged": 1.0,
    }.items() <= transport.items()


def test_how_sure_scores_and_probabilities_are_is_told(project: Project) -> None:
    track(project.root)
    (whole,) = project.wholes()
    told = whole["metrics"]
    assert (told["oa_low"], told["kappa_high"], told["optical/ece"]) == (0.55, 0.65, 0.1)
    assert "f1_low" not in told
    assert {
        "boundary_miou": 0.3, "precision/water": 0.7, "ece": 0.1, "brier": 0.4, "ece_before": 0.2,
        "brier_before": 0.5, "temperature": 1.5, "miou_low": 0.55, "miou_high": 0.65,
        "iou_low/water": 0.55, "iou_high/water": 0.65, "seen/both/miou": 0.6,
        "certificate/both": 0.6, "certificate/shift_1": 0.5,
    }.items() <= told.items()  # fmt: skip
    missing = (
        "precision/built-up _dense_",
        "iou_low/built-up _dense_",
        "seen/no sar/miou",
        "certificate/sar",
    )
    assert not set(missing) & set(told)


def test_how_right_labels_are_is_told_by_round_and_by_rule(project: Project) -> None:
    track(project.root)
    (whole,) = project.wholes()
    told = {key: value for key, value in whole["history"].items() if key.startswith("labels/")}
    assert {key: (step, value) for key, ((step, value, _),) in told.items()} == {
        "labels/calibration/shares _ regions/accuracy": (1, 0.7),
        "labels/calibration/argmax/accuracy": (1, 0.5),
    }
    stage = project.children(whole)["pseudo_label@1"]
    told = {key: value for key, value in stage["metrics"].items() if key.startswith("labels/")}
    assert told == {
        f"labels/calibration/{rule}/{measure}": value
        for rule, accuracy in (("shares _ regions", 0.7), ("argmax", 0.5))
        for measure, value in (("accuracy", accuracy), ("coverage", 0.8), ("miou", 0.4))
    }
    assert stage["artifacts"] == ["ledger.csv"]


def test_rounds_that_the_guard_did_not_keep_say_so(project: Project) -> None:
    project.change('rounds: {"1": 0}', 'rounds: {"1": 0, "2": 1, "3": 2}')
    project.repro()
    track(project.root)
    (whole,) = project.wholes()
    rounds = [(step, value) for step, value, _ in whole["history"]["rounds/guard_miou"]]
    assert rounds == [(0, 0.4), (1, 0.5), (2, 0.3)]
    children = project.children(whole)
    verdicts = [children[f"train_round@{number}"]["tags"]["guard"] for number in (1, 2, 3)]
    assert verdicts == ["kept", "lost", "skipped"]
    assert not [key for key in children["train_round@3"]["metrics"] if key.startswith("validation")]
    skipped = children["pseudo_label@3"]
    assert (skipped["tags"]["skipped"], skipped["metrics"]) == ("true", {})
    assert skipped["artifacts"] == []
    assert "skipped" not in children["pseudo_label@2"]["tags"]


def test_results_from_before_there_was_a_guard_or_a_ledger_are_posted(project: Project) -> None:
    project.run("sed", "-i", "/guard.json/d; /ledger.parquet/d", "thin.py")
    project.repro()
    track(project.root)
    (whole,) = project.wholes()
    assert whole["status"] == "FINISHED"
    assert "rounds/guard_miou" not in whole["metrics"]
    children = project.children(whole)
    assert "guard" not in children["warmup"]["tags"]
    assert children["pseudo_label@1"]["artifacts"] == []


def test_posting_twice_changes_nothing(project: Project) -> None:
    track(project.root)
    before = project.dump()
    assert track(project.root).endswith("0 posted, 0 updated, 9 unchanged")
    assert project.dump() == before


def test_a_post_that_was_cut_short_is_completed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dllr.tracking.store import Store

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_log_data", broken)
        with pytest.raises(KeyboardInterrupt):
            track(project.root)
    track(project.root)
    (whole,) = project.wholes()
    children = project.children(whole)
    assert sorted(children) == sorted(STAGES)
    assert len(children["warmup"]["history"]["loss"]) == 400


def test_a_commit_updates_a_tag_and_makes_no_run(project: Project) -> None:
    track(project.root)
    (whole,) = project.wholes()
    assert whole["tags"]["git"] == "as in the commit"
    ids = project.dump().keys()
    project.run("git", "add", "dvc.lock")
    head = commit(project, "results")
    assert track(project.root).endswith("0 posted, 1 updated, 8 unchanged")
    assert project.dump().keys() == ids
    (whole,) = project.wholes()
    assert whole["tags"]["mlflow.source.git.commit"] == head


def test_a_changed_parameter_is_a_second_run_complete_in_itself(project: Project) -> None:
    track(project.root)
    project.change("pictures: 4", "pictures: 5")
    project.repro()
    assert track(project.root).endswith("9 posted, 0 updated, 0 unchanged")
    first, second = project.wholes()
    assert (first["params"]["report.pictures"], second["params"]["report.pictures"]) == ("4", "5")
    assert first["metrics"] == second["metrics"]
    one, two = project.children(first), project.children(second)
    same = {
        name
        for name in STAGES
        if one[name]["tags"]["dllr.stage"] == two[name]["tags"]["dllr.stage"]
    }
    assert same == set(STAGES) - {"report"}


def test_a_budget_of_scenes_is_told_as_one_of_tiles_is(project: Project) -> None:
    project.change("labelled_tiles: 16", "labelled_tiles: null, labelled_scenes: 2")
    project.repro()
    track(project.root)
    (whole,) = project.wholes()
    assert whole["name"].endswith(" self_training 2 scenes")
    assert whole["tags"]["labelled_scenes"] == "2"
    assert "labelled_tiles" not in whole["tags"]
    project.change("labelled_scenes: 2", "labelled_scenes: null")
    project.repro()
    track(project.root)
    assert project.wholes()[1]["name"].endswith(" self_training all tiles")


def test_an_edit_that_was_not_run_is_no_run(project: Project) -> None:
    track(project.root)
    before = project.dump()
    made = project.wholes()[0]["tags"]["mlflow.source.git.commit"]
    project.change("seed: 3", "seed: 4")
    commit(project, "an edit")
    assert track(project.root).endswith("0 posted, 1 updated, 8 unchanged")
    after = project.dump()
    assert after.keys() == before.keys()
    (whole,) = project.wholes()
    assert whole["params"]["split.seed"] == "3"
    assert whole["tags"]["mlflow.source.git.commit"] == made  # what was run, not what is there now
    assert whole["tags"]["git"] == "sources changed since they were run"


def test_a_partial_run_shows_what_belongs_to_the_new_state_only(project: Project) -> None:
    track(project.root)
    project.change("seed: 0", "seed: 1")
    project.repro("warmup")
    track(project.root)
    _, partial = project.wholes()
    assert partial["status"] == "SCHEDULED"
    assert "miou" not in partial["metrics"]
    assert sorted(project.children(partial)) == ["scenes", "split", "warmup"]
    project.repro()
    track(project.root)
    first, whole = project.wholes()
    assert whole["status"] == first["status"] == "FINISHED"
    assert sorted(project.children(whole)) == sorted(STAGES)


def test_outputs_that_are_not_those_of_the_lock_are_not_shown(project: Project) -> None:
    (project.root / "results/evaluation/scores.json").unlink()
    (project.root / "results/evaluation/scores.json").write_text("{}")
    track(project.root)
    (whole,) = project.wholes()
    assert "miou" not in whole["metrics"]
    assert "evaluate" not in project.children(whole)
    assert whole["status"] == "SCHEDULED"


def test_a_round_that_was_removed_is_not_shown(project: Project) -> None:
    project.change('rounds: {"1": 0}', "rounds: {}")
    project.repro()
    track(project.root)
    (whole,) = project.wholes()
    assert whole["tags"]["method"] == "supervised"
    gone = {"pseudo_label@1", "train_round@1"}
    assert sorted(project.children(whole)) == sorted(set(STAGES) - gone)


def test_a_pipeline_in_a_folder_below_is_another(project: Project) -> None:
    below = project.root / "studies"
    below.mkdir()
    (below / "params.yaml").write_text("train: {seed: 5}\n")
    stage = "{cmd: echo, params: [train], outs: [other]}"
    (below / "dvc.yaml").write_text(
        f"stages: {{warmup: {stage}, more: {stage.replace('other', 'x')}}}"
    )
    assert track(project.root).endswith("9 posted, 0 updated, 0 unchanged")


def test_nothing_run_yet_makes_the_store_and_says_so(fresh: Project) -> None:
    assert track(fresh.root).startswith("nothing to post")
    assert (fresh.root / "mlflow.db").exists()
