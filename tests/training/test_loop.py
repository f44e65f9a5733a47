"""A training that was killed ends with the numbers of one that was not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from dllr.errors import TrainingError
from dllr.methods.self_training import SelfTraining
from dllr.methods.supervised import Supervised
from dllr.models.checkpoint import Trained
from dllr.models.network import Network
from dllr.models.normalise import Normalisation
from dllr.raster.arrays import SceneArrays
from dllr.raster.grid import Grid
from dllr.training.augment import turned
from dllr.training.history import Row, read_history, write_history
from dllr.training.loop import RESUME, Schedule, fit
from dllr.training.samples import Source, Windows, draw

SIDE, SIZE, K = 96, 32, 3
CPU = torch.device("cpu")


def source(label: np.ndarray, *more: np.ndarray) -> Source:
    rng = np.random.default_rng(0)
    optical = np.stack([label == k for k in range(K)]).astype(np.float32) + 0.1 * rng.random(
        (K, SIDE, SIDE)
    )
    scene = SceneArrays(
        "s", Grid(CRS.from_epsg(32650), Affine.identity(), SIDE, SIDE), list("abc"), ["VV"], 1.0, 0.0,
        optical.astype(np.float32), rng.random((1, SIDE, SIDE), np.float32), np.ones((2, SIDE, SIDE), bool),
    )  # fmt: skip
    corners = [
        (0, y, x) for y in range(0, SIDE - SIZE + 1, 16) for x in range(0, SIDE - SIZE + 1, 16)
    ]
    return Source(Windows([scene], np.array(corners), SIZE), [[label], *([m] for m in more)])


LABEL = (np.indices((SIDE, SIDE)).sum(axis=0) // 24 % K).astype(np.uint8)


def fresh() -> Trained:
    torch.manual_seed(0)
    samples = np.random.default_rng(0).random((9, K, 16)).astype(np.float32)
    return Trained.new(
        Network("light", 8, K, 1, K), optical=Normalisation.of(samples, None), sar=Normalisation.of(samples[:, :1], None),
        optical_bands=list("abc"), sar_bands=["VV"], classes=list("xyz"), colours=["#000000"] * K, size=SIZE,
    )  # fmt: skip


def schedule(steps: int, every: float = 1e9, rate: float = 0.01) -> Schedule:
    return Schedule(0, steps, 3, 4, rate, 0.01, 1.0, 0.9, 5, every)


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


def test_a_loss_that_is_not_finite_stops_with_its_step(tmp_path: Path) -> None:
    class Diverges(Supervised):
        def loss(self, *arguments: object) -> dict[str, torch.Tensor]:  # type: ignore[override]
            return {name: part * float("nan") for name, part in super().loss(*arguments).items()}  # type: ignore[arg-type]

    with pytest.raises(TrainingError, match=r"nan at step 5; lower train.learning_rate"):
        fit(fresh(), Diverges(), source(LABEL), None, schedule(9), tmp_path, CPU, lambda _: None)


@given(st.integers(1, 40), st.integers(1, 16), st.integers(0, 99))
def test_every_window_comes_once_an_epoch(count: int, batch: int, seed: int) -> None:
    steps = 3 * count
    drawn = [i for step in range(steps) for i in draw(count, step, batch, seed)]
    for epoch in range(len(drawn) // count):
        assert sorted(drawn[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_all_tensors_of_a_sample_turn_alike() -> None:
    base = torch.arange(6 * 64.0).reshape(6, 1, 8, 8)
    one, two = turned([base, base[:, 0].clone()], torch.Generator().manual_seed(0))
    assert torch.equal(one[:, 0], two)
    assert not torch.equal(one, base)
    assert torch.equal(one.flatten(1).sort().values, base.flatten(1).sort().values)


def test_history_comes_back(tmp_path: Path) -> None:
    rows = [Row(1, 10, 1.5, 1.0, 0.5, 0.001), Row(1, 20, 1.25, 1.0, 0.25, 0.0)]
    write_history(tmp_path / "h.csv", rows)
    assert read_history(tmp_path / "h.csv") == rows
