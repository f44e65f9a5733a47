"""Scenes side by side, on Dask: threads of this process, or a distributed cluster where one is named."""

import os
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import dask.config
from dask.base import compute
from dask.delayed import delayed
from tqdm.auto import tqdm

from dllr.execution import one_thread_each, threads

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
        if address := dask.config.get("scheduler-address", None):
            return _on_cluster(work, todo, bar, address)
        return _on_threads(work, todo, bar)


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

    with Client(address) as client:
        place = partial(_there, work, os.getcwd())  # noqa: PTH109 (a string, for the workers)
        futures = client.map(place, todo, pure=False)
        try:
            for future in as_completed(futures):
                future.result()
                bar.update()
            return list(client.gather(futures))
        finally:
            client.cancel(futures)


def _there(work: Callable[[Item], Result], folder: str, item: Item) -> Result:
    """On a worker: paths are relative to the project's folder."""
    os.chdir(folder)
    with one_thread_each():
        return work(item)
