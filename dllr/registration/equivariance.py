"""The self-test for scenes without truth: where an image is moved by a known transform, the estimate
must follow."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dllr.registration.gate import Verdict
from dllr.registration.pair import Box, Pair, Views
from dllr.registration.search import Reach
from dllr.registration.transform import Matrix, Size, distance, similarity


@dataclass(frozen=True)
class MovedPair:
    """A pair whose moving image lies elsewhere: what was at p is at `known` p. Nothing is interpolated
    twice."""

    pair: Pair
    known: Matrix

    @property
    def size(self) -> Size:
        return self.pair.size

    def views(self, factor: int, matrix: Matrix, boxes: list[Box]) -> Views:
        return self.pair.views(factor, np.linalg.inv(self.known) @ matrix, boxes)


@dataclass(frozen=True)
class Trial:
    """One known transform. error: px at the worst of corners and centre, None where refused."""

    verdict: Verdict
    error: float | None


def equivariance(
    pair: Pair,
    register: Callable[[Pair], Verdict],
    amount: Reach,
    trials: int,
    rng: np.random.Generator,
) -> tuple[Verdict, list[Trial]]:
    """The verdict on a pair as it is, and on it moved by random transforms of up to `amount`.

    Without a transform for the pair as it is there is nothing to follow, and no trial.
    """
    first = register(pair)
    found: list[Trial] = []
    for _ in range(trials if first.matrix is not None else 0):
        x, y, turn, stretch = rng.uniform(-1, 1, 4)
        hop = amount.shift * x, amount.shift * y
        known = similarity(pair.size, hop, amount.rotation * turn, 1 + amount.scale * stretch)
        verdict = register(MovedPair(pair, known))
        error = None
        if verdict.matrix is not None and first.matrix is not None:
            error = distance(np.linalg.inv(known) @ verdict.matrix, first.matrix, pair.size)
        found.append(Trial(verdict, error))
    return first, found
