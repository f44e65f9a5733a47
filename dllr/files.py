"""Files appear whole or not at all; what must survive a crash has a place of its own."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WORK = Path(".dllr")
UMASK = os.umask(0o022)  # it can only be read by setting it, and that is safe before threads start
os.umask(UMASK)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix; renamed onto it when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~UMASK)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_dir(path: Path, *, keep: bool = False) -> Iterator[Path]:
    """A temporary folder beside `path`; takes its place, old content included, at the end.

    keep: where somebody else has finished `path` meanwhile, theirs stays. For folders named by their
    content, which others may be reading already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~UMASK)
        if path.exists() and not keep:
            shutil.rmtree(path)
        try:
            temporary.replace(path)
        except OSError:
            if not keep or not path.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, keys in the order given, a newline at the end; NaN is refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(*values: Any) -> str:
    """SHA-256 (first 16 hex digits) of values that JSON can hold: a key of the work cache.

    The order of a dictionary counts: that of classes and bands is their index in every product.
    """
    text = json.dumps(values, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def link_or_copy(source: Path, target: Path) -> None:
    """Hard link where the file system allows it, else a copy: no pixel is stored twice."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def link_tree(source: Path, target: Path) -> None:
    """The files under `source` again under `target`, linked."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            link_or_copy(path, target / path.relative_to(source))
