"""The exported network: what it says, to whom, and on what it does not depend."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import rasterio
import torch
from rasterio.windows import Window

import dllr
from dllr.errors import ExportError
from dllr.models import to_onnx
from dllr.models.checkpoint import load
from dllr.models.deployed import Deployed
from dllr.raster.arrays import open_arrays

from .small_run import R, made, run, stage  # noqa: F401
from .small_scenes import SIDE, project  # noqa: F401


@pytest.fixture
def exported(run: Path) -> Path:  # noqa: F811
    stage(
        f"export --coregistered {R}/coregistered --split {R}/split --checkpoint {R}/evaluation/checkpoint.pt "
        f"--scores {R}/evaluation/scores.json --out {R}/model"
    )
    return run / R


def ask(path: Path, image: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image})[0]


def window(results: Path, scene: str, size: int) -> np.ndarray:
    """A corner of a scene as its files have it, missing pixels 0, as a stacked raster would."""
    parts = []
    for name in ("optical", "sar"):
        with rasterio.open(results / "coregistered" / scene / f"{name}.tif") as source:
            read = source.read(window=Window(0, 0, size, size), masked=True)
            parts.append(read.astype(np.float32).filled(0))
    return np.concatenate(parts)[None]


def test_a_window_read_from_files_gives_what_the_network_gives(exported: Path) -> None:
    trained = load(exported / "evaluation" / "checkpoint.pt")
    scene = sorted(p.name for p in (exported / "coregistered").iterdir() if p.is_dir())[0]
    size = trained.size
    found = ask(exported / "model" / "model.onnx", window(exported, scene, size))
    patch = open_arrays(exported / "coregistered" / scene).crop(0, 0, size, size).physical()
    optical, sar, valid = (torch.from_numpy(part.copy())[None] for part in patch)
    with torch.no_grad():
        logits = trained.teacher(trained.optical(optical), trained.sar(sar), valid)["fused"]
    wanted = (logits / trained.temperatures["fused"]).softmax(1)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_the_example_is_a_window_of_the_data(exported: Path) -> None:
    example = np.load(exported / "model" / "example.npy")
    trained = load(exported / "evaluation" / "checkpoint.pt")
    corners = [window(exported, name, SIDE)[0] for name in "abcd"]
    size = trained.size
    places = [
        (k, y, x)
        for k, image in enumerate(corners)
        for y in range(0, SIDE, size)
        for x in range(0, SIDE, size)
        if np.array_equal(image[:, y : y + size, x : x + size], example[0])
    ]
    assert len(places) == 1
    assert np.abs(ask(exported / "model" / "model.onnx", example).sum(1) - 1).max() < 1e-5


def test_deepness_divides_and_gets_the_same(exported: Path) -> None:
    size = load(exported / "evaluation" / "checkpoint.pt").size
    image = window(exported, "a", size)
    plain = ask(exported / "model" / "model.onnx", image)
    np.testing.assert_allclose(
        ask(exported / "model" / "deepness.onnx", image / np.float32(255)), plain, atol=1e-4
    )


def test_metadata_are_those_the_plugin_reads(exported: Path) -> None:
    trained = load(exported / "evaluation" / "checkpoint.pt")
    model = onnx.load(exported / "model" / "deepness.onnx")
    facts = {p.key: json.loads(p.value) for p in model.metadata_props}
    assert facts["model_type"] == "Segmentor"
    assert list(facts["class_names"].values()) == trained.classes
    assert list(facts["class_names"]) == [str(k) for k in range(len(trained.classes))]
    assert facts["tile_size"] == trained.size
    assert facts["bands"] == [*trained.optical_bands, *trained.sar_bands]
    assert facts["resolution"] == 500  # cm
    # Else it writes class 0 where no class has half of the probability, and takes small things away.
    assert facts["seg_thresh"] == facts["seg_small_segment"] == 0
    (shape,) = ([d.dim_value for d in i.type.tensor_type.shape.dim] for i in model.graph.input)
    assert shape[1:] == [len(facts["bands"]), trained.size, trained.size]
    assert len(model.graph.output) == 1


@pytest.mark.parametrize("modality", ["optical", "sar"])
def test_one_modality_may_be_missing_as_zeros_or_as_no_numbers(
    exported: Path, modality: str
) -> None:
    trained = load(exported / "evaluation" / "checkpoint.pt")
    bands = len(trained.optical_bands)
    part = slice(0, bands) if modality == "optical" else slice(bands, None)
    image = window(exported, "a", trained.size)
    whole = ask(exported / "model" / "model.onnx", image)
    answers = []
    for nothing in (0, np.nan):
        image[:, part] = nothing
        answers.append(ask(exported / "model" / "model.onnx", image))
    np.testing.assert_array_equal(*answers)
    assert np.isfinite(answers[0]).all()
    assert not np.allclose(answers[0], whole)


def test_the_card_says_what_goes_in_and_how_good_it_is(exported: Path) -> None:
    card = (exported / "model" / "README.md").read_text(encoding="utf-8")
    trained = load(exported / "evaluation" / "checkpoint.pt")
    scores = json.loads((exported / "evaluation" / "scores.json").read_text())["rounds"]["0"]
    for word in (*trained.classes, *trained.optical_bands, *trained.sar_bands):
        assert word in card
    assert f"| fused | {100 * scores['fused']['miou']:.1f} |" in card
    assert card.startswith("---\nlicense: ")
    assert "{{" not in card and "None" not in card


def test_files_tell_nothing_of_the_folders_they_were_made_in(exported: Path) -> None:
    for path in (exported / "model").iterdir():
        for place in (str(Path(dllr.__file__).parent), str(exported), sys.prefix):
            assert place.encode() not in path.read_bytes()


def test_it_runs_without_torch_and_without_this_package(exported: Path) -> None:
    size = load(exported / "evaluation" / "checkpoint.pt").size
    code = (
        "import sys, numpy, onnxruntime; s = onnxruntime.InferenceSession(sys.argv[1]);"
        f"b = s.get_inputs()[0].shape[1]; x = numpy.ones((1, b, {size}, {size}), numpy.float32);"
        "p = s.run(None, {'image': x})[0]; assert abs(p.sum(1) - 1).max() < 1e-5;"
        "assert not {'torch', 'dllr'} & set(sys.modules)"
    )
    path = exported / "model" / "model.onnx"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, cwd=path.parent)


def test_a_model_that_answers_otherwise_is_refused(exported: Path) -> None:
    trained = load(exported / "evaluation" / "checkpoint.pt")
    model = onnx.load(exported / "model" / "model.onnx")
    image = window(exported, "a", trained.size)
    deployed = Deployed(trained, 1.0, 0.5)  # another scale than the one that was exported
    with pytest.raises(ExportError, match="another version of torch"):
        to_onnx.check(model, deployed, image)
