"""How far a SAR image lies from where it says, with evidence: arrays in, a verdict out."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dllr.registration.estimate import Estimator

# Kinds of evidence by name. A new one is a file, a line here and its name in params/coregister.py.
ESTIMATORS = {
    "gradients": "dllr.registration.gradients:Gradients",
    "information": "dllr.registration.information:Information",
    "shift": "dllr.registration.shift:Shift",
}


def make(name: str) -> "Estimator":
    """The estimator of that name, its module imported only now."""
    module, _, kind = ESTIMATORS[name].partition(":")
    found: Estimator = getattr(importlib.import_module(module), kind)()
    return found
