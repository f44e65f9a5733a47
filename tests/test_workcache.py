"""Keys of the work cache follow inputs, parameters and code, and threads may ask for them at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dllr import workcache
from dllr.workcache import closure, code_digest, content, work_dir


def test_threads_agree_on_the_digest_of_code() -> None:
    workcache._code_digest.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: code_digest("dllr.stages.coregister"), range(32)))
    assert len(found) == 1
    assert found != {code_digest("dllr.stages.tile")}


def test_a_closure_follows_imports_downwards() -> None:
    found = closure("dllr.stages.tile")
    assert {"dllr.stages.tile", "dllr.raster.windows", "dllr.params.tile", "dllr.errors"} <= set(
        found
    )
    assert not {name for name in found if name.startswith(("dllr.models", "dllr.tracking"))}


def test_a_folder_for_each_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert work_dir("map", "a", 1) == work_dir("map", "a", 1) != work_dir("map", "a", 2)
    assert work_dir("map", "a", 1).is_dir()


def test_content_sees_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    before = content(tmp_path)
    (tmp_path / "a").write_text("2")
    edited = content(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({before, edited, content(tmp_path)}) == 3
