"""A run's network as a model of MLflow's, which `mlflow.pyfunc` loads and `mlflow models serve` serves."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from dllr.errors import TrackingError
from dllr.tracking.view import Model

NAME = "model"  # of a run's model
DIGEST = "dllr.posted"  # tag: of what the model was made of
MISSING = "RESOURCE_DOES_NOT_EXIST"  # MLflow's word


def save(model: Model, folder: Path) -> None:
    """Write the folder of a model: the file, what goes in and comes out of it, its card, and an image that
    it was meant for as an example.

    The first dimension of both is free. Running it needs onnxruntime and not this package.
    """
    import mlflow.onnx
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    content = onnx.load(model.file)
    taken, given = (
        [TensorSpec(np.dtype(np.float32), _shape(value), value.name) for value in values]
        for values in (content.graph.input, content.graph.output)
    )
    example = {taken[0].name: np.load(model.example)}
    mlflow.onnx.save_model(
        content, str(folder), signature=ModelSignature(Schema([*taken]), Schema([*given])),
        input_example=example, pip_requirements=["onnx", "onnxruntime"], save_as_external_data=False,
    )  # fmt: skip
    shutil.copyfile(model.card, folder / model.card.name)


def _shape(value: Any) -> tuple[int, ...]:
    """−1 where a dimension is free."""
    return tuple(d.dim_value or -1 for d in value.type.tensor_type.shape.dim)


class Models:
    """The logged models of runs, and versions of registered ones. Whoever calls is alone with the store."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def of(self, run_id: str) -> list[Any]:
        """The run's models that are there, oldest first."""
        from mlflow.exceptions import MlflowException

        found = []
        outputs = self._client.get_run(run_id).outputs
        for output in outputs.model_outputs if outputs else []:
            try:
                found.append(self._client.get_logged_model(output.model_id))
            except MlflowException as error:
                if error.error_code != MISSING:  # somebody deleted it
                    raise
        return sorted(found, key=lambda model: int(model.creation_timestamp))

    def has(self, run_id: str, model: Model | None) -> bool:
        """Whether the newest of the run's models is this one; there is nothing to have without one."""
        if model is None:
            return True
        models = self.of(run_id)
        return bool(models) and models[-1].tags.get(DIGEST) == model.digest()

    def log(self, run: Any, model: Model) -> str:
        """Identifier of a new model, which `attach` gives to the run once its scores are there."""
        tags = {DIGEST: model.digest()}
        logged = self._client.create_logged_model(
            run.info.experiment_id, NAME, run.info.run_id, tags
        )
        with tempfile.TemporaryDirectory() as folder:
            save(model, Path(folder, NAME))
            self._client.log_model_artifacts(logged.model_id, str(Path(folder, NAME)))
        self._client.finalize_logged_model(logged.model_id, "READY")
        return str(logged.model_id)

    def attach(self, run_id: str, model_id: str) -> None:
        """Make a model one of the run's."""
        from mlflow.entities import LoggedModelOutput

        self._client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])

    def register(self, run: Any, name: str) -> str:
        """Make the run's newest model a version of the registered model `name`; a line that says which.

        Raises:
            TrackingError: the run has no model, or the name is none that a registry takes.
        """
        if not name.strip() or set(name) & set("/:'\""):
            raise TrackingError(
                f"{name!r} cannot be a registered model's name: take one without / : and quotes"
            )
        models = self.of(run.info.run_id)
        if not models:
            raise TrackingError(
                f"the run {run.info.run_name!r} has no model to register: run stage export first"
            )
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)
        source = models[-1].artifact_location
        for version in self._client.search_model_versions(f"name = '{name}'"):
            if version.source == source:
                return f"model {name} has it as version {version.version} already"
        made = self._client.create_model_version(
            name, source, run.info.run_id, model_id=models[-1].model_id
        )
        return f"model {name}, version {made.version}"
