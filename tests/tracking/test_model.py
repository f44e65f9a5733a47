"""A run's network as a logged model of MLflow's, and in the registry on request."""

import sys
from typing import Any

import pytest
from tracked_project import Project

from dllr.errors import TrackingError
from dllr.tracking import track


def test_the_model_is_loaded_by_its_run_and_takes_a_raw_window(project: Project) -> None:
    track(project.root)
    (run_id,) = (i for i, run in project.dump().items() if run["tags"].get("method"))
    code = (
        "import sys, numpy, mlflow; mlflow.set_tracking_uri(sys.argv[1]);"
        "model = mlflow.pyfunc.load_model(sys.argv[2]);"
        "x = numpy.random.rand(3, 2, 4, 4).astype('float32');"
        "assert (model.predict({'image': x})['same'] == x).all();"
        "assert (model.input_example['image'].ravel() == range(32)).all()"
    )
    store = f"sqlite:///{project.root / 'mlflow.db'}"
    project.run(sys.executable, "-c", code, store, f"runs:/{run_id}/model")
    (logged,) = models(project)
    assert logged.source_run_id == run_id and logged.status == "READY"
    assert {metric.key: metric.value for metric in logged.metrics}["miou"] == 0.6
    (project.root / "results/model/README.md").write_text("# Another card\n")
    project.run("dvc", "commit", "--force", "export")
    track(project.root)
    assert len(models(project)) == 2
    project.run(sys.executable, "-c", code, store, f"runs:/{run_id}/model")
    track(project.root)
    assert len(models(project)) == 2
    assert len(project.dump()[run_id]["history"]["miou"]) == 2  # one a model


def models(project: Project) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    return list(client.search_logged_models([e.experiment_id for e in client.search_experiments()]))


def test_a_model_is_registered_where_that_is_asked_for(project: Project) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    track(project.root)
    assert list(client.search_registered_models()) == []
    assert track(project.root, register="land cover").endswith("model land cover, version 1")
    assert "as version 1 already" in track(project.root, register="land cover")
    (version,) = client.search_model_versions("name = 'land cover'")
    (logged,) = models(project)
    assert version.source == logged.artifact_location
    for card in "abc":  # MLflow gives the models of a run in no order
        (project.root / "results/model/README.md").write_text(card)
        project.run("dvc", "commit", "--force", "export")
        track(project.root, register="land cover")
    versions = client.search_model_versions("name = 'land cover'")
    newest = max(versions, key=lambda v: int(v.version))
    latest = max(models(project), key=lambda m: m.creation_timestamp)
    assert len(versions) == 4 and newest.source == latest.artifact_location
    code = (
        "import sys, mlflow; mlflow.set_tracking_uri(sys.argv[1]);"
        "assert mlflow.pyfunc.load_model('models:/land cover/1').input_example['image'].size == 32"
    )
    project.run(sys.executable, "-c", code, f"sqlite:///{project.root / 'mlflow.db'}")


def test_a_model_that_was_deleted_is_posted_again(project: Project) -> None:
    from mlflow import MlflowClient

    track(project.root)
    client = MlflowClient(f"sqlite:///{project.root / 'mlflow.db'}")
    (logged,) = models(project)
    client.delete_logged_model(logged.model_id)
    assert "1 updated" in track(project.root)
    (again,) = models(project)
    assert again.model_id != logged.model_id
    assert track(project.root).endswith("9 unchanged")


@pytest.mark.parametrize("name", ["it's", "a/b", " "])
def test_a_name_that_no_registry_takes_is_told(project: Project, name: str) -> None:
    with pytest.raises(TrackingError, match="cannot be a registered model's name"):
        track(project.root, register=name)


def test_without_a_model_nothing_is_registered(fresh: Project) -> None:
    with pytest.raises(TrackingError, match="no model to register"):
        track(fresh.root, register="land cover")
