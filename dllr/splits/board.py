"""Scenes cut into blocks: every pixel gets one role, and no two splits come closer than the buffer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dllr.raster.roles import Role


@dataclass(frozen=True)
class Board:
    """A scene of height × width px in square blocks of `side` px, each of one role.

    roles: (R, C) uint8, changed in place while roles are dealt; blocks at the right and lower edge
    may be narrower. Pixels within `buffer` px (rows or columns) of a block of another role have the
    role NONE, so two splits end up more than 2 × buffer px apart. A scene that is not cut is a
    single block.
    """

    height: int
    width: int
    side: int
    buffer: int
    roles: NDArray[np.uint8]

    @classmethod
    def of(cls, height: int, width: int, side: int | None, buffer: int) -> "Board":
        """All blocks unlabelled; side: px, None = one block."""
        if side is None:
            side, buffer = max(height, width), 0
        shape = -(-height // side), -(-width // side)
        return cls(height, width, side, buffer, np.full(shape, Role.UNLABELLED, np.uint8))

    def narrowest(self) -> NDArray[np.int64]:
        """(R, C) shorter side of each block in px."""
        rows, columns = (
            np.minimum(self.side, length - np.arange(0, length, self.side))
            for length in (self.height, self.width)
        )
        return np.minimum(rows[:, None], columns)

    def raster(self) -> NDArray[np.uint8]:
        """Roles by pixel (height, width)."""
        if self.roles.size == 1:
            return np.full((self.height, self.width), self.roles.item(), np.uint8)
        steps = [*range(-self.buffer, self.buffer, self.side), self.buffer]
        rows, columns = (
            [np.clip(np.arange(length) + step, 0, length - 1) // self.side for step in steps]
            for length in (self.height, self.width)
        )
        found: NDArray[np.uint8] = self.roles[rows[0]][:, columns[0]]
        for row in rows:
            for column in columns:
                found[found != self.roles[row][:, column]] = Role.NONE
        return found

    def of_windows(self, corners: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        """Role of each window (N,): that of all its pixels on the scene, or NONE where they differ.

        corners: (N, 2) first row and column; size: px.
        """
        limits = np.array([self.height, self.width]) - 1
        first = np.clip(corners - self.buffer, 0, limits) // self.side
        last = np.clip(corners + size - 1, 0, limits) + self.buffer
        last = np.clip(last, 0, limits) // self.side
        found: NDArray[np.uint8] = self.roles[first[:, 0], first[:, 1]]
        for i, ((top, left), (bottom, right)) in enumerate(zip(first, last, strict=True)):
            if (self.roles[top : bottom + 1, left : right + 1] != found[i]).any():
                found[i] = Role.NONE
        return found
