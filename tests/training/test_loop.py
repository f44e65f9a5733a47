"""A training that was killed ends with the numbers of one that was not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dllr.augmentation.radiometry import NOMINAL
from dllr.errors import TrainingError
from dllr.methods.cps import CPS
from dllr.methods.dllr import DLLR
from dllr.methods.self_training import SelfTraining
from dllr.methods.supervised import Supervised
from dllr.models.checkpoint import Trained
from dllr.training.feed import Feed
from dllr.training.history import READINGS, Row, write_history
from dllr.training.loop import BAD_BATCH, HISTORY_LIVE, RESUME, Training, fit
from dllr.training.method import Method, Step
from dllr.training.samples import Source, draw
from dllr.transport.partial import Aim

from .small_training import CPU, LABEL, SIZE, K, fresh, schedule, source


class Killed(Exception):
    pass


def dying(method: Method, steps: int) -> Method:
    """Fails after so many steps, as a killed process would."""
    whole, left = method.loss, iter(range(steps))

    def loss(step: Step) -> dict[str, torch.Tensor]:
        if next(left, None) is None:
            raise Killed
        return whole(step)

    method.loss = loss  # type: ignore[method-assign]
    return method


def dllr() -> Method:
    """With potentials and pixels that it remembers."""
    aim = Aim(np.full(K, 1 / K), 0.8, 0.05, np.inf, np.zeros(K + 1))
    return DLLR(
        1.0, masking="asymmetric", difference=False, cross=False, labels="refreshed",
        temperatures=dict.fromkeys(("fused", "optical", "sar"), 1.0), aim=aim,
    )  # fmt: skip


def trained(model: Trained, method: Method, folder: Path, every: float = 1e9) -> list[Row]:
    guesses = source(LABEL, np.full_like(LABEL, 255))
    return fit(
        model, method, source(LABEL), guesses, schedule(15, every), folder, CPU, lambda _: None
    )


@pytest.mark.parametrize(
    "make", [Supervised, lambda: CPS(1.0), dllr], ids=["supervised", "cps", "dllr"]
)
@pytest.mark.parametrize("death", [1, 7, 13])
def test_a_killed_run_ends_as_if_it_was_not(
    tmp_path: Path, death: int, make: Callable[[], Method]
) -> None:
    torch.set_num_threads(1)
    whole, again = fresh(), fresh()
    history = trained(whole, make(), tmp_path / "a")
    with pytest.raises(Killed):
        trained(fresh(), dying(make(), death), tmp_path / "b", every=0.0)
    assert (tmp_path / "b" / RESUME).exists()
    assert trained(again, make(), tmp_path / "b") == history
    for kind in ("student", "teacher"):
        one, two = getattr(whole, kind).state_dict(), getattr(again, kind).state_dict()
        assert all(torch.equal(one[k], two[k]) for k in one)
    live = [(tmp_path / name / HISTORY_LIVE).read_bytes() for name in "ab"]
    assert live[0] == live[1]


def test_the_file_to_watch_is_told(tmp_path: Path) -> None:
    seen = list[Path]()
    fit(fresh(), Supervised(), source(LABEL), None, schedule(2), tmp_path, CPU, seen.append)
    assert seen == [tmp_path / HISTORY_LIVE]


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


def test_what_a_method_cannot_do_with_numbers_that_are_none_is_a_training_that_broke(
    tmp_path: Path,
) -> None:
    """The transport would say that costs are not numbers, a step after the loss was not one."""
    method = dllr()
    whole = method.loss

    def loss(step: Step) -> dict[str, torch.Tensor]:
        parts = whole(step)
        return {k: v * float("nan") for k, v in parts.items()} if step.ramp > 0.2 else parts

    method.loss = loss  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="not finite at step 2; its batch is kept in"):
        trained(fresh(), method, tmp_path)
    assert (tmp_path / BAD_BATCH).exists()


def test_a_gradient_that_is_not_finite_stops_too(tmp_path: Path) -> None:
    class Steep(Supervised):
        def loss(self, step: Step) -> dict[str, torch.Tensor]:
            parts = super().loss(step)
            weight = next(step.student.parameters())
            nothing = (weight - weight.detach()).sum().clamp_min(0).sqrt()  # 0, of endless slope
            return parts | {"loss": parts["loss"] + nothing}

    with pytest.raises(TrainingError, match="loss or its gradient was not finite at step 1;"):
        fit(fresh(), Steep(), source(LABEL), None, schedule(3), tmp_path, CPU, lambda _: None)


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
    found = pd.read_csv(tmp_path / "h.csv")
    wanted = pd.DataFrame(rows).astype(dict.fromkeys(READINGS, float))
    pd.testing.assert_frame_equal(found, wanted)


def test_bands_without_a_unit_are_perturbed_as_much_as_decibels() -> None:
    for decibels, deviation in ((True, None), (False, NOMINAL)):
        model = replace(fresh(), decibels=decibels)
        radiometry = Training(model, Supervised(), schedule(2), CPU).radiometry
        wanted = model.sar.deviation if deviation is None else torch.tensor([deviation])
        assert torch.equal(radiometry.sar_deviation, wanted)


class Pulled(Method):
    """A loss whose gradient is the same random one in every step, times what the step is given."""

    needs_unlabelled = False

    def __init__(self, strengths: list[float]) -> None:
        super().__init__()
        self.strengths = iter(strengths)

    def loss(self, step: Step) -> dict[str, torch.Tensor]:
        return {"loss": next(self.strengths) * pull(step.student)}


def pull(network: torch.nn.Module) -> torch.Tensor:
    dice = torch.Generator().manual_seed(0)
    terms = [(torch.randn(w.shape, generator=dice) * w).sum() for w in network.parameters()]
    return torch.stack(terms).sum()


def test_steps_are_those_of_adamw_on_gradients_clipped_by_their_norm() -> None:
    strengths = [10.0, 1e-4, 0.5]  # far above the largest norm, far below it, above
    plan, model, other = schedule(3), fresh(), fresh().student.train()
    run = Training(model, Pulled(strengths), plan, CPU)
    batches = Feed(source(LABEL), None, 4, 0, 0, model.optical, model.sar, CPU).at(0)
    plain = torch.optim.AdamW(other.parameters(), weight_decay=plan.weight_decay)
    for step, strength in enumerate(strengths):
        run.advance(batches)
        plain.param_groups[0]["lr"] = plan.rate(step)
        plain.zero_grad()
        (strength * pull(other)).backward()
        torch.nn.utils.clip_grad_norm_(other.parameters(), plan.clip)
        plain.step()
    for ours, theirs in zip(run.student.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
