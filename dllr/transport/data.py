"""Pixels as the solver goes over them: all at once, or block by block.

A pass gives three sums over the pixels, with p_i = softmax((v − C_i) / ε) and a_i their masses: the value
−ε Σ a_i log Σ_c exp((v_c − C_ic) / ε), the column sums Σ a_i p_i, and the second moments Σ a_i p_i p_iᵀ.
They are K² + K + 1 numbers whatever the number of pixels, and sums over parts add up.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Protocol

import numpy as np
import torch
from dask.array import Array
from dask.base import compute
from dask.delayed import delayed
from numpy.typing import NDArray
from torch import Tensor

BLOCK = 32768  # pixels at a time: what is computed on the way stays in the cache, and calls are few
# Range of what potentials have moved, over ε, up to which float32 holds what is multiplied.
REACH = 40.0
SAMPLED = 64  # chunks that a sample is taken from, at most
# Logarithm that stands for all below: numbers too small for float32's usual form are slow.
FAINT = -80.0


@dataclass(frozen=True)
class Moments:
    """What a pass gives; `mass` is that of all pixels."""

    value: float
    columns: NDArray[np.float64]
    second: NDArray[np.float64]
    mass: float

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.value + other.value, self.columns + other.columns, self.second + other.second,
            self.mass + other.mass,
        )  # fmt: skip


class Data(Protocol):
    """Costs (N, K) and masses of pixels, of which passes can be made."""

    def look(self, potentials: NDArray[np.float64], epsilon: float) -> Moments:
        """One pass over all pixels; potentials (K,), −inf for a class that nothing may go to."""

    def sample(self, count: int) -> "Dense":
        """Some `count` of the pixels that have a mass, spread over all; none where it came upon none."""


class Dense:
    """Pixels that fit into memory, beside the exponentials of their costs.

    cost: (N, K) float32, on any device; +inf = never. mass: (N,) ≥ 0, None = the same for all. Masses are
    taken as given: whoever solves divides by their sum.
    """

    def __init__(self, cost: Tensor, mass: Tensor | None = None) -> None:
        self.cost, self.mass = cost, mass
        count, classes = cost.shape
        self._scaled = cost.new_empty((classes, count))
        self._largest = cost.new_empty(count)
        self._epsilon, self._around = 0.0, np.zeros(classes)  # that they were formed for

    def look(self, potentials: NDArray[np.float64], epsilon: float) -> Moments:
        weight, top = self._weight(potentials, epsilon)
        parts = [
            _products(self._scaled[:, here], self._largest[here], weight, _part(self.mass, here))
            for here in _slices(len(self.cost))
        ]
        found = _summed(parts, len(potentials), epsilon)
        return replace(found, value=found.value - epsilon * top * found.mass)

    def plan(self, potentials: NDArray[np.float64], epsilon: float) -> Tensor:
        """Rows softmax((v − C_i) / ε), (N, K) float32, a view of memory that is class by class; masses are
        left out. It takes the place of the exponentials, which a later pass forms anew."""
        weight = self._weight(potentials, epsilon)[0][:, None]
        for here in _slices(len(self.cost)):
            part = self._scaled[:, here].mul_(weight)
            part /= part.sum(0)
        plan, self._scaled, self._epsilon = self._scaled, torch.empty_like(self._scaled), 0.0
        return plan.T

    def sample(self, count: int) -> "Dense":
        return Dense(*_thinned(self.cost, self.mass, count))

    def _weight(self, potentials: NDArray[np.float64], epsilon: float) -> tuple[Tensor, float]:
        """What the exponentials, formed for potentials near by, are to be multiplied by, (K,) in [0, 1],
        and the logarithm that this leaves out."""
        open_ = np.isfinite(potentials)
        shift = np.where(open_, (potentials - self._around) / epsilon, -np.inf)
        if epsilon != self._epsilon or np.ptp(shift[open_]) >= REACH:
            self._scale(potentials, epsilon)
            shift = np.where(open_, 0.0, -np.inf)
        top = float(shift.max())
        return _tensor(np.exp(shift - top), self.cost), top

    def _scale(self, potentials: NDArray[np.float64], epsilon: float) -> None:
        """exp((v − C) / ε) class by class around some potentials, each pixel's largest made 1: formed
        once, and good for all potentials near by."""
        self._epsilon, self._around = epsilon, np.where(np.isfinite(potentials), potentials, 0)
        for here in _slices(len(self.cost)):
            scores, largest = self._scaled[:, here], self._largest[here]
            _scores(self.cost[here], potentials / epsilon, epsilon, out=scores)
            torch.amax(scores, 0, out=largest)
            scores.sub_(largest).clamp_min_(FAINT).exp_()


class Blocks:
    """Pixels that come block by block, each time anew: only one block is in memory.

    blocks: gives pairs (cost (n, K), mass (n,) or None), the same in every iteration.
    """

    def __init__(self, blocks: Iterable[tuple[Tensor, Tensor | None]]) -> None:
        self.blocks = blocks

    def look(self, potentials: NDArray[np.float64], epsilon: float) -> Moments:
        return reduce(add, (moments(cost, mass, potentials, epsilon) for cost, mass in self.blocks))

    def sample(self, count: int) -> Dense:
        kept: list[tuple[Tensor, Tensor | None]] = []
        every = 1  # of the pixels, taken so far
        for cost, mass in self.blocks:
            kept.append(_every(cost, mass, every))
            while sum(len(c) for c, _ in kept) > max(2 * count, len(kept)):
                every *= 2
                kept = [_every(c, m, 2) for c, m in kept]
        return _joined(kept)


class Chunks:
    """Pixels as a Dask array (N, K), chunked along the pixels: a pass is a map over the chunks, on threads
    or on a distributed cluster, and a sum of what is small.

    mass: (N,) with the same chunks, or None.
    """

    def __init__(self, cost: Array, mass: Array | None = None) -> None:
        costs = cost.to_delayed().ravel()
        masses = [None] * len(costs) if mass is None else mass.to_delayed().ravel()
        self._parts = list(zip(costs, masses, strict=True))

    def look(self, potentials: NDArray[np.float64], epsilon: float) -> Moments:
        todo = [delayed(_chunk)(cost, mass, potentials, epsilon) for cost, mass in self._parts]
        found: Moments = reduce(add, compute(*todo))
        return found

    def sample(self, count: int) -> Dense:
        # Some chunks, not all: making them may cost as much as a pass.
        chosen = self._parts[:: math.ceil(len(self._parts) / SAMPLED)]
        share = math.ceil(count / len(chosen))
        return _joined(compute(*(delayed(_part_of)(cost, mass, share) for cost, mass in chosen)))


def moments(
    cost: Tensor, mass: Tensor | None, potentials: NDArray[np.float64], epsilon: float
) -> Moments:
    """The sums over pixels that are gone over once, in the domain of logarithms: any ε, any range."""
    # Single precision holds sums of whole numbers and costs alike for all potentials near by; the rest is
    # multiplied in, so that the sums follow even the smallest step.
    lift = potentials / epsilon
    whole = np.round(lift)
    rest = np.subtract(lift, whole, out=np.full(len(lift), -np.inf), where=np.isfinite(lift))
    weight = _tensor(np.exp(rest), cost)
    parts = []
    for here in _slices(len(cost)):
        scores = _scores(
            cost[here], whole, epsilon, out=cost.new_empty((len(lift), len(cost[here])))
        )
        top = scores.amax(0)
        scores = scores.sub_(top).clamp_min_(FAINT).exp_()
        parts.append(_products(scores, top, weight, _part(mass, here)))
    return _summed(parts, len(potentials), epsilon)


def _products(
    scaled: Tensor, largest: Tensor, weight: Tensor, mass: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Log-sums, column sums, second moments and mass of pixels whose exponentials are there: scaled (K, n)
    in [0, 1], the largest of each pixel 1 and `largest` its logarithm; weight (K,), about 1 at most."""
    sums = weight @ scaled
    plan = scaled / sums
    heavy = plan if mass is None else plan * mass
    logs = sums.log_() + largest
    value = (
        logs.sum(dtype=torch.float64) if mass is None else (logs * mass).sum(dtype=torch.float64)
    )
    whole = torch.tensor(len(logs)) if mass is None else mass.sum(dtype=torch.float64)
    outer = weight[:, None] * weight
    return value, weight * heavy.sum(1), outer * (heavy @ plan.T), whole


def _summed(
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]], classes: int, epsilon: float
) -> Moments:
    if not parts:
        return Moments(0.0, np.zeros(classes), np.zeros((classes, classes)), 0.0)
    value, columns, second, mass = (
        torch.stack([p.double() for p in part]).sum(0).cpu().numpy()
        for part in zip(*parts, strict=True)
    )
    return Moments(-epsilon * float(value), columns, second, float(mass))


def _chunk(
    cost: NDArray[np.float32],
    mass: NDArray[np.float32] | None,
    potentials: NDArray[np.float64],
    epsilon: float,
) -> Moments:
    known = None if mass is None else torch.from_numpy(mass)
    return moments(torch.from_numpy(cost), known, potentials, epsilon)


def _part_of(
    cost: NDArray[np.float32], mass: NDArray[np.float32] | None, count: int
) -> tuple[Tensor, Tensor | None]:
    known = None if mass is None else torch.from_numpy(mass)
    return _thinned(torch.from_numpy(cost), known, count)


def _thinned(cost: Tensor, mass: Tensor | None, count: int) -> tuple[Tensor, Tensor | None]:
    """About `count` of the pixels that have a mass, evenly spread."""
    held = len(cost) if mass is None else int((mass > 0).sum())
    return _every(cost, mass, max(1, held // count))


def _every(cost: Tensor, mass: Tensor | None, step: int) -> tuple[Tensor, Tensor | None]:
    """One in `step` of the pixels that have a mass, copied."""
    if mass is None:
        return cost[::step].clone(), None
    places = torch.nonzero(mass)[::step, 0]
    return cost[places], mass[places]


def _joined(parts: Sequence[tuple[Tensor, Tensor | None]]) -> Dense:
    masses = [mass for _, mass in parts if mass is not None]
    return Dense(torch.cat([cost for cost, _ in parts]), torch.cat(masses) if masses else None)


def _scores(cost: Tensor, lift: NDArray[np.float64], epsilon: float, out: Tensor) -> Tensor:
    """lift − C / ε, (K, n), the lift being v / ε, into `out`: class by class, so that what follows runs
    along the pixels."""
    return torch.sub(_tensor(lift, cost)[:, None], cost.T, alpha=1 / epsilon, out=out)


def _slices(count: int) -> Iterator[slice]:
    return (slice(first, first + BLOCK) for first in range(0, count, BLOCK))


def _part(mass: Tensor | None, here: slice) -> Tensor | None:
    return None if mass is None else mass[here]


def _tensor(values: NDArray[np.float64], like: Tensor) -> Tensor:
    return torch.from_numpy(values).to(device=like.device, dtype=like.dtype)
