"""A deployed network as ONNX, which runs without this package and without torch."""

import json
import logging
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dllr.errors import ExportError
from dllr.models.deployed import IMAGE, PROBABILITY, Deployed

TOLERANCE = 1e-4  # of a probability: what ONNX may differ by from torch


def exported(deployed: Deployed, bands: int, size: int, facts: Mapping[str, Any]) -> Any:
    """An `onnx.ModelProto`: windows of side `size`, any number at once; `facts` are its metadata, each as
    JSON."""
    example = (torch.zeros(2, bands, size, size),)
    many = ({0: torch.export.Dim("batch", min=1)},)
    torch_says = logging.getLogger("torch.onnx")
    before = torch_says.level
    torch_says.setLevel(logging.ERROR)  # that torchvision is not there is no news
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                deployed, example, dynamo=True, dynamic_shapes=many, verbose=False,
                input_names=[IMAGE], output_names=[PROBABILITY],
            )  # fmt: skip
    finally:
        torch_says.setLevel(before)
    assert program is not None  # as the exporter is asked for it
    model = program.model_proto
    for node in model.graph.node:  # where in whose folders torch was called
        del node.metadata_props[:]
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    return model


def multiplied(model: Any, factor: float) -> Any:
    """The same model for a caller that divides all values by `factor` before they come."""
    import onnx

    other = onnx.ModelProto()
    other.CopyFrom(model)
    graph = other.graph
    inner = f"{IMAGE}_as_it_was"
    for node in graph.node:
        node.input[:] = [inner if name == IMAGE else name for name in node.input]
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(factor, np.float32), "factor"))
    graph.node.insert(0, onnx.helper.make_node("Mul", [IMAGE, "factor"], [inner], "undivided"))
    onnx.checker.check_model(other)
    return other


def run(model: Any, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities (N, K, H, W) of images (N, B, H, W), by ONNX Runtime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found: NDArray[np.float32] = session.run([PROBABILITY], {IMAGE: image})[0]
    return found


def check(
    model: Any,
    deployed: Deployed,
    image: NDArray[np.float32],
    original: NDArray[np.float32] | None = None,
) -> float:
    """Largest difference of a probability between ONNX and torch on some images.

    original: the images as torch takes them, where the model takes others.

    Raises:
        ExportError: it is more than TOLERANCE.
    """
    with torch.no_grad():
        wanted = deployed(torch.from_numpy(image if original is None else original)).numpy()
    apart = float(np.abs(run(model, image) - wanted).max())
    if not apart <= TOLERANCE:
        raise ExportError(
            f"the exported model's probabilities lie up to {apart:.2g} from the network's, more than "
            f"{TOLERANCE:g}; another version of torch, onnxscript or onnxruntime may do better"
        )
    return apart
