"""A cell's place: a git worktree of the commit, with DVC's cache and run-cache of the project.

The work cache `.dllr` is each cell's own. Keys of different stages of different cells can meet in it
(the same scenes as arrays), and cells that run side by side would write there at the same time; what
cells have in common comes from DVC's run-cache instead.
"""

import fcntl
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

from ruamel.yaml import YAML

from dllr.errors import StudyError
from dllr.files import WORK, atomic_file
from dllr.params.load import PARAMS_FILE

LOCK = Path("dvc.lock")
# A cell has its own of the first two, and takes nothing from the third.
_OWN = (str(PARAMS_FILE), str(LOCK), "studies")

log = logging.getLogger(__name__)


def commit(root: Path) -> str:
    """The commit that the cells are made of.

    Raises:
        StudyError: `root` is not the root of a git repository with a commit, or tracked files were
            changed since: the cells would run without the changes.
    """
    top = git(root, "rev-parse", "--show-toplevel")
    if Path(top) != root:
        raise StudyError(f"{root} is not the project's folder; run the study from {top}")
    without = [f":(exclude){path}" for path in _OWN]
    changed = git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *without)
    if changed:
        raise StudyError(
            "cells run the last commit, and these files differ from it; commit them, or put them "
            f"back with `git restore`:\n{changed}"
        )
    return git(root, "rev-parse", "HEAD")


@contextmanager
def alone(folder: Path) -> Iterator[TextIO]:
    """Alone with a cell; yields its log, beside it, which processes are to have as their output.

    The log is locked for as long as a process has it open. So a stage that goes on although the
    study was killed is waited for, and never has its files taken from under it.
    """
    with log_of(folder).open("a", encoding="utf-8") as output:
        try:
            fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for what still runs in %s", folder.name)
            fcntl.flock(output, fcntl.LOCK_EX)
        yield output


def log_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.log")


def settle(root: Path, folder: Path, revision: str, params: dict[str, Any], cache: Path) -> None:
    """Make or mend the worktree `folder`: the files of the commit, its own params.yaml and dvc.lock.

    What the cell has made stays, and so does its dvc.lock, which says what that is. Whoever calls
    is `alone` with the cell.
    """
    lock = (folder / LOCK).read_bytes() if (folder / LOCK).exists() else None
    if not _checked_out(folder, revision):
        shutil.rmtree(folder, ignore_errors=True)
        lock = None
        git(root, "worktree", "add", "--quiet", "--force", "--detach", str(folder), revision)
    if lock is not None:
        _write(folder / LOCK, lock)
    text = StringIO()
    YAML().dump(params, text)  # the safe kind sorts keys, and the order of the classes counts
    _write(folder / PARAMS_FILE, text.getvalue().encode())
    _share(folder, cache)
    # What a killed DVC held counts as held while its process waits to be reaped, perhaps for ever.
    (folder / ".dvc" / "tmp" / "rwlock").unlink(missing_ok=True)


def _checked_out(folder: Path, revision: str) -> bool:
    """Bring an existing worktree to the commit; False where there is none that can be used."""
    if not (folder / ".git").is_file():
        return False
    try:
        git(folder, "checkout", "--quiet", "--force", "--detach", revision)
    except StudyError:  # it was left half made
        return False
    return True


def _write(path: Path, content: bytes) -> None:
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def _share(folder: Path, cache: Path) -> None:
    from dvc.config import Config

    dvc = folder / ".dvc"
    with Config(str(dvc), local_dvc_dir=str(dvc), validate=False).edit("local") as settings:
        settings["cache"] = {"dir": str(cache)}


def cache_dir(root: Path) -> Path:
    """Where the project keeps DVC's cache, whether or not it is set in its configuration.

    Raises:
        StudyError: `root` is not a DVC project.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            return Path(repo.cache.local_cache_dir)
    except DvcException as error:
        raise StudyError(f"{root} is not a DVC project: {error}") from None


def tidy(folder: Path) -> None:
    """Free what a finished cell needs no more: its work cache."""
    shutil.rmtree(folder / WORK, ignore_errors=True)


def git(folder: Path, *arguments: str) -> str:
    """What git answers. Hooks are off: one that DVC can install would check out data in a cell.

    Raises:
        StudyError: git fails, with its message.
    """
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", f"core.hooksPath={os.devnull}", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StudyError(f"git {arguments[0]} failed in {folder}: {done.stderr.strip()}")
    return done.stdout.rstrip()
