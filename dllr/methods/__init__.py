"""Methods by name. A new one is a file, a line here and its name in params/train_round.py."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dllr.training.method import Method

METHODS = {
    "self_training": "dllr.methods.self_training:SelfTraining",
    "supervised": "dllr.methods.supervised:Supervised",
}


def make(name: str, unlabelled_weight: float) -> "Method":
    """The method of that name, its module imported only now."""
    module, _, kind = METHODS[name].partition(":")
    method: Method = getattr(importlib.import_module(module), kind)(unlabelled_weight)
    return method
