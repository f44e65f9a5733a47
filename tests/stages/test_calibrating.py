"""Temperatures of the selected network are those of its validation pixels, and nothing else changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from dllr.execution import device
from dllr.models.checkpoint import Trained, load
from dllr.models.network import HEADS
from dllr.models.predict import logits
from dllr.raster.arrays import open_arrays
from dllr.raster.grid import read_indices
from dllr.stages import calibrating
from dllr.stages.calibrating import calibrated

from .small_run import made, project, run  # noqa: F401

R = Path("results")


def cost(trained: Trained, head: str, temperature: float) -> float:
    """Mean cross-entropy of the validation pixels that the head sees."""
    m, found = HEADS.index(head), []
    for path in sorted((R / "split/validation").glob("*.tif")):
        scene, label = open_arrays(R / "coregistered" / path.stem), read_indices(path)
        valid = np.asarray(scene.valid)
        known = (label != 255) & (valid.any(axis=0) if head == "fused" else valid[m - 1])
        parts = [z[m] for _, z in logits(trained, trained.teacher, scene, 0.25, device())]
        scores = log_softmax(np.concatenate(parts, axis=1)[:, known] / temperature, axis=0)
        found.append(-scores[label[known], np.arange(known.sum())])
    return float(np.concatenate(found).mean())


@pytest.mark.usefixtures("run")
def test_the_selected_network_is_calibrated_on_validation() -> None:
    trained = load(R / "evaluation/checkpoint.pt")
    for head in HEADS:
        best = trained.temperatures[head]
        assert best != 1.0
        assert cost(trained, head, best) <= min(
            cost(trained, head, best * factor) for factor in (0.95, 1.05)
        )


@pytest.mark.usefixtures("run")
def test_only_the_temperatures_differ_from_the_rounds_checkpoint() -> None:
    before, after = load(R / "rounds/0/checkpoint.pt"), load(R / "evaluation/checkpoint.pt")
    assert before.temperatures == dict.fromkeys(HEADS, 1.0)
    for kind in ("student", "teacher"):
        one, other = getattr(before, kind).state_dict(), getattr(after, kind).state_dict()
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.usefixtures("run")
def test_a_sample_is_enough_and_no_label_means_no_temperature(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained = load(R / "evaluation/checkpoint.pt")
    monkeypatch.setattr(calibrating, "SAMPLE", 4000)
    plain = replace(trained, temperatures=dict.fromkeys(HEADS, 1.0))
    few = calibrated(plain, R / "coregistered", R / "split/validation", 0.25)
    for head in HEADS:
        assert few.temperatures[head] == pytest.approx(trained.temperatures[head], rel=0.2)
    assert calibrated(plain, R / "coregistered", tmp_path, 0.25).temperatures == plain.temperatures
