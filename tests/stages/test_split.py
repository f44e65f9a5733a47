"""Scenes that belong together, given splits, and what the split stage refuses."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dllr.errors import ParamsError, SplitError
from dllr.params.load import check

from .small_split import NAMES, PARAMS, Country, two_countries

GIVEN = {"x1": "train", "x2": "test", "y1": "train", "y2": "train", "z1": "validation"}
UNSELECTED = {**GIVEN, "z1": "train"}  # as GIVEN, but names no scene for validation
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
seeds = st.integers(0, 99)


@pytest.fixture(scope="module")
def countries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Country]]:
    with two_countries(tmp_path_factory.mktemp("countries")) as written:
        yield written


@few
@given(seeds)
def test_a_given_split_is_honoured(countries: dict[str, Country], seed: int) -> None:
    results = countries["apart"].run({"split": GIVEN}, by="given", seed=seed)
    assert results.split_of() == {**GIVEN, "z2": "train"}
    assert not any("The list" in sentence for sentence in results.summary["warnings"])


@few
@given(seeds, st.sampled_from(["split.group", "group"]), st.sampled_from([0.1, 0.4, 0.9]))
def test_validation_is_held_back_from_the_given_training_scenes_in_whole_groups(
    countries: dict[str, Country], seed: int, how: str, share: float
) -> None:
    expression = "^(.)" if how == "split.group" else None
    listed = {"split": UNSELECTED, "group": {name: name[0] for name in NAMES if not expression}}
    results = countries["apart"].run(
        listed, by="given", seed=seed, group=expression, validation=share, test=0.05
    )
    found = results.split_of()
    assert [name for name, word in found.items() if word == "test"] == ["x2"]
    assert found["y1"] == found["y2"] and found["z1"] == found["z2"]
    held = [name for name in ("x1", "y1", "z1") if found[name] == "validation"]
    assert len(held) == {0.1: 1, 0.4: 1, 0.9: 2}[share]
    separated, held_back, *_ = results.summary["warnings"]
    assert "x1" in separated and "x2" in separated
    assert f"{len(held)} of 3 groups" in held_back


@few
@given(seeds)
def test_names_that_the_expression_reads_alike_stay_together(
    countries: dict[str, Country], seed: int
) -> None:
    results = countries["apart"].run(seed=seed, group="^(.)")
    found = results.split_of()
    assert all(found[f"{sheet}1"] == found[f"{sheet}2"] for sheet in "xyz")


@few
@given(seeds)
def test_a_scene_whose_name_the_expression_does_not_match_stays_alone(
    countries: dict[str, Country], seed: int
) -> None:
    summary = countries["apart"].run(seed=seed, group="^y|^(x)").summary
    assert summary["kept_together"] == [["x1", "x2"]]


REFUSED: dict[str, tuple[str, dict[str, Any], dict[str, Any], list[str]]] = {
    "no list at all": (
        "apart", {}, {"by": "given"},
        ["split.by is given", "column split", "no labelled scene for train", "split.by to scene"],
    ),
    "a word that is none": (
        "apart", {"split": {**GIVEN, "y1": "training"}}, {"by": "given"},
        ["y1", "'training'", "train, validation, test"],
    ),
    "a labelled scene that is not listed": (
        "apart", {"split": {**GIVEN, "y1": ""}}, {"by": "given"},
        ["1 labelled scene(s)", "y1", "add them"],
    ),
    "nothing to test on": (
        "apart", {"split": {**GIVEN, "x2": "validation"}}, {"by": "given"},
        ["no labelled scene for test"],
    ),
    "given scenes on the same ground": (
        "tied", {"split": {**GIVEN, "y2": "test"}}, {"by": "given"},
        ["y1 (train) and y2 (test) overlap on the ground", "leaks", "set split.by to scene"],
    ),
    "an unlisted scene on the ground of a test scene": (
        "tied", {"split": {**GIVEN, "x1": "test"}}, {"by": "given"},
        ["x1 (test) and z2 (train) overlap on the ground"],
    ),
    "a given copy": (
        "apart", {"split": GIVEN, "same_as": {"x2": "x1"}}, {"by": "given"},
        ["x1 (train) and x2 (test) are copies of one another"],
    ),
    "one group to hold back from": (
        "apart", {"split": UNSELECTED, "group": dict.fromkeys(NAMES, "sheet")}, {"by": "given"},
        ["are 1 group(s)", "name validation scenes"],
    ),
    "an expression that matches nothing": (
        "apart", {}, {"group": "^NH(..)"},
        ["split.group '^NH(..)' matches the name of no scene, such as x1", "write null"],
    ),
    "groups that leave too few": (
        "apart", {}, {"group": "^.(.)"},
        ["2 labelled scene(s) that share no ground or group", "at least 3"],
    ),
    "blocks of a group": (
        "apart", {"group": {"x1": "sheet", "y2": "sheet"}}, {"by": "block"},
        ["scenes x1, y2 are of one group", "set split.by to scene"],
    ),
    "a board without black": (
        "apart", {}, {"by": "checkerboard", "block": 120},
        ["5 white and 0 black labelled block(s)", "make split.block smaller"],
    ),
    "more tiles than the labelled scenes hold": (
        "apart", {}, {"labelled_tiles": 60, "labelled_scenes": 1},
        ["1 scene(s) of the training split", "at most", "raise split.labelled_scenes"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_split_is_refused_with_a_remedy(
    case: str, countries: dict[str, Country]
) -> None:
    country, listed, changes, words = REFUSED[case]
    with pytest.raises(SplitError) as caught:
        countries[country].run(listed, **changes)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"group": "^(.{7"}, ["split.group", "no regular expression", "write null"]),
        ({"by": "checkerboard", "block": 64}, ["split.block 64 px cannot hold a tile of 128 px"]),
        ({"labelled_scenes": 0}, ["split.labelled_scenes", "greater than or equal to 1"]),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any], words: list[str]) -> None:
    values = PARAMS.model_dump()
    values["split"] |= changes
    with pytest.raises(ParamsError) as caught:
        check(values, "params.yaml")
    for word in words:
        assert word in str(caught.value)
