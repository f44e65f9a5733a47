"""Scenes side by side, on Dask: threads of this process, or a distributed cluster where one is named."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import dask.config
from dask.base import compute
from dask.delayed import delayed
from tqdm.auto import tqdm

from dllr.errors import SceneError
from dllr.execution import one_thread_each, one_thread_here, threads
from dllr.workcache import content

Item = TypeVar("Item")
Result = TypeVar("Result")


def over_scenes(work: Callable[[Item], Result], items: Iterable[Item], title: str) -> list[Result]:
    """`work` of every item in the given order, on as many threads as the stage may use.

    With Dask's own setting `scheduler-address` (environment DASK_SCHEDULER_ADDRESS) the same runs on that
    cluster: its workers must share this file system, and each item takes one thread there too. The first
    error ends the run; scenes that are not begun by then are not begun.
    """
    todo = list(items)
    with tqdm(total=len(todo), desc=title, unit="scene", mininterval=1.0) as bar:
        if address := _scheduler():
            return _on_cluster(work, todo, bar, address)
        return _on_threads(work, todo, bar)


@contextmanager
def over_parts() -> Iterator[Callable[..., Any]]:
    """A `map` over the parts of scenes, for `work` to use: it keeps the order, and all scenes share as
    many threads as the stage may use, so that one scene alone, or the last, takes them all. A part must
    not ask for parts itself.

    On a cluster it is plain `map`: there a scene has one thread.
    """
    if _scheduler():
        yield map
        return
    with ThreadPoolExecutor(threads()) as pool:

        def each(work: Callable[..., Result], *items: Iterable[Any]) -> Iterator[Result]:
            parts = deque(pool.submit(work, *part) for part in zip(*items, strict=True))
            try:
                while parts:
                    yield parts.popleft().result()
            finally:
                # A part that still writes must not outlive the scene's folder.
                wait([part for part in parts if not part.cancel()])

        yield each


def _scheduler() -> str | None:
    address: str | None = dask.config.get("scheduler-address", None)
    return address


def _on_threads(work: Callable[[Item], Result], todo: list[Item], bar: "tqdm") -> list[Result]:
    lock = threading.Lock()

    def counted(item: Item) -> Result:
        result = work(item)
        with lock:
            bar.update()
        return result

    tasks = [delayed(counted, pure=False)(item) for item in todo]
    with one_thread_each():
        return list(compute(*tasks, scheduler="threads", num_workers=threads()))


def _on_cluster(
    work: Callable[[Item], Result], todo: list[Item], bar: "tqdm", address: str
) -> list[Result]:
    from distributed import Client, as_completed

    try:
        found = Client(address)
    except (OSError, ValueError) as error:
        raise SceneError(
            f"no Dask scheduler answers at {address} ({error}), which DASK_SCHEDULER_ADDRESS or Dask's own "
            "configuration names; write tcp://host:port, or unset it to work on this machine"
        ) from None
    with found as client:
        place = partial(_there, work, os.getcwd(), _package())  # noqa: PTH109 (a string, for the workers)
        futures = client.map(place, todo, pure=False)
        try:
            for future in as_completed(futures):
                future.result()
                bar.update()
            return list(client.gather(futures))
        finally:
            client.cancel(futures)


def _there(work: Callable[[Item], Result], folder: str, code: str, item: Item) -> Result:
    """On a worker: paths are relative to the project's folder, and the code is the client's.

    Raises:
        SceneError: the worker was started before the code was edited; what it makes would be taken for
            the new code's.
    """
    if code != _LOADED:
        raise SceneError("a Dask worker runs other code of this package; start the workers anew")
    os.chdir(folder)
    with one_thread_here():
        return work(item)


def _package() -> str:
    """Digest of the package's source as it is on disk."""
    return content(Path(__file__).parents[1], pattern="**/*.py")


_LOADED = _package()  # at import: what this process runs, be it edited later
