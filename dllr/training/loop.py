"""The only training loop. What a step minimises is the method's business."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from dllr.augmentation.radiometry import NOMINAL, Radiometry
from dllr.errors import DllrError, TrainingError
from dllr.files import atomic_file
from dllr.models.checkpoint import Trained
from dllr.models.network import Network
from dllr.training import together
from dllr.training.feed import Batches, Feed
from dllr.training.history import Row, write_history
from dllr.training.method import Method, Step
from dllr.training.samples import Source, generator

RESUME = "last.pt"
HISTORY_LIVE = "history.csv"
BAD_BATCH = "bad_batch.pt"
# Of the steps, over which the unlabelled part of a loss and the masks grow to their whole.
RAMP = 0.2


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

    def rate(self, step: int) -> float:
        """Cosine from the learning rate to zero."""
        return 0.5 * self.learning_rate * (1 + math.cos(math.pi * step / self.steps))

    def decay(self, step: int) -> float:
        """Of the moving average. A fresh one follows its student at first; that of a later round has been
        a teacher before, and keeps what it knows while the student starts anew at the full rate."""
        return self.ema if self.round else min(1 - 1 / (step + 2), self.ema)

    def ramp(self, step: int) -> float:
        return min(1.0, step / (RAMP * self.steps))


class Training:
    """All that a training changes: networks, optimiser, the method's own weights, what it recorded."""

    def __init__(
        self, trained: Trained, method: Method, schedule: Schedule, device: torch.device
    ) -> None:
        self.device, self.schedule = device, schedule
        self.student = _placed(trained.student, device, torch.channels_last).train()
        self.teacher = _placed(trained.teacher, device, torch.channels_last)
        torch.manual_seed(schedule.seed)  # for what a method draws of its own
        method.begin(self.student)
        self.method = method.to(device).train()
        deviation = trained.sar.deviation.to(device)
        self.radiometry = Radiometry(
            deviation if trained.decibels else torch.full_like(deviation, NOMINAL),
            _ratio(trained.sar_bands),
        )
        self.weights = [*self.student.parameters(), *self.method.parameters()]
        self.optimiser = torch.optim.AdamW(
            self.weights, schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
        )
        self.step = 0  # steps done
        self.history: list[Row] = []
        # The first step that was not finite; read now and then, for reading waits for a GPU.
        self.broken = torch.full((), -1, device=device)

    def advance(self, batches: Batches) -> dict[str, Tensor]:
        """One step; returns what the method gave."""
        step, schedule = self.step, self.schedule
        key = int(generator(schedule.seed, "dice", step, together.number()).integers(2**62))
        dice = torch.Generator(self.device).manual_seed(key)
        _seed(self.device, key)  # for what a network draws of its own, as some encoders of timm do
        for group in self.optimiser.param_groups:
            group["lr"] = schedule.rate(step)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            step_of = Step(
                self.student, self.teacher, self.radiometry, *batches, schedule.ramp(step), dice
            )
            parts = self.method.loss(step_of)
        self.optimiser.zero_grad(set_to_none=True)
        parts["loss"].backward()
        together.add_gradients(self.weights)
        norm = torch.nn.utils.get_total_norm([w.grad for w in self.weights if w.grad is not None])
        # Clipped where the fused step reads the gradients anyway: it divides them by this.
        self.optimiser.grad_scale = (norm / schedule.clip).clamp_min(1)  # type: ignore[attr-defined]
        self.optimiser.step()
        _follow(self.teacher, self.student, schedule.decay(step))
        # Gradients are those of all processes: where one breaks all know.
        fine = torch.isfinite(parts["loss"].detach()) & torch.isfinite(norm)
        self.broken = torch.where(fine | (self.broken >= 0), self.broken, step)
        self.step += 1
        return parts

    def state(self) -> dict[str, Any]:
        return {
            "student": self.student.state_dict(), "teacher": self.teacher.state_dict(),
            "method": self.method.state_dict(), "optimiser": self.optimiser.state_dict(),
            "step": self.step, "history": [list(row) for row in self.history],
        }  # fmt: skip

    def resume(self, path: Path) -> None:
        """Go on from where a file says; from the start where there is none."""
        if not path.exists():
            return
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        for name in ("student", "teacher", "method", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.step = state["step"]
        self.history = [Row(*row) for row in state["history"]]


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
    seed and step: a run that was killed ends with the numbers of one that was not. Of several processes
    all go on with what the first one's method remembered.

    Raises:
        TrainingError: the loss or its gradient is no longer finite; the batch lies in `work`.
    """
    together.start(device)
    run = Training(trained, method, schedule, device)
    run.resume(work / RESUME)
    writes = together.number() == 0
    if writes:
        write_history(work / HISTORY_LIVE, run.history)
        watch(work / HISTORY_LIVE)
    if not method.needs_unlabelled:
        unlabelled = None
    bar = tqdm(
        initial=run.step, total=schedule.steps, desc=f"round {schedule.round}", unit="step",
        mininterval=2.0, disable=not writes,
    )  # fmt: skip
    normal = trained.optical, trained.sar
    saved = begun = time.monotonic()
    first, numbers = run.step, (schedule.batch, schedule.seed)
    with bar, Feed(labelled, unlabelled, *numbers, first, *normal, device) as feed:
        while run.step < schedule.steps:
            try:
                parts = run.advance(feed.take(run.step))
            except DllrError:  # what a method says of numbers that are none
                _stop_if_broken(run, feed, work)
                raise
            bar.update()
            if run.step % schedule.log_every == 0 or run.step == schedule.steps:
                _stop_if_broken(run, feed, work)
                run.history.append(_row(schedule, run.step, parts))
                if writes:
                    write_history(work / HISTORY_LIVE, run.history)
                images = (run.step - first) * schedule.batch * together.count()
                images *= 1 if unlabelled is None else 2
                speed = f"{images / (time.monotonic() - begun):.0f}/s"
                bar.set_postfix(loss=f"{run.history[-1].loss:.3f}", images=speed, refresh=False)
            if time.monotonic() - saved > schedule.checkpoint_every and writes:
                _stop_if_broken(run, feed, work)
                with atomic_file(work / RESUME) as temporary:
                    torch.save(run.state(), temporary)
                saved = time.monotonic()
    for network in (run.student, run.teacher):
        _placed(network, torch.device("cpu"), torch.contiguous_format).eval()
    return run.history


def forget(work: Path) -> None:
    """Drop what a crash would have needed, once the outputs are whole."""
    (work / RESUME).unlink(missing_ok=True)


def _row(schedule: Schedule, done: int, parts: dict[str, Tensor]) -> Row:
    values = {k: round(together.total(v.detach().float()).item(), 6) for k, v in parts.items()}
    return Row(
        round=schedule.round, step=done, learning_rate=round(schedule.rate(done - 1), 9), **values
    )


def _stop_if_broken(run: Training, feed: Feed, work: Path) -> None:
    step = int(run.broken)
    if step < 0:
        return
    number = together.number()
    path = work / (f"{number}_{BAD_BATCH}" if number else BAD_BATCH)
    with atomic_file(path) as temporary:
        torch.save(feed.plain(step), temporary)
    share = f" (of process {number}, of {together.count()})" if together.count() > 1 else ""
    raise TrainingError(
        f"the loss or its gradient was not finite at step {step + 1}; its batch{share} is kept in {path}, "
        "with the windows it was cut from. Lower train.learning_rate or train.clip, and check those "
        "scenes for values out of range"
    )


def _ratio(bands: Sequence[str]) -> tuple[int, int, int] | None:
    """The band that is one over another, as `coregister` calls it, and the places of these two."""
    for place, name in enumerate(bands):
        over, _, under = name.partition("/")
        if over in bands and under in bands:
            return place, bands.index(over), bands.index(under)
    return None


def _placed(network: Network, device: torch.device, layout: torch.memory_format) -> Network:
    """On a device and in a memory layout; channels last is a third faster on CPUs."""
    moved: Network = network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
    return moved


def _seed(device: torch.device, key: int) -> None:
    """The generator that a device draws from unasked. `torch.manual_seed` seeds those of all kinds of
    devices, and for kinds not there notes down where it was called from, up to milliseconds a step."""
    if device.type == "cpu":
        torch.default_generator.manual_seed(key)
    else:
        torch.manual_seed(key)


@torch.no_grad()
def _follow(teacher: torch.nn.Module, student: torch.nn.Module, decay: float) -> None:
    """The teacher is the moving average of the student (Tarvainen and Valpola, NeurIPS 2017)."""
    pair: Iterable[list[Tensor]] = (
        [p.detach() for p in n.parameters()] for n in (teacher, student)
    )
    slow, fast = pair
    torch._foreach_lerp_(slow, fast, 1 - decay)
