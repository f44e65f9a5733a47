"""An ONNX file as a model of MLflow's, which `mlflow.pyfunc` loads and `mlflow models serve` serves."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from dllr.tracking.view import Model


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
