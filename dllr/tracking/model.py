"""An ONNX file as a model of MLflow's, which `mlflow.pyfunc` loads and `mlflow models serve` serves."""

from pathlib import Path
from typing import Any

import numpy as np


def save(file: Path, folder: Path) -> None:
    """Write the folder of a model: the file, what goes in and comes out of it, and an example of input.

    The first dimension of both is free. Running it needs onnxruntime and not this package.
    """
    import mlflow.onnx
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    content = onnx.load(file)
    taken, given = (
        [TensorSpec(np.dtype(np.float32), _shape(value), value.name) for value in values]
        for values in (content.graph.input, content.graph.output)
    )
    example = {spec.name: np.zeros((1, *spec.shape[1:]), np.float32) for spec in taken}
    mlflow.onnx.save_model(
        content, str(folder), signature=ModelSignature(Schema([*taken]), Schema([*given])),
        input_example=example, pip_requirements=["onnx", "onnxruntime"], save_as_external_data=False,
    )  # fmt: skip


def _shape(value: Any) -> tuple[int, ...]:
    """−1 where a dimension is free."""
    return tuple(d.dim_value or -1 for d in value.type.tensor_type.shape.dim)
