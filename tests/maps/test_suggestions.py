"""Regions are ranked by entropy, area and rarity, however the map comes in strips."""

import numpy as np
import pytest

from dllr.maps.suggestions import Regions, Suggestion

SIDE = 24


def strips(
    regions: np.ndarray, label: np.ndarray, entropy: np.ndarray, known: np.ndarray, height: int
) -> Regions:
    sums = Regions(int(regions.max()), 3)
    for y in range(0, len(regions), height):
        part = slice(y, y + height)
        sums.add(y, regions[part], label[part], entropy[part], known[part])
    return sums


def drawn() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    regions = rng.integers(0, 9, (SIDE, SIDE)).astype(np.uint32)
    label = rng.choice(3, (SIDE, SIDE), p=[0.7, 0.2, 0.1]).astype(np.uint8)
    return regions, label, rng.random((SIDE, SIDE), np.float32), rng.random((SIDE, SIDE)) < 0.9


@pytest.mark.parametrize("height", [1, 5, SIDE])
def test_scores_are_entropy_area_and_rarity(height: int) -> None:
    regions, label, entropy, known = drawn()
    found = strips(regions, label, entropy, known, height).best(99)
    share = np.bincount(label[known & (regions > 0)]) / (known & (regions > 0)).sum()
    assert [s.region for s in found] == sorted(
        range(1, 9), key=lambda r: -{s.region: s.score for s in found}[r]
    )
    for s in found:
        mine = known & (regions == s.region)
        assert (s.pixels, s.label) == (mine.sum(), np.bincount(label[mine]).argmax())
        assert s.entropy == pytest.approx(entropy[mine].mean(), rel=1e-6)
        assert s.score == pytest.approx(s.entropy * s.pixels * (1 - np.log(share[s.label])))
        rows = np.nonzero(mine)[0]
        assert (s.first, s.last) == (rows.min(), rows.max() + 1)


def best(regions: np.ndarray, label: np.ndarray, entropy: np.ndarray) -> list[Suggestion]:
    return strips(regions, label, entropy, np.ones(regions.shape, bool), 8).best(2)


def test_of_two_alike_the_larger_the_less_sure_and_the_rarer_comes_first() -> None:
    regions = np.ones((SIDE, SIDE), np.uint32)
    regions[:, 8:] = 2
    label, entropy = np.zeros((SIDE, SIDE), np.uint8), np.full((SIDE, SIDE), 0.5, np.float32)
    assert best(regions, label, entropy)[0].region == 2  # larger
    regions[:, 8:12] = 1
    assert best(regions, label, np.where(regions == 1, 0.6, 0.5))[0].region == 1  # less sure
    regions[:] = 3  # the rest, surely
    regions[:4], regions[4:8] = 1, 2
    rare = np.where(regions == 2, 1, 0).astype(np.uint8)
    assert best(regions, rare, np.where(regions == 3, 0.0, 0.5))[0].region == 2  # rarer


def test_what_is_sure_or_without_data_is_never_proposed() -> None:
    regions, label, entropy, known = drawn()
    assert strips(regions, label, 0 * entropy, known, 5).best(9) == []
    assert strips(regions, label, entropy, known & False, 5).best(9) == []
