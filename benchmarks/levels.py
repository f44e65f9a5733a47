"""Which rule, or which further level, would make the labels of real teachers better?

`python -m benchmarks.levels [RESULTS ...]` takes results folders of runs or of a study's cells (none =
results/) and labels half of the unlabelled windows' pixels, as round 1 did but by pixel alone. The first
rule is the stage's, with its shares and price. Then: other prices; other shares, of the labelled pixels, of
the teacher, the true ones, and found by EM; the shares as upper bounds of what is sure enough; potentials
of the calibration fold, alone and mixed with those of all pixels; distances to class prototypes in the
costs; each window to shares of its own, found by EM; rules of others that follow class shares, with the
stage's and not those of the labelled pixels as in the ledger; and the surest pixels, whatever their class.
Each rule labels as many. Accuracy is the mean over the classes, mIoU that of the labelled pixels, in %; the
scene folder knows the truth. Printed are the means over the folders, and the mean gain over the first rule
with the half width of its 95 % interval. Potentials that were not found are told on the way.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy.stats import t as student
from torch import nn
from torch.nn import functional

from dllr.files import read_json
from dllr.models.batch import stacked
from dllr.models.network import HEADS
from dllr.models.predict import BATCH
from dllr.raster.arrays import SceneArrays, open_arrays
from dllr.raster.grid import IGNORE, read_indices
from dllr.raster.products import CHECKPOINT, SUMMARY, WINDOWS
from dllr.raster.windows import boxes
from dllr.stages.teaching import WEIGHTS, Teacher
from dllr.transport.data import Data, Dense
from dllr.transport.ledger import UNLABELLED, Truth
from dllr.transport.newton import solve
from dllr.transport.partial import partial, reassign, widened
from dllr.transport.problem import Problem, Solution
from dllr.transport.rivals import RULES
from dllr.transport.scores import cost
from dllr.transport.tiles import expected_shares, solve_tiles

COVERAGE = 0.5
STRIDE, SEEN = 4, 2  # px between pixels that count, of unlabelled and of labelled windows
PULL = (0.5, 2.0)  # weights of the distance 1 − cos to a class's prototype
PRICES = (math.inf, 3.0, 1.0, 0.3)  # ρ, of leaving the shares
MIXED = (0.0, 0.3)  # κ, part of the potentials of all pixels beside those of the fold
FARTHEST = 3.0  # |v|
TRUST = (0.5, 0.9)  # how far EM goes by the unlabelled pixels
OWN_PRICE = 3.0  # ρ of a window's own shares


class Pixels(NamedTuple):
    """Costs (T, n, K), features of unit length (T, n, F), truth (T, n) and validity (T, n) of windows."""

    cost: NDArray[np.float32]
    feature: NDArray[np.float32]
    truth: NDArray[np.uint8]
    valid: NDArray[np.bool_]


def main(folders: list[Path]) -> None:
    rows = []
    for folder in folders:
        rows.append(dict(_rules(folder)))
        print(folder, rows[-1], file=sys.stderr, flush=True)
    first, *others = (rule for rule in rows[0] if all(rule in row for row in rows))
    figures: dict[str, Any] = {"folders": len(rows), "coverage": COVERAGE, "rules": {}}
    for rule in (first, *others):
        found = np.array([row[rule] for row in rows])
        gain = found - np.array([row[first] for row in rows])
        figures["rules"][rule] = {
            name: {"mean": _digits(found[:, k].mean()), "gain": _digits(gain[:, k].mean()),
                   "half_width": _half_width(gain[:, k])}
            for k, name in enumerate(("accuracy", "miou"))
        }  # fmt: skip
    print(json.dumps(figures))


def _rules(results: Path) -> Iterator[tuple[str, tuple[float, float]]]:
    """Each rule, with accuracy and mIoU of its labels."""
    summary = read_json(results / "pseudo_labels/1" / SUMMARY)
    epsilon, rho = summary["epsilon"], summary["rho"] or np.inf
    shares, labelled = (_vector(summary[kind]) for kind in ("target", "labelled"))
    windows = pd.read_parquet(results / "split" / WINDOWS)
    windows = windows[windows["split"] == "train"]
    teacher = _Teacher(results, summary["temperature"])
    taught = teacher.look(windows[windows["labelled"] == "train"], results / "split/labels", SEEN)
    fold = teacher.look(
        windows[windows["labelled"] == "calibration"], results / "split/labels", SEEN
    )
    free = teacher.look(windows[windows["labelled"] == "no"], results / "labels", STRIDE)
    seen = free.valid
    price, known = free.cost[seen], free.truth[seen] != IGNORE
    truth = Truth(free.truth[seen][known], np.zeros(known.sum(), np.int64), len(shares))

    def judged(
        wanted: NDArray[np.float64], rho: float = rho, cost: NDArray[np.float32] = price
    ) -> tuple[float, float]:
        problem = partial(wanted / wanted.sum(), COVERAGE, epsilon, rho)
        found = _solved(Dense(torch.from_numpy(widened(cost))), problem)
        done = reassign(cost, found.potentials, epsilon)
        return scored(done.label, done.rank)

    def scored(label: NDArray[np.generic], rank: NDArray[np.float32]) -> tuple[float, float]:
        labels = np.where(rank >= np.quantile(rank, 1 - COVERAGE), label, UNLABELLED)
        labels = labels[known].astype(np.uint8)
        accuracy, miou = truth.accuracy(labels), truth.miou(labels)
        assert accuracy is not None and miou is not None
        return 100 * accuracy, 100 * miou

    yield "as in the stage", judged(shares)
    for other in PRICES:
        yield f"its shares, ρ = {other:g}", judged(shares, other)
    own = np.exp(-price).mean(0)
    counts = np.bincount(free.truth[seen][known], minlength=len(shares))
    for name, wanted in (("labelled", labelled), ("the teacher's", own), ("true", counts)):
        yield f"{name} shares", judged(wanted)
        yield f"{name} shares, exactly", judged(wanted, np.inf)
    for trust in TRUST:
        yield f"shares by EM, trust {trust:g}", judged(_by_em(price, shares, trust))
    yield "its shares as upper bounds", scored(*_bounded(price, shares, epsilon))
    ways = product((epsilon, 1.0), MIXED) if (fold.valid & (fold.truth != IGNORE)).any() else ()
    for warmth, part in ways:
        lifted = price - _by_fold(fold, price, shares, part, warmth, rho)
        lifted += np.log(np.exp(-lifted).sum(1, keepdims=True))
        rule = f"potentials of the fold, ε = {warmth:g}, κ = {part:g}"
        yield rule, scored(lifted.argmin(1), -lifted.min(1))
    prototypes = _prototypes(taught.feature[taught.valid], taught.truth[taught.valid], len(shares))
    for weight in PULL:
        pulled = price + np.float32(weight) * (1 - free.feature[seen] @ prototypes.T)
        yield f"prototypes, weight {weight:g}", judged(shares, cost=pulled)
    lifted = _by_window(free, shares, epsilon)[seen]
    yield "each window to its own shares", judged(shares, cost=lifted)
    probability, wanted = torch.from_numpy(np.exp(-price)), torch.from_numpy(shares).float()
    for name in ("alignment", "Sinkhorn by batch"):
        ranked = RULES[name](probability, wanted)
        yield f"{name}, its shares", scored(ranked.label.numpy(), ranked.rank.numpy())
    yield "the surest, whatever their class", scored(price.argmin(1), -price.min(1))


def _solved(data: Data, problem: Problem) -> Solution:
    found = solve(data, problem, tolerance=1e-4)
    if not found.converged:
        print(f"not solved: residual {found.residual:.1g}, {problem}", file=sys.stderr)
    return found


def _vector(shares: dict[str, float]) -> NDArray[np.float64]:
    found = np.array(list(shares.values()))
    total: NDArray[np.float64] = found / found.sum()
    return total


class _Teacher(Teacher):
    """With the features that the fused head classifies."""

    def __init__(self, results: Path, temperatures: dict[str, float]) -> None:
        super().__init__(results / "rounds/0" / CHECKPOINT)
        self.temperatures = np.array([temperatures[head] for head in HEADS])
        self.coregistered = results / "coregistered"
        self.weights = np.array([WEIGHTS[head] for head in HEADS])
        self.scenes: dict[str, SceneArrays] = {}
        self.read = torch.empty(0)
        classify: nn.Conv2d = self.network.decoders["fused"].classify  # type: ignore[assignment]
        classify.register_forward_hook(self._keep)

    def _keep(self, _: Any, inputs: tuple[torch.Tensor], __: Any) -> None:
        self.read = inputs[0]

    @torch.no_grad()
    def look(self, windows: pd.DataFrame, labels: Path, stride: int) -> Pixels:
        size, thin = self.trained.size, (slice(stride // 2, None, stride),) * 2
        parts = []
        for first in range(0, len(windows), BATCH):
            here = boxes(windows.iloc[first : first + BATCH])
            crops = [self._scene(b.scene).crop(b.y, b.x, size, size) for b in here]
            optical, sar, valid = stacked(crops, self.device)
            out = self.network(self.trained.optical(optical), self.trained.sar(sar), valid)
            logits = torch.stack([out[head] for head in HEADS]).float()[..., *thin]
            wide = functional.interpolate(self.read, (size, size), mode="bilinear")
            feature = functional.normalize(wide.float()[..., *thin], dim=1).movedim(1, -1)
            known = valid[..., *thin]
            sight = torch.stack([known.any(1), known[:, 0], known[:, 1]])  # as HEADS are named
            rows = cost(
                logits.movedim(2, -1).flatten(1, -2).cpu().numpy(), self.temperatures,
                self.weights, sight.flatten(1).cpu().numpy() | ~known.any(1).flatten().cpu().numpy(),
            )  # fmt: skip
            count, classes = len(here), len(self.classes)
            places = [(labels / f"{b.scene}.tif", Window(b.x, b.y, size, size)) for b in here]
            truth = np.stack([self._truth(*place)[thin].ravel() for place in places])
            seen = known.any(1).flatten(1).cpu().numpy()
            direction = feature.flatten(1, 2).cpu().numpy()
            parts.append(Pixels(rows.reshape(count, -1, classes), direction, truth, seen))
        return Pixels(*(np.concatenate(kept) for kept in zip(*parts, strict=True)))

    def _scene(self, name: str) -> SceneArrays:
        if name not in self.scenes:
            self.scenes[name] = open_arrays(self.coregistered / name)
        return self.scenes[name]

    def _truth(self, path: Path, window: Window) -> NDArray[np.uint8]:
        if not path.exists():
            return np.full((self.trained.size,) * 2, IGNORE, np.uint8)
        return read_indices(path, window)


def _prototypes(
    feature: NDArray[np.float32], label: NDArray[np.uint8], classes: int
) -> NDArray[np.float32]:
    """Mean directions (K, F) of the labelled pixels; 0 of a class that has none."""
    found = np.zeros((classes, feature.shape[1]), np.float32)
    for k in np.unique(label[label != IGNORE]):
        mean = feature[label == k].mean(0)
        found[k] = mean / np.linalg.norm(mean).clip(1e-6)
    return found


def _bounded(
    cost: NDArray[np.float32], shares: NDArray[np.float64], epsilon: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Class and rank of pixels that are sure enough, no class beyond its share of what is labelled: a
    threshold for all, and a higher one for classes that would have more."""
    sure = np.quantile(cost.min(axis=1), COVERAGE)
    problem = Problem(np.append(COVERAGE * shares, 1.0), epsilon, "bounded")
    priced = np.concatenate([cost, np.full((len(cost), 1), sure, np.float32)], axis=1)
    potentials = _solved(Dense(torch.from_numpy(priced)), problem).potentials
    potentials[-1] -= sure
    done = reassign(cost, potentials, epsilon)
    return done.label, done.rank


def _by_fold(
    fold: Pixels,
    cost: NDArray[np.float32],
    shares: NDArray[np.float64],
    part: float,
    epsilon: float,
    rho: float,
) -> NDArray[np.float32]:
    """Potentials (K,) of the calibration fold with its own shares, mixed with those of all pixels (N, K)
    with the stage's shares and price."""
    seen = fold.valid & (fold.truth != IGNORE)
    counts = np.bincount(fold.truth[seen], minlength=len(shares)).astype(float)
    found = []
    for pixels, wanted, price in (
        (fold.cost[seen], counts, np.inf),
        (cost, shares, rho),
    ):
        asked = wanted / wanted.sum()
        problem = (
            Problem(asked, epsilon, "relaxed", price)
            if np.isfinite(price)
            else Problem(asked, epsilon)
        )
        potentials = _solved(Dense(torch.from_numpy(pixels)), problem).potentials
        found.append(potentials - potentials[asked > 0].mean())
    own, all_ = (potentials.clip(-FARTHEST, FARTHEST) for potentials in found)
    return np.asarray((1 - part) * own + part * all_, np.float32)


def _by_em(
    cost: NDArray[np.float32], shares: NDArray[np.float64], trust: float
) -> NDArray[np.float64]:
    """Shares of all pixels together."""
    reference = torch.from_numpy(shares.astype(np.float32))
    every = torch.from_numpy(cost)[None]
    found = expected_shares(
        every, torch.ones(every.shape[:2]), reference, steps=20, trust=trust, floor=1e-4
    )
    return found[0].double().numpy()


def _by_window(pixels: Pixels, shares: NDArray[np.float64], epsilon: float) -> NDArray[np.float32]:
    """Costs (T, n, K) lifted to the shares of all, then by each window's own potentials."""
    problem = partial(shares, 1.0, epsilon, np.inf)
    flat = torch.from_numpy(widened(pixels.cost[pixels.valid]))
    lift = _solved(Dense(flat), problem).potentials[:-1]
    price = torch.from_numpy((pixels.cost - lift).astype(np.float32))
    price = -(-price).log_softmax(2)
    mass = torch.from_numpy(pixels.valid.astype(np.float32))
    wanted = torch.from_numpy(shares.astype(np.float32))
    own = expected_shares(price, mass, wanted, steps=5, trust=0.95, floor=1e-4)
    found = solve_tiles(price, mass, own, epsilon=epsilon, rho=OWN_PRICE, tolerance=1e-3)
    return np.asarray(price - found.potentials.nan_to_num(neginf=-50)[:, None], np.float32)


def _half_width(gain: NDArray[np.float64]) -> float | None:
    """Of the 95 % interval of a mean; None of one folder."""
    if len(gain) < 2:
        return None
    return _digits(student.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain)))


def _digits(value: float) -> float:
    return round(float(value), 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="*", type=Path, help="folders; none = results")
    given = parser.parse_args()
    main(given.results or [Path("results")])
