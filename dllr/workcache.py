"""What survives a crash: `.dllr/<stage>/<key>/`, keyed by inputs, parameters and code.

DVC removes a stage's outputs before it runs the stage; finished scenes and checkpoints are kept here
and linked into the outputs. The folder can be deleted at any time.
"""

import ast
import hashlib
import importlib.util
import threading
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dllr.files import WORK, digest, file_digest


def work_dir(stage: str, *inputs: Any, extra_modules: tuple[str, ...] = ()) -> Path:
    """The stage's folder for these inputs (JSON values and parameter sections) and today's code."""
    values = [v.model_dump() if isinstance(v, BaseModel) else v for v in inputs]
    key = digest(values, code_digest(f"dllr.stages.{stage}", *extra_modules))
    folder = WORK / stage / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


_PARSING = threading.Lock()  # CPython 3.11 cannot parse in two threads at once


def content(*folders: Path, pattern: str = "**/*") -> str:
    """Digest of the files under the folders: their relative paths and their bytes."""
    files = [(f, p) for f in folders for p in sorted(f.glob(pattern)) if p.is_file()]
    return digest(
        [(path.relative_to(folder).as_posix(), file_digest(path)) for folder, path in files]
    )


def code_digest(*modules: str) -> str:
    """SHA-256 of the source of the modules and of all that they import from this package."""
    with _PARSING:
        return _code_digest(*modules)


@cache
def _code_digest(*modules: str) -> str:
    sources = sorted(closure(*modules).items())
    return hashlib.sha256(b"\0".join(path.read_bytes() for _, path in sources)).hexdigest()


def closure(*modules: str) -> dict[str, Path]:
    """Module → file, of the modules named and of every module of this package they import.

    Packages themselves (`__init__.py`) are left out: they hold docstrings and tables of names.
    """
    found: dict[str, Path] = {}
    todo = list(modules)
    while todo:
        name = todo.pop()
        spec = importlib.util.find_spec(name)
        if name in found or spec is None or spec.origin is None or spec.submodule_search_locations:
            continue
        found[name] = Path(spec.origin)
        todo += _imports(found[name])
    return found


def _imports(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] == "dllr" and _is_module(name)]


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # an attribute of a module that is no package
        return False
