"""Labels reassigned anew in every step: the potentials follow a teacher that goes on learning."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dllr.training import together
from dllr.transport.data import Dense, Moments
from dllr.transport.newton import solve
from dllr.transport.partial import Aim, partial

PIXELS = 65536  # seen last, of each process: on these the potentials are solved
ALONG = 16  # of a window's pixels count along a side, in even steps: neighbours say the same
TOLERANCE, PASSES = 1e-3, 8  # of a step's solve, which begins where the last one ended
FAR_OUT = 60  # passes, where no step is found in those


class Reassigned(nn.Module):
    """Labels of pixels that come batch by batch, by the plan of `dllr.transport.partial`.

    The potentials are solved in every step on the pixels seen last. Both are the state, which goes into
    checkpoints. Every pixel has its best class; how far the plan labels it is its weight.
    """

    cost: Tensor
    mass: Tensor
    seen: Tensor
    potentials: Tensor
    barred: Tensor

    def __init__(self, aim: Aim) -> None:
        super().__init__()
        shares, start = aim.shares, aim.potentials
        # A class that the labels do not have is none here either.
        barred = torch.from_numpy(np.where(np.isneginf(start[:-1]), -np.inf, 0)).float()
        self.sureness_decides = shares is None
        if shares is None:  # there is one class, labelled, beside the virtual one
            shares, start = np.ones(1), np.array([0.0, start[-1]])
        self.register_buffer("barred", barred[:, None, None])
        self.problem = partial(shares, aim.coverage, aim.epsilon, aim.rho)
        self.register_buffer("cost", torch.zeros(PIXELS, len(start)))
        self.register_buffer("mass", torch.zeros(PIXELS))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))
        self.register_buffer("potentials", torch.from_numpy(start.copy()))

    @torch.no_grad()
    def forward(self, probability: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Classes (N, H, W) int64, and weights (N, H, W) in [0, 1]: the best class's mass beside that of
        the virtual one. probability (N, K, H, W); known (N, H, W) bool: where it is one."""
        # Whatever precision the networks run in, the solver's sums want float32.
        with torch.autocast(probability.device.type, enabled=False):
            return self._labels(probability, known)

    def _labels(self, probability: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        scores = probability.float().clamp_min(1e-30).log()
        rows, columns = (slice(by // 2, None, by) for by in map(step, known.shape[-2:]))
        thin = scores[..., rows, columns]
        if self.sureness_decides:
            thin = (thin + self.barred).amax(1, keepdim=True)
        self._remember(-thin, known[..., rows, columns])
        self._solve()
        lift = self.potentials.to(scores)
        best, label = (scores + lift[:-1, None, None] + self.barred).max(1)
        return label, torch.sigmoid((best - lift[-1]) / self.problem.epsilon)

    def _remember(self, cost: Tensor, known: Tensor) -> None:
        """The newest take the place of the oldest."""
        size = len(self.mass)
        rows = cost.movedim(1, -1).flatten(0, -2)[:size]
        place = (self.seen + torch.arange(len(rows), device=rows.device)) % size
        self.cost[place, :-1] = rows
        self.mass[place] = known.flatten()[:size].to(self.mass.dtype)
        self.seen += len(rows)

    def _solve(self) -> None:
        if not together.total(self.mass.sum()) > 0:
            return
        start = self.potentials.cpu().numpy()
        # Where the passes do not suffice the potentials are nearer than the last, and the next step goes
        # on; where they find no step at all, far out, it would begin at the same place again.
        for passes in (PASSES, FAR_OUT):
            found = solve(
                _Shared(self.cost, self.mass), self.problem,
                tolerance=TOLERANCE, max_passes=passes, start=start,
            )  # fmt: skip
            if found.converged or not np.array_equal(found.potentials, start):
                break
        self.potentials.copy_(torch.from_numpy(found.potentials))


def step(side: int) -> int:
    """px from one pixel that counts to the next: windows of any side leave as many in memory."""
    return max(1, side // ALONG)


class _Shared(Dense):
    """Pixels of which each process has some: what a pass gives is summed over all."""

    def look(self, potentials: NDArray[np.float64], epsilon: float) -> Moments:
        own = super().look(potentials, epsilon)
        if together.count() == 1:
            return own
        parts = np.concatenate([[own.value, own.mass], own.columns, own.second.ravel()])
        value, mass, *sums = together.total(torch.from_numpy(parts).to(self.cost.device)).tolist()
        columns, second = np.split(np.array(sums), [len(own.columns)])
        return Moments(value, columns, second.reshape(own.second.shape), mass)
