"""Batches, one step ahead: a thread cuts the next ones while the network works on these."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dllr.augmentation import geometry
from dllr.models.normalise import Normalisation
from dllr.training import together
from dllr.training.samples import Labelled, PseudoLabelled, Source, Views, generator


class Batches(NamedTuple):
    """What one step trains on; unlabelled: None where the method needs none."""

    labelled: Labelled
    unlabelled: PseudoLabelled | None


class Feed:
    """The batches of step after step, on a device, this process's part of them; turned.

    batch: windows a step, of each source and process. Batches and turns follow from seed and step alone.
    """

    def __init__(
        self, labelled: Source, unlabelled: Source | None, batch: int, seed: int, first: int,
        optical: Normalisation, sar: Normalisation, device: torch.device,
    ) -> None:  # fmt: skip
        self.waited = 0.0  # s, that steps had to wait for their batch
        self._labelled, self._unlabelled = labelled, unlabelled
        self._batch, self._seed = batch, seed
        self._optical, self._sar, self._device = optical, sar, device
        # One thread of torch as well: the network has the cores.
        self._ahead = ThreadPoolExecutor(1, "feed", torch.set_num_threads, (1,))
        self._next: Future[Batches] = self._ahead.submit(self.at, first)

    def take(self, step: int) -> Batches:
        """The batches of a step; those of the next one are begun."""
        start = time.perf_counter()
        batches = self._next.result()
        self.waited += time.perf_counter() - start
        self._next = self._ahead.submit(self.at, step + 1)
        return batches

    def at(self, step: int) -> Batches:
        """The batches of any step."""
        views, (label,) = self._turned("labelled", self._labelled, step)
        labelled = Labelled(views, label.long())
        if self._unlabelled is None:
            return Batches(labelled, None)
        views, (label, weight) = self._turned("unlabelled", self._unlabelled, step)
        return Batches(labelled, PseudoLabelled(views, label.long(), weight.float() / 255))

    def plain(self, step: int) -> dict[str, dict[str, Any]]:
        """The batches of a step, and the windows (scene number, first row and column) they were cut from,
        as plain tensors and lists, that a file can hold without any class."""
        batches, found = self.at(step), {}
        for name, one in (("labelled", batches.labelled), ("unlabelled", batches.unlabelled)):
            source = self._labelled if name == "labelled" else self._unlabelled
            if one is not None and source is not None:
                parts = {k: v for k, v in one._asdict().items() if k != "views"}
                windows = self._picked(source, step).tolist()
                found[name] = {**one.views._asdict(), **parts, "windows": windows}
        return found

    def _picked(self, source: Source, step: int) -> NDArray[np.int64]:
        return source.picked(step, self._batch * together.count(), self._seed)[self._mine]

    @property
    def _mine(self) -> slice:
        return slice(self._batch * together.number(), self._batch * (together.number() + 1))

    def _turned(self, name: str, source: Source, step: int) -> tuple[Views, list[Tensor]]:
        picked = self._picked(source, step)
        views, rasters = source.cut(picked, self._optical, self._sar, self._device)
        dice = torch.Generator(self._device)
        dice.manual_seed(int(generator(self._seed, "turn", name, step).integers(2**62)))
        turns = geometry.draw(self._batch * together.count(), dice)[self._mine]
        optical, sar, valid, *others = geometry.turned([*views, *rasters], turns)
        return Views(optical, sar, valid), others

    def __enter__(self) -> "Feed":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ahead.shutdown(wait=True, cancel_futures=True)
