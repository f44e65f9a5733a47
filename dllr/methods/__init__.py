"""Methods by name. A new one is a file, a line here and its name in params/train_round.py."""

import importlib
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dllr.training.method import Method

METHODS = {
    "cps": "dllr.methods.cps:CPS",
    "dllr": "dllr.methods.dllr:DLLR",
    "fixmatch": "dllr.methods.fixmatch:FixMatch",
    "mean_teacher": "dllr.methods.mean_teacher:MeanTeacher",
    "self_training": "dllr.methods.self_training:SelfTraining",
    "supervised": "dllr.methods.supervised:Supervised",
    "unimatch": "dllr.methods.unimatch:UniMatch",
}


def make(name: str, **settings: Any) -> "Method":
    """The method of that name, its module imported only now; settings: those it knows of are its own."""
    module, _, kind = METHODS[name].partition(":")
    found = getattr(importlib.import_module(module), kind)
    known = inspect.signature(found).parameters
    method: Method = found(**{key: value for key, value in settings.items() if key in known})
    return method
