"""Which rule gives the best labels? A simulation of what decides label reassignment: the class marginal.

`python -m benchmarks.reassignment` draws patchy tiles of seven classes with the shares of WHU-OPT-SAR, a
teacher that is biased towards the majority, and 16 labelled tiles. Every rule reassigns the teacher's
scores; the mIoU (%) of its labels is printed as mean ± deviation over SEEDS. Two teachers: one that errs
pixel by pixel, and one as networks err, in patches, differently from tile to tile, too sure of itself.
"""

import json
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import log_softmax

from dllr.evaluation.confusion import confusion, scores
from dllr.transport import newton
from dllr.transport.data import Dense
from dllr.transport.problem import Problem
from dllr.transport.tiles import expected_shares, solve_tiles

SHARES = np.array([0.35, 0.40, 0.12, 0.05, 0.035, 0.03, 0.015])
TILES, LABELLED, SIDE, SEEDS = 300, 16, 32, 5
PATCHY = 2.0  # concentration of the tiles' shares about those of all: less = fewer classes a tile
SHARP, NOISE = 2.0, 1.5  # what the true class adds to a score, and the deviation of every score
BIAS = 1.5  # of the logarithm of the shares, added to the scores: the majority's advantage
EXACT = 1e3  # ρ that stands for equal columns


class World(NamedTuple):
    """Scores (T, n, K) of the teacher and truth (T, n) of unlabelled tiles, and of labelled ones."""

    scores: NDArray[np.float32]
    truth: NDArray[np.int64]
    labelled: NDArray[np.float32]
    label: NDArray[np.int64]


def main() -> None:
    figures: dict[str, dict[str, list[float]]] = {}
    for teacher in ("by pixel", "in patches"):
        rules: dict[str, list[float]] = {}
        for seed in range(SEEDS):
            world = _world(seed, teacher == "in patches")
            for name, labels in _rules(world):
                rules.setdefault(name, []).append(_miou(world.truth, labels))
        figures[teacher] = {
            n: [round(100 * f(v), 1) for f in (np.mean, np.std)] for n, v in rules.items()
        }
        for name, (mean, spread) in figures[teacher].items():
            print(f"{teacher:10}  {name:38} {mean:5.1f} ± {spread:.1f}", file=sys.stderr)
    print(json.dumps(figures))


def _world(seed: int, patches: bool) -> World:
    rng = np.random.default_rng(seed)
    truth = np.stack([_tile(rng) for _ in range(TILES + LABELLED)])
    noise = rng.normal(size=(*truth.shape, len(SHARES)))
    if patches:
        smooth = gaussian_filter(noise, (0, 3, 3, 0))
        noise = (
            0.5 * noise + smooth / smooth.std() + rng.normal(size=(len(noise), 1, 1, len(SHARES)))
        )
    z = NOISE * noise + SHARP * np.eye(len(SHARES))[truth] + BIAS * np.log(SHARES)
    z = (2.0 if patches else 1.0) * z.reshape(len(z), -1, len(SHARES))
    flat = truth.reshape(len(truth), -1)
    found = log_softmax(z, axis=2).astype(np.float32)
    return World(found[LABELLED:], flat[LABELLED:], found[:LABELLED], flat[:LABELLED])


def _tile(rng: np.random.Generator) -> NDArray[np.int64]:
    """Patches of classes, in shares of the tile's own."""
    shares = rng.dirichlet(PATCHY * SHARES + 1e-3)
    fields = gaussian_filter(rng.normal(size=(len(SHARES), SIDE, SIDE)), (0, 4, 4))
    fields = (fields / fields.std()) + np.log(shares + 1e-9)[:, None, None]
    return np.argmax(fields, axis=0)


def _rules(world: World) -> Iterator[tuple[str, NDArray[np.int64]]]:
    tiles, pixels, classes = world.scores.shape
    cost = torch.from_numpy(-world.scores)
    mass = torch.ones(tiles, pixels)
    counts = np.bincount(world.label.ravel(), minlength=classes)
    shares = 0.95 * counts / counts.sum() + 0.05 * (counts > 0) / (counts > 0).sum()
    everywhere = torch.from_numpy(shares.astype(np.float32)).expand(tiles, -1)
    uniform = torch.full((tiles, classes), 1 / classes)

    def by_tile(c: torch.Tensor, b: torch.Tensor, rho: float) -> NDArray[np.int64]:
        found = solve_tiles(c, mass, b, epsilon=1.0, rho=rho, tolerance=1e-3)
        best: NDArray[np.int64] = (found.potentials[:, None] - c).argmax(2).numpy()
        return best

    yield "argmax", world.scores.argmax(2)
    yield "tile, equal, uniform shares", by_tile(cost, uniform, EXACT)
    yield "tile, equal, labelled shares", by_tile(cost, everywhere, EXACT)
    whole = newton.solve(Dense(cost.reshape(-1, classes)), Problem(shares, 1.0), tolerance=1e-4)
    yield "all tiles, equal, labelled shares", _lifted(cost, whole.potentials).argmin(2).numpy()
    exact = counts / counts.sum()
    known = newton.solve(
        Dense(torch.from_numpy(-world.labelled.reshape(-1, classes))),
        Problem(exact, 1.0),
        tolerance=1e-4,
    )
    lifted = _lifted(cost, known.potentials)
    yield "potentials of the labelled pixels", lifted.argmin(2).numpy()
    own = expected_shares(
        lifted, mass, torch.from_numpy(exact.astype(np.float32)), steps=5, trust=0.95, floor=1e-4
    )
    for rho in (0.3, 3.0, EXACT):
        yield f"the same, then tile EM, ρ = {rho:g}", by_tile(lifted, own, rho)
    truth = np.stack([np.bincount(t, minlength=classes) for t in world.truth]) / pixels
    yield (
        "the same, then true tile shares",
        by_tile(lifted, torch.from_numpy(truth.astype(np.float32)), EXACT),
    )


def _lifted(cost: torch.Tensor, potentials: NDArray[np.float64]) -> torch.Tensor:
    """Costs (T, n, K) after potentials, as −log of probabilities again."""
    scores = torch.from_numpy(potentials.astype(np.float32)) - cost
    return -scores.log_softmax(2)


def _miou(truth: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    names = [str(k) for k in range(len(SHARES))]
    found = scores(confusion(truth, labels, len(SHARES)), names)["miou"]
    assert found is not None
    return found


if __name__ == "__main__":
    main()
