"""The same scenes on threads and on a distributed cluster give the same."""

from functools import partial
from pathlib import Path

import dask.config
import pytest
from distributed import LocalCluster

from dllr.errors import SceneError
from dllr.raster.parallel import over_scenes


def label(name: str, *, folder: Path) -> tuple[str, str]:
    """A scene's result, and where it was made."""
    if name == "bad":
        raise SceneError("scene bad cannot be taken")
    (folder / name).write_text(name)
    return name.upper(), str(Path.cwd())


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
