"""Solvers by name. A new one is a file, a line here and its name in params/pseudo_label.py."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dllr.transport.data import Data
    from dllr.transport.problem import Problem, Solution

SOLVERS = {"newton": "dllr.transport.newton", "pot": "dllr.transport.pot"}


def solve(solver: str, data: "Data", problem: "Problem", **settings: Any) -> "Solution":
    """The solution of a problem by the solver of that name, its module imported only now.

    settings: `tolerance`, `max_passes`; see `dllr.transport.newton.solve`.
    """
    found: Solution = importlib.import_module(SOLVERS[solver]).solve(data, problem, **settings)
    return found
