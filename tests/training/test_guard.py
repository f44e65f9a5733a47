"""What the guard reads off a network, and what it makes of it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dllr.evaluation.confusion import confusion, scores
from dllr.models.network import HEADS
from dllr.models.predict import logits
from dllr.training import guard
from dllr.training.guard import Readings, judged

from .small_training import CPU, LABEL, fresh, source

SCENE = source(LABEL).windows.scenes[0]
share = st.none() | st.floats(0, 1)


def readings(fused: float | None) -> Readings:
    return Readings({"fused": fused, "optical": fused, "sar": fused}, None, None)


def test_readings_are_those_of_the_whole_scene_in_one_piece() -> None:
    trained, label = fresh(), LABEL.copy()
    label[:20] = 255
    found = guard.read(trained, [(SCENE, label)], CPU)
    z = np.concatenate([b for _, b in logits(trained, trained.teacher, SCENE, 0.0, CPU)], axis=2)
    known = label != 255
    for head, values in zip(HEADS, z, strict=True):
        matrix = confusion(label[known], values[:, known].argmax(0), 3)
        assert found.miou[head] == scores(matrix, ["x", "y", "z"])["miou"]
    fused, optical, sar = torch.from_numpy(z[:, :, known].astype(np.float64)).softmax(1).numpy()
    oracle = np.corrcoef(optical.ravel(), sar.ravel())[0, 1]
    assert found.correlation == pytest.approx(oracle, abs=1e-5)
    entropy = -(fused * np.log(fused)).sum(0).mean() / np.log(3)
    assert found.entropy == pytest.approx(entropy, abs=1e-5)


def test_heads_that_have_become_one_correlate_wholly_and_ones_that_know_nothing_not_at_all() -> (
    None
):
    trained = fresh()
    for name in HEADS:  # logits that do not depend on what is seen
        last = trained.teacher.decoders[name].classify
        torch.nn.init.zeros_(last.weight)
        last.bias.copy_(torch.tensor([2.0, 0.0, 1.0]))
    same = guard.read(trained, [(SCENE, LABEL)], CPU)
    assert same.correlation == pytest.approx(1, abs=1e-6)
    for name in HEADS:
        torch.nn.init.zeros_(trained.teacher.decoders[name].classify.bias)
    nothing = guard.read(trained, [(SCENE, LABEL)], CPU)
    assert nothing.correlation is None
    assert nothing.entropy == pytest.approx(1, abs=1e-6)


def test_without_held_out_labels_nothing_is_known_and_every_round_is_kept() -> None:
    nothing = np.full_like(LABEL, 255)
    for held_out in ([], [(SCENE, nothing)]):
        found = guard.read(fresh(), held_out, CPU)
        assert set(found.miou.values()) == {None}
        assert (found.correlation, found.entropy) == (None, None)
        assert judged(found, best=0.9, tolerated=0.0) | {"miou": None} == {
            "verdict": "kept", "miou": None, "correlation": None, "entropy": None, "best": 0.9,
        }  # fmt: skip


@given(share, share, st.none() | st.floats(0, 1))
def test_a_round_is_lost_where_it_loses_more_than_is_tolerated(
    mine: float | None, best: float | None, tolerated: float | None
) -> None:
    found = judged(readings(mine), best, tolerated)
    known = None not in (mine, best, tolerated)
    assert (found["verdict"] == "lost") == (known and best - mine > tolerated)  # type: ignore[operator]
    assert found["best"] == max((v for v in (mine, best) if v is not None), default=None)
