"""Two processes with half of a batch each do what one does with the whole batch."""

import math
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, distributed, multiprocessing

from dllr.methods.cps import CPS
from dllr.methods.parts import share, supervised
from dllr.methods.reassigned import Reassigned
from dllr.training import together
from dllr.training.loop import fit
from dllr.training.losses import IGNORE, segmentation_loss, soft_loss
from dllr.training.method import Method, Step
from dllr.transport.partial import Aim

from .small_training import CPU, LABEL, fresh, schedule, source

STEPS, BATCH, CLASSES = 8, 4, 3
AIM = Aim(np.array([0.2, 0.3, 0.5]), 0.8, 0.05, math.inf, np.zeros(CLASSES + 1))


class Plain(Method):
    """Supervised on windows as they are: radiometric views are drawn by each process for itself."""

    needs_unlabelled = False

    def loss(self, step: Step) -> dict[str, Tensor]:
        loss = supervised(step.student(*step.labelled.views), step.labelled)
        return {"loss": loss, "supervised": loss.detach(), "unlabelled": torch.zeros_like(loss)}


def _train(folder: Path, batch: int) -> None:
    torch.set_num_threads(1)
    trained = fresh()
    plan = schedule(STEPS, batch=batch)
    history = fit(trained, Plain(), source(LABEL), None, plan, folder, CPU, lambda _: None)
    if together.number() == 0:
        rows = [list(row) for row in history]
        torch.save({"student": trained.student.state_dict(), "rows": rows}, folder / "end.pt")


def _losses(folder: Path) -> None:
    """Gradients and value of a loss on this process's half, added up."""
    logits, label = _batch()
    mine = slice(2 * together.number(), 2 * together.number() + 2)
    weight = torch.nn.Parameter(torch.ones(CLASSES, 1, 1))
    loss = segmentation_loss(logits[mine] * weight, label[mine], dice=0.5)
    loss.backward()
    together.add_gradients([weight])
    found = {"loss": together.total(loss.detach()), "gradient": weight.grad}
    if together.number() == 0:
        torch.save(found, folder / "losses.pt")


def _soft(folder: Path) -> None:
    """The same of a loss against probabilities, and the scales of a method's second network."""
    logits, label = _batch()
    mine = slice(2 * together.number(), 2 * together.number() + 2)
    weight = torch.nn.Parameter(torch.ones(CLASSES, 1, 1))
    known, target = label != IGNORE, logits.flip(1).softmax(1)
    loss = soft_loss(logits[mine] * weight, target[mine], known[mine] * 0.5, known[mine])
    loss.backward()
    together.add_gradients([weight])
    part = share(label[mine] == 1, known[mine])
    method = CPS(1.0)
    method.begin(fresh().student)
    every = source(LABEL)
    seen = every.windows.boxes[:8][mine]
    trained = fresh()
    method._settle(every.cut(seen, trained.optical, trained.sar, CPU)[0])
    scales = torch.cat([v.flatten() for v in method.second.decoders.state_dict().values()])
    found = {
        "loss": together.total(loss.detach()), "gradient": weight.grad,
        "share": together.total(part), "scales": scales,
    }  # fmt: skip
    torch.save(found, folder / f"soft_{together.number()}.pt")


def _labels(folder: Path) -> None:
    """Potentials that keep class shares over what both processes have seen."""
    found = Reassigned(AIM)
    for probability, known in zip(*_scores(), strict=True):
        mine = slice(2 * together.number(), 2 * together.number() + 2)
        found(probability[mine], known[mine])
    if together.number() == 0:
        torch.save(found.potentials, folder / "potentials.pt")


def _scores() -> tuple[list[Tensor], list[Tensor]]:
    dice = torch.Generator().manual_seed(1)
    scores = [torch.randn(4, CLASSES, 64, 64, generator=dice).softmax(1) for _ in range(2)]
    known = torch.rand(4, 64, 64, generator=dice) < torch.tensor([0.2, 0.5, 0.9, 1])[:, None, None]
    return scores, [known, known.flip(0)]


def _batch() -> tuple[Tensor, Tensor]:
    dice = torch.Generator().manual_seed(0)
    label = torch.randint(CLASSES, (4, 8, 8), generator=dice)
    label[0] = 255  # so that the halves know different numbers of pixels
    return torch.randn(4, CLASSES, 8, 8, generator=dice), label


def _one_of_two(number: int, port: int, work: str, folder: Path) -> None:
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "RANK": str(number),
    }  # fmt: skip
    together.start(CPU)
    {"train": lambda f: _train(f, BATCH), "losses": _losses, "soft": _soft, "labels": _labels}[
        work
    ](folder)
    distributed.barrier()
    distributed.destroy_process_group()


def _two(work: str, folder: Path) -> None:
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(_one_of_two, (port, work, folder), nprocs=2)


def test_a_loss_and_its_gradient_add_up(tmp_path: Path) -> None:
    _two("losses", tmp_path / "two")
    found = torch.load(tmp_path / "two" / "losses.pt", weights_only=True)
    logits, label = _batch()
    weight = torch.nn.Parameter(torch.ones(CLASSES, 1, 1))
    whole = segmentation_loss(logits * weight, label, dice=0.5)
    whole.backward()
    assert found["loss"].item() == pytest.approx(whole.item(), rel=1e-6)
    torch.testing.assert_close(found["gradient"], weight.grad)


def test_means_over_known_pixels_are_those_of_all_processes(tmp_path: Path) -> None:
    _two("soft", tmp_path / "two")
    first, second = (
        torch.load(tmp_path / "two" / f"soft_{n}.pt", weights_only=True) for n in (0, 1)
    )
    logits, label = _batch()
    known = label != IGNORE
    weight = torch.nn.Parameter(torch.ones(CLASSES, 1, 1))
    whole = soft_loss(logits * weight, logits.flip(1).softmax(1), known * 0.5, known)
    whole.backward()
    for found in (first, second):
        assert found["loss"].item() == pytest.approx(whole.item(), rel=1e-6)
        torch.testing.assert_close(found["gradient"], weight.grad)
        assert found["share"].item() == pytest.approx((label[known] == 1).float().mean().item())
    assert torch.equal(
        first["scales"], second["scales"]
    )  # one network, on what each saw of its own


def test_potentials_are_those_of_what_all_have_seen(tmp_path: Path) -> None:
    _two("labels", tmp_path / "two")
    found = Reassigned(AIM)
    for probability, known in zip(*_scores(), strict=True):
        found(probability, known)
    two = torch.load(tmp_path / "two" / "potentials.pt", weights_only=True)
    assert found.potentials.any()
    torch.testing.assert_close(two, found.potentials, atol=1e-4, rtol=0)


def test_two_processes_follow_one_with_the_double_batch(tmp_path: Path) -> None:
    _two("train", tmp_path / "two")
    (tmp_path / "one").mkdir()
    _train(tmp_path / "one", 2 * BATCH)
    two, one = (torch.load(tmp_path / n / "end.pt", weights_only=True) for n in ("two", "one"))
    start = fresh().student.state_dict()
    before, there, here = (
        torch.cat([state[name].flatten() for name in start])
        for state in (start, two["student"], one["student"])
    )
    assert (here - before).norm() > 0.1
    assert (here - there).norm() < 3e-4 * (here - before).norm()
    # Where a gradient is but noise Adam makes steps of it, either way: a few weights in 100,000.
    near = torch.isclose(there, here, rtol=1e-3, atol=1e-4)
    assert (~near).sum() < 1e-4 * len(near)
    for a, b in zip(two["rows"], one["rows"], strict=True):
        assert a[2:5] == pytest.approx(b[2:5], rel=1e-3)
