"""Order of the tasks: what is shared once and first, the rest side by side."""

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllr.study.schedule import run, tasks

STAGES = ["scenes", "split", "warmup", "evaluate"]


def chain(*choices: int) -> dict[str, str]:
    """Recipes of a chain of stages that reads one choice after another: a stage's holds all above."""
    return {stage: f"{stage} {choices[: n + 1]}" for n, stage in enumerate(STAGES)}


def one(*cells: str) -> frozenset[str]:
    return frozenset(cells)


def test_stages_are_grouped_by_the_cells_that_share_them() -> None:
    cells = {"a": chain(0, 0, 0, 0), "b": chain(0, 0, 0, 1), "c": chain(0, 1, 0, 0)}
    assert tasks(cells) == {
        one("a", "b", "c"): ["scenes"],
        one("a", "b"): ["split", "warmup"],
        one("a"): ["evaluate"],
        one("b"): ["evaluate"],
        one("c"): ["split", "warmup", "evaluate"],
    }


def test_a_cell_without_a_stage_of_its_own_has_its_task() -> None:
    cells = {"a": chain(0, 0, 0, 0), "b": chain(0, 0, 0, 0)}
    assert tasks(cells) == {one("a", "b"): STAGES, one("a"): [], one("b"): []}


@given(
    st.lists(st.tuples(*[st.integers(0, 1)] * 4), min_size=1, max_size=8, unique=True),
    st.integers(1, 4),
)
def test_no_recipe_is_made_twice_or_before_what_it_reads(
    grid: list[tuple[int, ...]], jobs: int
) -> None:
    cells = {str(choices): chain(*choices) for choices in grid}
    planned = tasks(cells)
    lock, made = threading.Lock(), []

    def work(task: frozenset[str]) -> str:
        cell = cells[next(name for name in cells if name in task)]
        with lock:
            made.extend(cell[stage] for stage in planned[task])
        return ""

    assert run(planned, work, jobs) == {}
    assert sorted(made) == sorted({recipe for cell in cells.values() for recipe in cell.values()})
    for cell in cells.values():
        for before, after in itertools.pairwise(cell.values()):
            assert made.index(before) < made.index(after)


def test_what_waits_for_a_failure_fails_with_it_and_the_rest_is_done() -> None:
    todo = [one("a", "b"), one("a"), one("b"), one("c")]
    done = []

    def work(task: frozenset[str]) -> str:
        done.append(task)
        return "see a.log" if task == one("a", "b") else ""

    assert run(todo, work, 1) == dict.fromkeys(todo[:3], "see a.log")
    assert sorted(done, key=len) == [one("c"), one("a", "b")]


def test_cells_are_finished_before_others_are_begun() -> None:
    todo = [one("a", "b"), one("c", "d"), *map(one, "abcd")]
    done = []

    def work(task: frozenset[str]) -> str:
        done.append(task)
        return ""

    run(todo, work, 1)
    assert done == [one("a", "b"), one("a"), one("b"), one("c", "d"), one("c"), one("d")]


def test_tasks_that_share_nothing_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def work(_: frozenset[str]) -> str:
        meeting.wait()
        return ""

    assert run([one("a"), one("b")], work, 2) == {}


def test_an_error_of_the_runner_itself_leaves_the_rest_undone() -> None:
    started = []

    def work(task: frozenset[str]) -> str:
        started.append(task)
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        run([one("a"), one("b"), one("c")], work, 1)
    assert len(started) < 3
