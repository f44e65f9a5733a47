"""The same scenes on threads and on a distributed cluster give the same."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from threading import Barrier, Event

import dask.config
import pytest
from distributed import LocalCluster

from dllr.errors import SceneError
from dllr.raster.parallel import over_parts, over_scenes


def label(name: str, *, folder: Path) -> tuple[str, str]:
    """A scene's result, and where it was made."""
    if name == "bad":
        raise SceneError("scene bad cannot be taken")
    (folder / name).write_text(name)
    return name.upper(), str(Path.cwd())


def letters(name: str, *, each: Callable[..., Iterable[str]]) -> str:
    return "".join(each(str.upper, name))


@pytest.fixture(scope="module")
def cluster() -> LocalCluster:
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None
    ) as found:
        yield found


@pytest.fixture(params=["threads", "cluster"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    if request.param == "cluster":
        address = request.getfixturevalue("cluster").scheduler_address
        request.getfixturevalue("address")(address)
    return tmp_path


@pytest.fixture
def address(request: pytest.FixtureRequest):
    def use(found: str) -> None:
        setting = dask.config.set({"scheduler-address": found})
        request.addfinalizer(lambda: setting.__exit__(None, None, None))

    return use


def test_results_come_in_order_from_the_projects_folder(place: Path) -> None:
    names = [f"scene{n}" for n in range(5)]
    found = over_scenes(partial(label, folder=Path()), names, "test")
    assert found == [(name.upper(), str(place)) for name in names]
    assert sorted(path.name for path in place.iterdir()) == names


def test_an_error_of_a_scene_comes_back_as_it_is(place: Path) -> None:
    with pytest.raises(SceneError, match="scene bad cannot be taken"):
        over_scenes(partial(label, folder=place), ["a", "bad"], "test")


@pytest.mark.usefixtures("place")
def test_parts_of_all_scenes_come_in_order() -> None:
    names = ["one scene", "another", "a third"]
    with over_parts() as each:
        found = over_scenes(partial(letters, each=each), names, "test")
    assert found == [name.upper() for name in names]


def test_a_scene_alone_has_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLLR_THREADS", "2")
    together = Barrier(2, timeout=30)  # breaks unless both parts are at work at once

    def part(number: int) -> int:
        together.wait()
        return number

    with over_parts() as each:
        assert over_scenes(lambda _: list(each(part, range(2))), ["alone"], "test") == [[0, 1]]


def test_no_part_outlives_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLLR_THREADS", "2")
    begun, ended = Event(), []

    def part(number: int) -> None:
        if number == 0:
            assert begun.wait(30)
            raise SceneError("part 0 cannot be made")
        begun.set()
        time.sleep(0.1)
        ended.append(number)

    def scene(_: str) -> list[int]:
        with pytest.raises(SceneError, match="part 0"):
            list(each(part, range(50)))
        return list(ended)

    with over_parts() as each:
        (before,) = over_scenes(scene, ["alone"], "test")
    assert 1 in before and len(before) < 49  # what had begun was waited for, the rest never begun
    assert ended == before
