"""A training that was killed ends with the numbers of one that was not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dllr.augmentation.radiometry import NOMINAL
from dllr.errors import TrainingError
from dllr.methods.cps import CPS
from dllr.methods.self_training import SelfTraining
from dllr.methods.supervised import Supervised
from dllr.training.history import Row, read_history, write_history
from dllr.training.loop import BAD_BATCH, RESUME, Training, fit
from dllr.training.method import Step
from dllr.training.samples import Source, draw

from .small_training import CPU, LABEL, SIZE, fresh, schedule, source


class Killed(Exception):
    pass


class DiesAt(Supervised):
    """Fails at its n-th step, as a killed process would."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.left = step

    def loss(self, *arguments: object) -> dict[str, torch.Tensor]:  # type: ignore[override]
        self.left -= 1
        if self.left < 0:
            raise Killed
        return super().loss(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("death", [1, 7, 13])
def test_a_killed_run_ends_as_if_it_was_not(tmp_path: Path, death: int) -> None:
    torch.set_num_threads(1)
    whole, seen = fresh(), list[Path]()
    history = fit(
        whole, Supervised(), source(LABEL), None, schedule(15), tmp_path / "a", CPU, seen.append
    )
    broken = fresh()
    with pytest.raises(Killed):
        fit(
            broken,
            DiesAt(death),
            source(LABEL),
            None,
            schedule(15, 0.0),
            tmp_path / "b",
            CPU,
            seen.append,
        )
    assert (tmp_path / "b" / RESUME).exists()
    again = fresh()
    resumed = fit(
        again, Supervised(), source(LABEL), None, schedule(15), tmp_path / "b", CPU, seen.append
    )
    assert resumed == history
    for kind in ("student", "teacher"):
        one, two = getattr(whole, kind).state_dict(), getattr(again, kind).state_dict()
        assert all(torch.equal(one[k], two[k]) for k in one)
    assert read_history(tmp_path / "b" / "history.csv") == history
    assert seen[0] == tmp_path / "a" / "history.csv"


def test_the_same_seed_gives_the_same_numbers_for_a_method_with_weights_of_its_own(
    tmp_path: Path,
) -> None:
    torch.set_num_threads(1)
    guesses = source(LABEL, np.full_like(LABEL, 255))
    found = []
    for n in range(2):
        model = fresh()
        torch.manual_seed(n)  # what was drawn before must not matter
        history = fit(
            model,
            CPS(1.0),
            source(LABEL),
            guesses,
            schedule(4),
            tmp_path / f"{n}",
            CPU,
            lambda _: None,
        )
        found.append((history, model.student.state_dict()))
    (one, first), (two, second) = found
    assert one == two
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_it_learns_what_can_be_learnt(tmp_path: Path) -> None:
    model = fresh()
    history = fit(
        model, Supervised(), source(LABEL), None, schedule(60), tmp_path, CPU, lambda _: None
    )
    assert history[-1].loss < 0.5 * history[0].loss
    assert history[-1].step == 60


def test_pseudo_labels_are_drawn_where_the_method_needs_them(tmp_path: Path) -> None:
    weights = np.full_like(LABEL, 255)
    guesses = source(LABEL, weights)
    history = fit(
        fresh(),
        SelfTraining(1.0),
        source(LABEL),
        guesses,
        schedule(5),
        tmp_path,
        CPU,
        lambda _: None,
    )
    assert history[-1].unlabelled > 0


def test_a_loss_that_is_not_finite_stops_and_leaves_its_batch(tmp_path: Path) -> None:
    class Diverges(Supervised):
        def loss(self, step: Step) -> dict[str, torch.Tensor]:
            parts = super().loss(step)
            return {k: v * float("nan") for k, v in parts.items()} if step.ramp > 0.5 else parts

    broken = schedule(40, 0.0)
    with pytest.raises(
        TrainingError, match=r"not finite at step 6; its batch is kept in .*bad_batch"
    ):
        fit(fresh(), Diverges(), source(LABEL), None, broken, tmp_path, CPU, lambda _: None)
    kept = torch.load(tmp_path / BAD_BATCH, weights_only=True)
    assert len(kept["labelled"]["windows"]) == broken.batch
    assert kept["labelled"]["label"].shape == (broken.batch, SIZE, SIZE)
    last = torch.load(tmp_path / RESUME, weights_only=True)
    assert all(torch.isfinite(v).all() for v in last["student"].values())
    assert last["step"] <= 5


def test_windows_of_rare_classes_can_be_drawn_more_often() -> None:
    plain = source(LABEL)
    first = np.zeros(len(plain.windows))
    first[0] = 1
    weighted = Source(plain.windows, plain.rasters, first)
    assert (weighted.picked(3, 8, seed=0) == plain.windows.boxes[0]).all()


@given(st.integers(1, 40), st.integers(1, 16), st.integers(0, 99))
def test_every_window_comes_once_an_epoch(count: int, batch: int, seed: int) -> None:
    steps = 3 * count
    drawn = [i for step in range(steps) for i in draw(count, step, batch, seed)]
    for epoch in range(len(drawn) // count):
        assert sorted(drawn[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_the_average_of_a_later_round_does_not_forget_at_its_start() -> None:
    fresh_one, later = schedule(200), replace(schedule(200), round=2)
    assert [fresh_one.decay(n) for n in (0, 1, 199)] == [0.5, pytest.approx(2 / 3), 0.9]
    assert {later.decay(n) for n in (0, 1, 199)} == {0.9}


def test_history_comes_back(tmp_path: Path) -> None:
    rows = [Row(1, 10, 1.5, 1.0, 0.5, 0.001, used=0.25), Row(1, 20, 1.25, 1.0, 0.25, 0.0, 0.5)]
    write_history(tmp_path / "h.csv", rows)
    assert read_history(tmp_path / "h.csv") == rows


def test_bands_without_a_unit_are_perturbed_as_much_as_decibels() -> None:
    for decibels, deviation in ((True, None), (False, NOMINAL)):
        model = replace(fresh(), decibels=decibels)
        radiometry = Training(model, Supervised(), schedule(2), CPU).radiometry
        wanted = model.sar.deviation if deviation is None else torch.tensor([deviation])
        assert torch.equal(radiometry.sar_deviation, wanted)
