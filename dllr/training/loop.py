"""The only training loop. What a step minimises is the method's business."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from dllr.errors import TrainingError
from dllr.files import atomic_file
from dllr.models.checkpoint import Trained
from dllr.models.network import Network
from dllr.training.augment import turned
from dllr.training.history import Row, write_history
from dllr.training.method import Method
from dllr.training.samples import Labelled, PseudoLabelled, Source, Views, generator

RESUME = "last.pt"
HISTORY_LIVE = "history.csv"


@dataclass(frozen=True)
class Schedule:
    """Numbers of one training: see section `train` of params.yaml. `round` names it in the history."""

    round: int
    steps: int
    seed: int
    batch: int
    learning_rate: float
    weight_decay: float
    clip: float
    ema: float
    log_every: int
    checkpoint_every: float


def fit(
    trained: Trained,
    method: Method,
    labelled: Source,
    unlabelled: Source | None,
    schedule: Schedule,
    work: Path,
    device: torch.device,
    watch: Callable[[Path], None],
) -> list[Row]:
    """Train in place; returns the history.

    What is needed to go on lies in `work` every `checkpoint_every` seconds, and batches follow from
    seed and step: a run that was killed ends with the numbers of one that was not.

    Raises:
        TrainingError: the loss is no longer finite.
    """
    student = _placed(trained.student, device, torch.channels_last).train()
    teacher = _placed(trained.teacher, device, torch.channels_last)
    optimiser = torch.optim.AdamW(
        student.parameters(), schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )
    start, history = _resume(work / RESUME, student, teacher, optimiser, device)
    write_history(work / HISTORY_LIVE, history)
    watch(work / HISTORY_LIVE)
    bar = tqdm(
        range(start, schedule.steps), initial=start, total=schedule.steps,
        desc=f"round {schedule.round}", unit="step", mininterval=2.0,
    )  # fmt: skip
    saved = time.monotonic()
    for step in bar:
        parts = _step(trained, method, labelled, unlabelled, schedule, optimiser, step, device)
        _follow(teacher, student, min(1 - 1 / (step + 2), schedule.ema))
        done = step + 1
        if done % schedule.log_every == 0 or done == schedule.steps:
            values = {name: round(part.item(), 6) for name, part in parts.items()}
            if not math.isfinite(values["loss"]):
                raise TrainingError(
                    f"the loss is {values['loss']} at step {done}; lower train.learning_rate or "
                    "train.clip, and check the scenes for values out of range"
                )
            history.append(
                Row(schedule.round, done, **values, learning_rate=round(_rate(schedule, step), 9))
            )
            write_history(work / HISTORY_LIVE, history)
            bar.set_postfix(loss=f"{values['loss']:.3f}", refresh=False)
        if time.monotonic() - saved > schedule.checkpoint_every:
            _save(work / RESUME, student, teacher, optimiser, done, history)
            saved = time.monotonic()
    for network in (student, teacher):
        _placed(network, torch.device("cpu"), torch.contiguous_format).eval()
    return history


def _placed(network: Network, device: torch.device, layout: torch.memory_format) -> Network:
    """On a device and in a memory layout; channels last is a third faster on CPUs."""
    moved: Network = network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
    return moved


def forget(work: Path) -> None:
    """Drop what a crash would have needed, once the outputs are whole."""
    (work / RESUME).unlink(missing_ok=True)


def _step(
    trained: Trained,
    method: Method,
    labelled: Source,
    unlabelled: Source | None,
    schedule: Schedule,
    optimiser: torch.optim.Optimizer,
    step: int,
    device: torch.device,
) -> dict[str, Tensor]:
    dice = torch.Generator().manual_seed(
        int(generator(schedule.seed, "dice", step).integers(2**62))
    )
    views, (label,) = _take(labelled, trained, schedule, step, dice, device)
    sample = Labelled(views, label.long())
    guesses = None
    if unlabelled is not None and method.needs_unlabelled:
        views, (label, weight) = _take(unlabelled, trained, schedule, step, dice, device)
        guesses = PseudoLabelled(views, label.long(), weight.float() / 255)
    for group in optimiser.param_groups:
        group["lr"] = _rate(schedule, step)
    parts = method.loss(trained.student, sample, guesses, dice)
    optimiser.zero_grad(set_to_none=True)
    parts["loss"].backward()
    torch.nn.utils.clip_grad_norm_(trained.student.parameters(), schedule.clip)
    optimiser.step()
    return parts


def _take(
    source: Source,
    trained: Trained,
    schedule: Schedule,
    step: int,
    dice: torch.Generator,
    device: torch.device,
) -> tuple[Views, list[Tensor]]:
    views, rasters = source.take(step, schedule.batch, schedule.seed, trained.optical, trained.sar)
    tensors = [t.to(device, non_blocking=True) for t in turned([*views, *rasters], dice)]
    optical, sar = (t.contiguous(memory_format=torch.channels_last) for t in tensors[:2])
    return Views(optical, sar, tensors[2]), tensors[3:]


def _rate(schedule: Schedule, step: int) -> float:
    """Cosine from the learning rate to zero."""
    return 0.5 * schedule.learning_rate * (1 + math.cos(math.pi * step / schedule.steps))


@torch.no_grad()
def _follow(teacher: torch.nn.Module, student: torch.nn.Module, decay: float) -> None:
    """The teacher is the moving average of the student (Tarvainen and Valpola, NeurIPS 2017)."""
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)


def _save(
    path: Path,
    student: torch.nn.Module,
    teacher: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    step: int,
    history: list[Row],
) -> None:
    state = {
        "student": student.state_dict(),
        "teacher": teacher.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": step,
        "history": [list(row) for row in history],
    }
    with atomic_file(path) as temporary:
        torch.save(state, temporary)


def _resume(
    path: Path,
    student: torch.nn.Module,
    teacher: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    device: torch.device,
) -> tuple[int, list[Row]]:
    if not path.exists():
        return 0, []
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    student.load_state_dict(state["student"])
    teacher.load_state_dict(state["teacher"])
    optimiser.load_state_dict(state["optimiser"])
    return state["step"], [Row(*row) for row in state["history"]]
