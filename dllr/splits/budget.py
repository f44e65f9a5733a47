"""The labelled budget: which scenes and windows show their labels; a smaller one is part of a larger."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree


def choose(
    counts: NDArray[np.int64],
    boxes: NDArray[np.int64],
    size: int,
    budget: int,
    generator: np.random.Generator,
) -> list[int]:
    """Indices of up to `budget` windows to label, in order; a smaller budget is the head of a larger.

    counts: (N, K) labelled pixels by class; boxes: (N, 3) scene number, y, x. Windows come in random
    order and never overlap. Until every class that occurs has been met, the first window with a class
    not met yet goes before the others; then chance alone decides, so that shares stay estimates of
    the truth.
    """
    order = generator.permutation(len(counts))
    holds, boxes = counts[order] > 0, boxes[order]
    in_scene = {scene: np.flatnonzero(boxes[:, 0] == scene) for scene in np.unique(boxes[:, 0])}
    free = np.ones(len(order), bool)
    met = np.zeros(counts.shape[1], bool)
    chosen: list[int] = []
    head, hope = 0, True
    while len(chosen) < budget and free[head:].any():
        head += int(free[head:].argmax())
        place = head
        if hope:
            wanted = free & holds[:, ~met].any(axis=1)
            hope = bool(wanted.any())
            place = int(wanted.argmax()) if hope else head
        chosen.append(int(order[place]))
        met |= holds[place]
        rows = in_scene[boxes[place, 0]]
        near = np.abs(boxes[rows, 1:] - boxes[place, 1:]).max(axis=1) < size
        free[rows[near]] = False
    return chosen


def choose_scenes(
    counts: NDArray[np.int64], budget: int, generator: np.random.Generator
) -> list[int]:
    """Indices of up to `budget` scenes to label, in order; a smaller budget is the head of a larger.

    counts: (N, K) labelled pixels by class. Scenes come in random order; until every class has been
    met, the scene that adds most classes goes first, so that few scenes show as many as they can.
    """
    order = generator.permutation(len(counts)).tolist()
    met = np.zeros(counts.shape[1], bool)
    chosen: list[int] = []
    while order and len(chosen) < budget:
        gains = [int(((counts[i] > 0) & ~met).sum()) for i in order]
        chosen.append(order.pop(gains.index(max(gains))))
        met |= counts[chosen[-1]] > 0
    return chosen


def held_back(count: int, share: float) -> NDArray[np.bool_]:
    """Which of `count` windows, in order of choice, calibrate: evenly spread, whatever the count."""
    flags: NDArray[np.bool_] = np.diff(np.floor(np.arange(count + 1) * share)) > 0
    return flags


def touching(corners: NDArray[np.int64], others: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """Which windows (N, 2) of first row and column share a pixel with any of the others (M, 2)."""
    if not len(others) or not len(corners):
        return np.zeros(len(corners), bool)
    near: NDArray[np.bool_] = KDTree(others).query(corners, p=np.inf)[0] < size
    return near
