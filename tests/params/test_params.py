"""params.yaml: what is refused, and what the message says."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from dllr.errors import ParamsError
from dllr.params import use
from dllr.params.load import check, load, read_yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture
def values() -> Any:
    return read_yaml(ROOT / "params.yaml")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "params", tmp_path / "params")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_set_is_valid_and_the_committed_file_is_the_set_quick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    assert {"quick", "demo", "ombria", "terramesh", "whu_opt_sar", "eerds_opt_sar"} <= set(
        use.names()
    )
    texts = {name: use.resolve(name) for name in use.names()}
    assert (ROOT / "params.yaml").read_text() == texts["quick"]


def test_every_key_of_the_defaults_is_explained() -> None:
    lines = (ROOT / "params" / "defaults.yaml").read_text().splitlines()
    explained = {"nodata", "pattern", "bands", "offset", "seed"}  # said once, at their first place
    for line in lines:
        key, _, rest = line.strip().partition(":")
        if (
            rest.strip()
            and not key.startswith("#")
            and "{codes" not in rest
            and key not in explained
        ):
            assert "#" in rest, f"no unit or reason beside: {line}"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("warmup.stepz", 3, ["warmup.stepz: unknown key", "did you mean `steps`?"]),
        ("splitt", {}, ["splitt: unknown key", "`split`"]),
        ("scenes.sar.unti", "db", ["scenes.sar.unti", "`unit`"]),
        ("demo.country.seeed", 1, ["demo.country.seeed", "`seed`"]),
        ("scenes.sar.unit", "decibel", ["scenes.sar.unit", "'amplitude'", "found 'decibel'"]),
        ("train.learning_rate", -1.0, ["train.learning_rate", "greater than 0", "found -1.0"]),
        ("train.batch", "eight", ["train.batch", "integer", "found 'eight'"]),
        ("tile.size", 100, ["tile.size", "multiple of 32"]),
        ("tile.stride", 4096, ["stride 4096 is larger than size", "choose a stride"]),
        ("split.test", 0.9, ["leave nothing to train on"]),
        ("rounds", {"1": 0, "3": 1}, ['write rounds: {"1": 0, "2": 1}']),
        ("rounds", {1: 0}, ["rounds", "string"]),
        ("scenes.label.ignore", [0, 10], ["code 10 means both ignore and farmland"]),
        ("scenes.optical.pattern", "optical.tif", ["scenes.optical.pattern", "{scene"]),
        ("train_round.method", "dlr", ["train_round.method", "'self_training'"]),
        ("pseudo_label.solver", "pot", ["pseudo_label", "rho: null"]),
    ],
)
def test_bad_values_are_named(values: Any, path: str, value: Any, words: list[str]) -> None:
    section = values
    *parents, key = path.split(".")
    for name in parents:
        section = section[name]
    section[key] = value
    with pytest.raises(ParamsError) as caught:
        check(values, "params.yaml")
    for word in ["params.yaml:", *words]:
        assert word.replace("{scene", "") in str(caught.value)


def test_no_rounds_is_allowed(values: Any) -> None:
    values["rounds"] = {}
    assert check(values, "params.yaml").rounds == {}


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x: 1e-3\ny: on\n")
    assert read_yaml(tmp_path / "a.yaml") == {"x": 0.001, "y": "on"}


def test_a_missing_or_broken_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="`dllr params use quick` writes one"):
        load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [1\n")
    with pytest.raises(ParamsError, match="is not YAML"):
        load(tmp_path / "params.yaml")


def test_a_set_replaces_another_but_never_own_edits(project: Path) -> None:
    use.use("quick")
    use.use("ombria")
    assert load().scenes.root == "data/ombria"
    file = project / "params.yaml"
    file.write_text(file.read_text().replace("labelled_tiles: 32", "labelled_tiles: 31"))
    with pytest.raises(ParamsError, match="edits of its own"):
        use.use("quick")
    use.use("quick", overwrite=True)
    assert load().scenes.root == "data/demo"


def test_a_set_of_ones_own_is_taken_and_taken_again_after_a_change(project: Path) -> None:
    mine = project / "params" / "mine.yaml"
    for tiles in (5, 6):
        mine.write_text(f"split: {{labelled_tiles: {tiles}}}\n")
        use.use("mine")
        assert load().split.labelled_tiles == tiles
    mine.write_text("scenes: {optical: {mask: {pattern: null, band: 5, bad: [3], above: null}}}\n")
    use.use("mine")  # the default is null, so the mask has no keys to be laid over
    mask = load().scenes.optical.mask
    assert mask is not None and (mask.band, list(mask.bad)) == (5, [3])
    edited = (project / "params.yaml").read_text().replace("bad: [3]", "bad: [4]")
    (project / "params.yaml").write_text(edited)
    with pytest.raises(ParamsError, match="edits of its own"):
        use.use("mine")


def test_an_unknown_set_or_overlay_key_is_named(project: Path) -> None:
    with pytest.raises(ParamsError, match="no parameter set `quikc`.*quick"):
        use.resolve("quikc")
    (project / "params" / "mine.yaml").write_text("warmup: {stepz: 3}\n")
    with pytest.raises(ParamsError, match="warmup.stepz is not in"):
        use.resolve("mine")
