"""Files appear whole or not at all."""

from pathlib import Path

import pytest

from dllr.files import atomic_dir, atomic_file, digest, link_tree, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_folder_leaves_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "kept").touch()
    with pytest.raises(RuntimeError), atomic_dir(target) as temporary:
        (temporary / "half").touch()
        raise RuntimeError
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "kept"]


def test_a_folder_takes_the_place_of_the_old_one_with_all_its_files(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "gone").touch()
    with atomic_dir(target) as temporary:
        (temporary / "new").touch()
    assert [p.name for p in target.iterdir()] == ["new"]


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_linked_trees_share_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("x")
    link_tree(tmp_path / "a", tmp_path / "z")
    assert (tmp_path / "z" / "b" / "c").samefile(tmp_path / "a" / "b" / "c")


def test_a_key_depends_on_values_and_on_the_order_of_classes_and_bands() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"a": 1, "b": 2})
    assert digest({"a": 1, "b": 2}) != digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
