"""What the split stage promises of any split and budget, checked in the files it wrote."""

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from dllr.raster.grid import read_indices
from dllr.raster.roles import SPLITS, Role
from dllr.splits import truth
from dllr.training.sources import TrainingSet

from .small_split import CLASSES, SIZE, Country, Results, two_countries

few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
seeds = st.integers(0, 99)
budgets = st.sampled_from([1, 3, 6, None])


@pytest.fixture(scope="module")
def countries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Country]]:
    with two_countries(tmp_path_factory.mktemp("countries")) as written:
        yield written


@st.composite
def splits(draw: st.DrawFn, country: str) -> dict[str, Any]:
    kinds = ["scene", "given"] if country == "tied" else ["block", "checkerboard"]
    return {
        "by": draw(st.sampled_from(kinds)),
        "block": draw(st.sampled_from([32, 40, 60])),
        "buffer": draw(st.integers(0, 6)),
        "seed": draw(seeds),
        "labelled_tiles": draw(budgets),
        "labelled_scenes": draw(st.sampled_from([1, 2, None])),
        "calibration": draw(st.sampled_from([0.0, 0.25, 0.5])),
        "min_labelled": 0.3,
    }


def keeps_its_distance(results: Results, least: int) -> None:
    """No window in two splits or there twice, each whole in its split, no two splits near."""
    windows = results.windows
    assert not windows.duplicated(["scene", "y", "x"]).any()
    nearest = []
    for scene, frame in windows.groupby("scene"):
        roles = results.roles(str(scene))
        for w in frame.itertuples():
            assert np.isin(roles[w.y : w.y + SIZE, w.x : w.x + SIZE], SPLITS[w.split]).all()
    for scene in results.split_of():
        roles = results.roles(scene)
        train, held_out = np.isin(roles, (0, 1, 2)), np.isin(roles, (3, 4))
        if train.any() and held_out.any():
            nearest.append(ndimage.distance_transform_edt(~held_out)[train].min())
    summary = results.summary
    assert summary["shared_between_splits"] == dict.fromkeys(summary["shared_between_splits"], 0)
    expected = pytest.approx(min(nearest), abs=1e-3) if nearest else None
    assert summary["min_distance_px"] == expected
    assert not nearest or min(nearest) >= least


def shows_only_the_budget(results: Results) -> None:
    """Labels are where the budget has windows, in the files and in what training draws."""
    assert (results.windows.loc[results.windows["labelled"] != "no", "split"] == "train").all()
    seen = np.zeros(CLASSES, int)
    data = TrainingSet(results.folder / "coregistered", results.split)
    sources = {fold: data.labelled(fold) for fold in (False, True)}
    for scene in results.split_of():
        truth, roles = results.truth(scene), results.roles(scene)
        allowed = {fold: np.zeros(truth.shape, bool) for fold in ("train", "calibration")}
        for (name, y, x), fold in results.shown().items():
            if name == scene:
                allowed[fold][y : y + SIZE, x : x + SIZE] = True
        assert not (allowed["train"] & allowed["calibration"]).any()
        assert (allowed["train"] == (roles == Role.LABELLED)).all()
        assert (allowed["calibration"] == (roles == Role.CALIBRATION)).all()
        for with_calibration, source in sources.items():
            mask = allowed["train"] | (allowed["calibration"] & with_calibration)
            expected = np.where(mask, truth, 255)
            numbers, (rasters,) = source.windows.boxes, source.rasters
            if scene in data.names:
                assert (rasters[data.names.index(scene)] == expected).all()
                for _, y, x in numbers[numbers[:, 0] == data.names.index(scene)]:
                    assert mask[y : y + SIZE, x : x + SIZE].all()
        if (path := results.split / "labels" / f"{scene}.tif").exists():
            assert (allowed["train"] | allowed["calibration"]).any(), path
        shown = truth[(allowed["train"] | allowed["calibration"]) & (truth != 255)]
        seen += np.bincount(shown, minlength=CLASSES)
    assert list(results.summary["labelled_pixels"].values()) == seen.tolist()


def stays_in_the_budget(results: Results, asked: dict[str, Any]) -> None:
    shown = results.shown()
    if asked["labelled_tiles"]:
        assert len(shown) == asked["labelled_tiles"]
        held = sum(fold == "calibration" for fold in shown.values())
        assert held == int(len(shown) * asked["calibration"])
    scenes = {scene for scene, _, _ in shown}
    assert 1 <= len(scenes) <= (asked["labelled_scenes"] or len(scenes))
    assert results.summary["labelled_scenes"] == sorted(scenes)


@few
@given(splits("apart"))
def test_blocks_keep_their_distance_and_show_only_the_budget(
    countries: dict[str, Country], asked: dict[str, Any]
) -> None:
    results = countries["apart"].run(**asked)
    keeps_its_distance(results, 2 * asked["buffer"] + 1)
    shows_only_the_budget(results)
    stays_in_the_budget(results, asked)


@few
@given(splits("tied"))
def test_whole_scenes_are_never_separated_from_their_group(
    countries: dict[str, Country], asked: dict[str, Any]
) -> None:
    pairs = [("x1", "z2"), ("x2", "z1"), ("y1", "y2")]
    words = dict(
        zip(sum(pairs, ()), ["test"] * 2 + ["validation"] * 2 + ["train"] * 2, strict=True)
    )
    listed = {"group": {"x2": "sheet", "z1": "sheet"}, "split": words}
    results = countries["tied"].run(listed, **asked)
    keeps_its_distance(results, 1)
    shows_only_the_budget(results)
    stays_in_the_budget(results, asked)
    found = results.split_of()
    assert all(found[one] == found[other] for one, other in pairs)
    assert results.summary["kept_together"] == [list(pair) for pair in pairs]
    assert results.summary["groups"] == {"train": 1, "validation": 1, "test": 1}
    assert asked["by"] == "scene" or found == words


@settings(few, max_examples=6)  # each runs the stage ten times
@given(seeds, st.sampled_from(["scene", "block", "checkerboard"]), st.sampled_from([0.25, 0.5]))
def test_a_smaller_budget_is_part_of_a_larger_one_calibration_too(
    countries: dict[str, Country], seed: int, by: str, calibration: float
) -> None:
    asked = {"by": by, "seed": seed, "calibration": calibration, "min_labelled": 0.3}
    ladders = [
        [(2, None), (4, None), (6, None), (None, None)],  # labelled tiles, labelled scenes
        [(2, 2), (4, 2), (6, 2)],
        [(None, 1), (None, 2), (None, 4)],
    ]
    for ladder in ladders:
        shown = [
            countries["apart"].run(**asked, labelled_tiles=tiles, labelled_scenes=scenes).shown()
            for tiles, scenes in ladder
        ]
        for small, large in itertools.pairwise(shown):
            assert small.items() <= large.items()
            assert {scene for scene, _, _ in small} <= {scene for scene, _, _ in large}


@few
@given(seeds, st.sampled_from([40, 44, 60]))
def test_on_a_checkerboard_white_trains_and_black_is_held_out(
    countries: dict[str, Country], seed: int, block: int
) -> None:
    results = countries["apart"].run(by="checkerboard", seed=seed, block=block)
    found = {}
    for scene in ["x1", "x2", "y1", "y2", "z1"]:
        roles = results.roles(scene)
        for row in range(-(-roles.shape[0] // block)):
            for column in range(-(-roles.shape[1] // block)):
                square = np.s_[
                    row * block : (row + 1) * block, column * block : (column + 1) * block
                ]
                inside = roles[square]
                large = min(inside.shape) >= SIZE + 2 * 3
                used = set(inside[inside != Role.NONE].tolist())
                if (row + column) % 2 and large:
                    found[scene, row, column] = used
                    assert used in ({Role.VALIDATION}, {Role.TEST})
                else:
                    assert used <= {Role.UNLABELLED, Role.LABELLED, Role.CALIBRATION}
    assert abs(2 * sum(used == {Role.TEST} for used in found.values()) - len(found)) <= 1
    assert (results.roles("z2") == Role.UNLABELLED).all()


def test_a_label_is_read_once_to_count_and_once_to_write(
    countries: dict[str, Country], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[str] = Counter()

    def read(path: Path) -> np.ndarray:
        reads[path.stem] += 1
        return read_indices(path)

    monkeypatch.setattr(truth, "read_indices", read)
    countries["apart"].run(labelled_tiles=None)
    assert reads == dict.fromkeys(["x1", "x2", "y1", "y2", "z1"], 2)


@few
@given(seeds, st.sampled_from(["scene", "block"]))
def test_what_a_budget_or_a_split_misses_is_said(
    countries: dict[str, Country], seed: int, by: str
) -> None:
    summary = countries["apart"].run(by=by, seed=seed, labelled_tiles=1, min_labelled=0.3).summary
    there = {name for name, count in summary["training_pixels_by_class"].items() if count}
    missed = [n for n, count in summary["labelled_pixels"].items() if not count and n in there]
    said = [sentence for sentence in summary["warnings"] if "budget" in sentence]
    assert bool(said) == bool(missed) and all(name in said[0] for name in missed)
    for word in ("validation", "test"):
        lacking = [n for n, count in summary["pixels_by_class"][word].items() if not count]
        sentence = f"The {word} split holds no labelled pixel of {', '.join(lacking)}."
        assert (sentence in summary["warnings"]) == bool(lacking)
        assert summary["absent_classes"][word] == lacking
