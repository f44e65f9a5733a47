"""Reading params.yaml: the section it names, checked as a whole before any work is done."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dllr.errors import ParamsError
from dllr.params.root import Params

PARAMS_FILE = Path("params.yaml")


def read_yaml(path: Path) -> Any:
    """Plain values of a YAML 1.2 file (as DVC reads it: `1e-3` is a number)."""
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(
            f"{path} does not exist; `dllr params use quick` writes one, from the project's folder"
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise ParamsError(f"{path} is not YAML: {error}") from None


def load(path: Path = PARAMS_FILE) -> Params:
    """Read and check a whole parameter file.

    Raises:
        ParamsError: a key is unknown (the nearest known one is named), missing, of the wrong type
            or out of range, or two sections disagree.
    """
    return check(read_yaml(path), str(path))


def check(values: Any, origin: str) -> Params:
    """The same for values that were read already; `origin` is named in messages."""
    if not isinstance(values, dict):
        raise ParamsError(
            f"{origin} holds no sections; `dllr params use quick --overwrite` writes a whole file"
        )
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        lines = [_explain(e) for e in error.errors()]
        raise ParamsError("\n".join([f"{origin}:", *(f"  {line}" for line in lines)])) from None


def _explain(error: Any) -> str:
    location: tuple[str | int, ...] = error["loc"]
    where = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        known = list(_fields(location[:-1]))
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
        return f"{where}: unknown key; {hint}"
    if error["type"] == "missing":
        return f"{where}: missing; `dllr params show` prints every key of the set in use"
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{where}: {message}" if where else message
    return f"{where}: {message[0].lower()}{message[1:]}, found {error['input']!r}"


def _fields(location: Iterable[str | int]) -> Iterable[str]:
    """Names of the fields of the section at a location such as ("scenes", "sar")."""
    kind: Any = Params
    for part in location:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(part))
            kind = field.annotation if field else None
        else:
            kind = get_args(kind)[-1] if get_args(kind) else None
    while kind is not None and not isinstance(kind, type):
        kind = get_args(kind)[0] if get_args(kind) else None
    return kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else ()
