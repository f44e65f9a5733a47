"""Scenes side by side, on Dask."""

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from dask.base import compute
from dask.delayed import delayed
from tqdm.auto import tqdm

from dllr.execution import one_thread_each, threads

Item = TypeVar("Item")
Result = TypeVar("Result")


def over_scenes(work: Callable[[Item], Result], items: Iterable[Item], title: str) -> list[Result]:
    """`work` of every item in the given order, on as many threads as the stage may use."""
    todo = list(items)
    lock = threading.Lock()
    with tqdm(total=len(todo), desc=title, unit="scene", mininterval=1.0) as bar, one_thread_each():

        def counted(item: Item) -> Result:
            result = work(item)
            with lock:
                bar.update()
            return result

        tasks = [delayed(counted, pure=False)(item) for item in todo]
        return list(compute(*tasks, scheduler="threads", num_workers=threads()))
