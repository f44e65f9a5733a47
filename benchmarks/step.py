"""What does a training step cost beside the network? Each method's step against the bare network.

`python -m benchmarks.step [--compile] [--encoder NAME] [--size PIXELS] [METHOD ...]` prints a table on
stderr and a JSON object: bare = the same forward and backward passes and optimiser step of the same
network on a resident batch with a trivial loss; whole = a step of the loop; wait = share of the loop's
time that steps waited for a batch.
The two take turns, step by step, so that both see the same machine. After them comes a loop as public
code for semi-supervised segmentation writes it: windows augmented one by one in the loader's processes. It
has a stretch of its own, for these processes work ahead and would do so in the others' time.
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from affine import Affine
from rasterio.crs import CRS
from torch import Tensor

from benchmarks import _step_peer as peer
from dllr.execution import device
from dllr.methods import METHODS, make
from dllr.models.checkpoint import Trained, frozen
from dllr.models.network import HEADS, Network
from dllr.models.normalise import Normalisation
from dllr.params.load import load
from dllr.params.root import Params
from dllr.raster.arrays import SceneArrays
from dllr.raster.grid import Grid
from dllr.training.feed import Feed
from dllr.training.loop import Schedule, Training
from dllr.training.samples import Source, Windows
from dllr.transport.partial import Aim

SIDE, WINDOWS = 1024, 64
WARM, TURNS = 2, 40  # steps of each way before it is timed, and timed
# Passes of the network in a step, in batches: (with gradient, of how many sources; without, likewise,
# which heads). The network's own work, whatever the method makes of it.
FUSED = ("fused",)
PASSES: dict[str, tuple[list[int], list[tuple[int, tuple[str, ...]]]]] = {
    "supervised": ([1], []),
    "self_training": ([2], []),
    "mean_teacher": ([2], [(1, HEADS)]),
    "fixmatch": ([2], [(1, FUSED)]),
    "cps": ([2, 2], [(1, FUSED), (1, FUSED)]),
    "unimatch": ([2, 1, 1], [(1, FUSED)]),
    "dllr": ([2], [(1, HEADS)]),
}


class Way:
    """One way of making steps; `seconds` of each turn."""

    def __init__(self, step: Callable[[], None], where: torch.device) -> None:
        self.step, self.where, self.seconds = step, where, list[float]()
        for _ in range(WARM):
            step()

    def turn(self) -> None:
        start = self._now()
        self.step()
        self.seconds.append(self._now() - start)

    def _now(self) -> float:
        if self.where.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def main(compiled: bool, encoder: str | None, size: int | None, names: Sequence[str]) -> None:
    where, params = device(), load()
    model = params.model.model_copy(update={"encoder": encoder} if encoder else None)
    tile = params.tile.model_copy(update={"size": size} if size else None)
    params = params.model_copy(update={"model": model, "tile": tile})
    scene, labels = _scene(params)
    found: dict[str, Any] = {"device": str(where), "threads": torch.get_num_threads()}
    found |= {"batch": params.train.batch, "size": params.tile.size, "compiled": compiled}
    found["encoder"] = params.model.encoder
    found["methods"] = {}
    for name in names or METHODS:
        found["methods"][name] = _compared(name, params, scene, labels, where, compiled)
        print(name, found["methods"][name], file=sys.stderr, flush=True)
    print(json.dumps(found))


def _compared(
    name: str, params: Params, scene: SceneArrays, labels: list[np.ndarray[Any, Any]],
    where: torch.device, compiled: bool,
) -> dict[str, float]:  # fmt: skip
    source = _source(params, scene, labels)
    plain = Source(source.windows, source.rasters[:1])
    trained = _trained(params)
    schedule = Schedule(round=1, steps=100_000, **params.train.model_dump(exclude={"balance"}))
    calm = dict.fromkeys(HEADS, 1.0)
    method = make(name, **params.train_round.settings(), temperatures=calm, aim=_aim(params))
    run = Training(trained, method, schedule, where)
    run.step = schedule.steps // 2  # past the ramp
    if compiled:
        run.student.compile()
    needed = source if run.method.needs_unlabelled else None
    feed = Feed(plain, needed, schedule.batch, 0, run.step, trained.optical, trained.sar, where)
    passes = _bare(_trained(params).student, *PASSES[name], schedule.batch, params.tile.size, where)
    with feed:
        bare, whole = Way(passes, where), Way(lambda: _advance(run, feed), where)
        feed.waited = 0.0
        for _ in range(TURNS):
            bare.turn()
            whole.turn()
    spent, images = sum(whole.seconds), schedule.batch * (2 if needed else 1)
    ratios = [w / b for w, b in zip(whole.seconds, bare.seconds, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    figures = {
        "bare_s": statistics.median(bare.seconds),
        "whole_s": statistics.median(whole.seconds),
        "whole_over_bare": middle,
        # Standard error of that median, were ratios normal with these quartiles.
        "error": 0.93 * (high - low) / math.sqrt(TURNS),
        "wait": feed.waited / spent,
        "images_per_s": images * TURNS / spent,
    }
    if name in peer.METHODS:
        other = Way(peer.steps(name, _trained(params), scene, labels, schedule, where), where)
        for _ in range(TURNS):
            other.turn()
        figures["peer_s"] = statistics.median(other.seconds)
        figures["peer_over_bare"] = figures["peer_s"] / figures["bare_s"]
    return {k: round(v, 4) for k, v in figures.items()}


def _advance(run: Training, feed: Feed) -> None:
    run.advance(feed.take(run.step))


def _bare(
    network: Network, learnt: list[int], seen: list[tuple[int, tuple[str, ...]]], batch: int,
    size: int, where: torch.device,
) -> Callable[[], None]:  # fmt: skip
    """Passes and an optimiser step on a resident batch, with a trivial loss."""
    network = network.to(where, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    teacher = frozen(network)
    optimiser = torch.optim.AdamW(network.parameters(), fused=True)
    bands = network.settings["optical_bands"], network.settings["sar_bands"]

    def views(count: int) -> list[Tensor]:
        images = [torch.rand((count, b, size, size), device=where) for b in bands]
        laid = [i.contiguous(memory_format=torch.channels_last) for i in images]
        return [*laid, torch.ones((count, 2, size, size), dtype=torch.bool, device=where)]

    inputs = {n: views(n * batch) for n in (1, 2)}

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
            with torch.no_grad():
                for n, heads in seen:
                    teacher.decode(teacher.encode(*inputs[n]), (size, size), heads)
            for n in learnt:
                torch.stack([z.mean() for z in network(*inputs[n]).values()]).sum().backward()
        optimiser.step()

    return step


def _scene(params: Params) -> tuple[SceneArrays, list[np.ndarray[Any, Any]]]:
    """Noise: what is in a scene costs the same. Labels, and weights of pseudo-labels."""
    rng = np.random.default_rng(0)
    bands = len(params.scenes.optical.bands), len(params.scenes.sar.bands)
    names = [f"b{n}" for n in range(bands[0])], [f"s{n}" for n in range(bands[1])]
    grid = Grid(CRS.from_epsg(32650), Affine.identity(), SIDE, SIDE)
    images = [rng.random((b, SIDE, SIDE), np.float32) for b in bands]
    scene = SceneArrays("noise", grid, *names, 1.0, 0.0, *images, np.ones((2, SIDE, SIDE), bool))
    label = rng.integers(0, len(params.scenes.label.names), (SIDE, SIDE), np.uint8)
    return scene, [label, np.full_like(label, 255)]


def _source(params: Params, scene: SceneArrays, labels: list[np.ndarray[Any, Any]]) -> Source:
    size = params.tile.size
    corners = np.random.default_rng(1).integers(0, SIDE - size, (WINDOWS, 2))
    boxes = np.column_stack([np.zeros(WINDOWS, int), corners])
    return Source(Windows([scene], boxes, size), [[label] for label in labels])


def _aim(params: Params) -> Aim:
    """All classes alike."""
    classes, settings = len(params.scenes.label.names), params.pseudo_label
    shares, still = np.full(classes, 1 / classes), np.zeros(classes + 1)
    return Aim(shares, settings.coverage[0], settings.epsilon, settings.price, still)


def _trained(params: Params) -> Trained:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    bands = len(params.scenes.optical.bands), len(params.scenes.sar.bands)
    norms = [Normalisation.of(rng.random((8, b, 64), np.float32), None) for b in bands]
    network = Network(
        params.model.encoder, params.model.width, *bands, len(params.scenes.label.names)
    )
    return Trained.new(
        network, optical=norms[0], sar=norms[1], optical_bands=list("brgn"[: bands[0]]),
        sar_bands=["VV"], decibels=True, classes=params.scenes.label.names, colours=[],
        size=params.tile.size,
        pixel=5.0,
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true", help="the student by torch.compile")
    parser.add_argument("--encoder", help="of the network; none = that of params.yaml")
    parser.add_argument("--size", type=int, help="side of a window, px; none = that of params.yaml")
    parser.add_argument("methods", nargs="*", help="none = all")
    given = parser.parse_args()
    main(given.compile, given.encoder, given.size, given.methods)
