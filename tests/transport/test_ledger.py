"""How right labels are, and whether a difference holds over tiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score, recall_score

from dllr.transport.ledger import COLUMNS, EVERY, UNLABELLED, Truth, entries

K = 4


def world(seed: int, right: float, tiles: int = 6, side: int = 50):
    dice = np.random.default_rng(seed)
    truth = dice.choice(K, size=tiles * side, p=[0.6, 0.25, 0.1, 0.05]).astype(np.uint8)
    wrong = dice.integers(0, K, size=len(truth)).astype(np.uint8)
    labels = np.where(dice.random(len(truth)) < right, truth, wrong)
    labels[dice.random(len(truth)) < 0.2] = UNLABELLED
    return Truth(truth, np.repeat(np.arange(tiles), side), K), truth, labels


@given(st.integers(0, 200), st.floats(0, 1))
def test_accuracy_and_miou_are_those_of_scikit_learn(seed: int, right: float) -> None:
    known, truth, labels = world(seed, right)
    seen = labels != UNLABELLED
    there = np.unique(truth)
    oracle = [
        score(truth[seen], labels[seen], labels=there, average="macro", zero_division=0)
        for score in (recall_score, jaccard_score)
    ]
    assert known.accuracy(labels) == pytest.approx(oracle[0])
    assert known.miou(labels) == pytest.approx(oracle[1])


def test_a_class_that_gets_no_label_counts_as_wrong() -> None:
    truth = Truth(np.array([0, 0, 1], np.uint8), np.zeros(3, np.int64), 2)
    assert truth.accuracy(np.array([0, 0, UNLABELLED], np.uint8)) == 0.5


def test_a_gain_on_every_tile_is_certain_and_none_is_none() -> None:
    known, _, better = world(0, 0.9)
    _, _, worse = world(0, 0.3)
    gain = known.gain(better, worse)
    assert gain is not None and gain.probability == 1.0
    assert gain.gain == pytest.approx(known.accuracy(better) - known.accuracy(worse))
    assert known.gain(better, better).probability == 0.0


def test_a_gain_that_one_tile_makes_is_not_certain() -> None:
    truth = np.tile([0, 1], 60).astype(np.uint8)
    tile = np.repeat(np.arange(6), 20)
    here, there = truth.copy(), truth.copy()
    here[tile == 0] = 1 - here[tile == 0]  # wrong in one tile
    there[tile > 3] = 1 - there[tile > 3]  # in two
    gain = Truth(truth, tile, 2).gain(here, there)
    assert gain.gain > 0
    assert 0.3 < gain.probability < 0.95


def test_fewer_than_two_tiles_say_nothing_of_a_gain() -> None:
    none = Truth(np.zeros(0, np.uint8), np.zeros(0, np.int64), K)
    assert none.accuracy(np.zeros(0, np.uint8)) is None
    one = Truth(np.array([1], np.uint8), np.array([7]), K)
    assert one.gain(np.array([1], np.uint8), np.array([0], np.uint8)) is None


def test_rows_of_the_ledger_add_up() -> None:
    known, truth, labels = world(3, 0.7)
    rows = entries(known, {"rule": labels}, ["a", "b", "c", "d"], set="here")
    assert [row["class"] for row in rows] == [EVERY, "a", "b", "c", "d"]
    assert all(set(row) == {"set", *COLUMNS} for row in rows)
    whole, *classes = rows
    assert sum(row["pixels"] for row in classes) == whole["pixels"] == len(truth)
    covered = sum(row["pixels"] * row["coverage"] for row in classes)
    assert covered / len(truth) == pytest.approx(whole["coverage"])
    assert sum(row["share"] for row in classes) == pytest.approx(1)
    assert np.mean([row["accuracy"] for row in classes]) == pytest.approx(whole["accuracy"])
