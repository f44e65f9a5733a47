"""Parameter sets: small overlays on one commented file of defaults."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from dllr.errors import ParamsError
from dllr.files import WORK, atomic_file, digest
from dllr.params.load import PARAMS_FILE, check, read_yaml

SETS = Path("params")
DEFAULTS = SETS / "defaults.yaml"
_WRITTEN = WORK / "params_used"  # digest of what `use` wrote
_REPLACED_WHOLE = {"bands", "classes", "rounds"}  # dictionaries whose keys are the user's


def names() -> list[str]:
    """Names of the parameter sets in params/, sorted."""
    return sorted(path.stem for path in SETS.glob("*.yaml") if path != DEFAULTS)


def resolve(name: str) -> str:
    """The full text of params.yaml for a set: the defaults with their comments, the set on top.

    Raises:
        ParamsError: there is no such set, or the result is not valid.
    """
    overlay = SETS / f"{name}.yaml"
    if name not in names():
        raise ParamsError(f"no parameter set `{name}` in {SETS}/; there are: {', '.join(names())}")
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1000
    yaml.representer.add_representer(type(None), _null)
    full: CommentedMap = yaml.load(DEFAULTS.read_text(encoding="utf-8"))
    _lay_over(full, read_yaml(overlay) or {}, str(overlay))
    stream = StringIO()
    yaml.dump(full, stream)
    body = _body(stream.getvalue())
    check(YAML(typ="safe", pure=True).load(body), str(overlay))
    head = (
        f"# Parameter set: {name}. Every number a person may change; `dllr params use NAME` takes\n"
        f"# another set ({', '.join(names())}).\n\n"
    )
    return head + body


def use(name: str, overwrite: bool = False) -> str:
    """Write params.yaml from a set; returns what to tell the user.

    Raises:
        ParamsError: params.yaml holds edits of its own and `overwrite` is not given.
    """
    text = resolve(name)
    if not overwrite and _edited():
        raise ParamsError(
            f"{PARAMS_FILE} has edits of its own that would be lost; commit or copy it, then "
            f"run `dllr params use {name} --overwrite`"
        )
    WORK.mkdir(exist_ok=True)
    for path, content in ((PARAMS_FILE, text), (_WRITTEN, digest(text))):
        with atomic_file(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return f"{PARAMS_FILE} now holds the set `{name}`"


def _edited() -> bool:
    """Whether params.yaml is neither what `use` wrote last nor one of the sets, whose list in its head may
    have grown since."""
    if not PARAMS_FILE.exists():
        return False
    present = PARAMS_FILE.read_text(encoding="utf-8")
    if _WRITTEN.exists() and _WRITTEN.read_text(encoding="utf-8") == digest(present):
        return False
    return _body(present) not in [_body(resolve(name)) for name in names()]


def _body(text: str) -> str:
    """Without the head."""
    return text.partition("\n\n")[2]


def _lay_over(full: CommentedMap, overlay: Mapping[str, Any], origin: str, path: str = "") -> None:
    for key, value in overlay.items():
        where = f"{path}{key}"
        if key not in full:
            raise ParamsError(f"{origin}: {where} is not in {DEFAULTS}; is it misspelt?")
        inside = isinstance(full[key], Mapping) and key not in _REPLACED_WHOLE
        if isinstance(value, Mapping) and value and inside:
            _lay_over(full[key], value, origin, f"{where}.")
        else:
            full[key] = _styled(value)


def _styled(value: Any) -> Any:
    """Short inner dictionaries and lists on one line, as in the defaults."""
    if isinstance(value, Mapping):
        styled = CommentedMap({k: _styled(v) for k, v in value.items()})
        if not any(isinstance(v, Mapping) for v in value.values()):
            styled.fa.set_flow_style()
        return styled
    if isinstance(value, list):
        row = CommentedSeq(value)
        row.fa.set_flow_style()
        return row
    return value


def _null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")
