"""Splits keep their distance, and a window is of a split only as a whole."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from dllr.raster.grid import IGNORE
from dllr.raster.roles import SPLITS, Role, in_split
from dllr.raster.windows import lattice
from dllr.splits.board import Board


@st.composite
def boards(draw: st.DrawFn) -> Board:
    """Boards of any shape with roles at random; the buffer may be wider than a block."""
    height, width, side = draw(st.tuples(*[st.integers(1, 70)] * 2, st.integers(5, 40)))
    board = Board.of(height, width, side, draw(st.integers(0, 9)))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    board.roles[...] = rng.choice([Role.UNLABELLED, Role.VALIDATION, Role.TEST], board.roles.shape)
    return board


def uncut(board: Board) -> np.ndarray:
    wide = np.kron(board.roles, np.ones((board.side, board.side), np.uint8))
    return wide[: board.height, : board.width]


@given(boards())
def test_the_buffer_is_what_filters_of_its_width_see_two_roles_in(board: Board) -> None:
    raw, side = uncut(board), 2 * board.buffer + 1
    low = ndimage.minimum_filter(raw, side, mode="nearest")
    high = ndimage.maximum_filter(raw, side, mode="nearest")
    assert np.array_equal(board.raster(), np.where(low == high, raw, Role.NONE))


@given(boards())
def test_no_two_splits_come_closer_than_twice_the_buffer(board: Board) -> None:
    roles = board.raster()
    train, test = np.argwhere(roles == Role.UNLABELLED), np.argwhere(roles == Role.TEST)
    if len(train) and len(test):
        away = ndimage.distance_transform_cdt(roles != Role.TEST, metric="chessboard")
        assert away[tuple(train.T)].min() > 2 * board.buffer


@given(boards(), st.integers(1, 40), st.integers(1, 40))
def test_a_window_has_the_role_of_all_its_pixels_or_none(
    board: Board, size: int, stride: int
) -> None:
    corners = lattice(board.height, board.width, size, min(size, stride))[:, 2:]
    roles = board.raster()
    squares = [roles[y : y + size, x : x + size] for y, x in corners]
    expected = [s[0, 0] if (s == s[0, 0]).all() else Role.NONE for s in squares]
    assert board.of_windows(corners, size).tolist() == expected


def test_a_scene_that_is_not_cut_is_one_block() -> None:
    board = Board.of(20, 30, None, buffer=8)
    board.roles[...] = Role.TEST
    assert board.roles.shape == (1, 1)
    assert (board.raster() == Role.TEST).all()


def test_narrow_blocks_at_the_edge_are_measured() -> None:
    assert Board.of(20, 33, 10, 0).narrowest().tolist() == [[10, 10, 10, 3]] * 2


def test_every_role_but_that_of_no_use_is_of_one_split() -> None:
    roles = np.array(list(Role), np.uint8)
    members = np.array([in_split(roles, word) for word in SPLITS])
    assert members.sum(axis=0).tolist() == [int(r != Role.NONE) for r in Role]
    assert int(Role.NONE) == IGNORE
