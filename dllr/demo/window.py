"""Windows of a scene's plane of optical pixels, which goes on beyond the scene's frame."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Window:
    """Pixels (y + step · i, x + step · j) for i < height, j < width; y and x may be negative."""

    y: int
    x: int
    height: int
    width: int
    step: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    def rows(self) -> NDArray[np.int64]:
        """The row of each line."""
        return self.y + self.step * np.arange(self.height)

    def columns(self) -> NDArray[np.int64]:
        """The column of each position in a line."""
        return self.x + self.step * np.arange(self.width)

    def grown(self, by: int) -> "Window":
        """With `by` more positions on each side."""
        far = by * self.step
        return Window(
            self.y - far, self.x - far, self.height + 2 * by, self.width + 2 * by, self.step
        )

    def moved(self, rows: int, columns: int) -> "Window":
        """The same window elsewhere, px."""
        return Window(self.y + rows, self.x + columns, self.height, self.width, self.step)

    def cut(self, values: NDArray[Any], by: int) -> NDArray[Any]:
        """What `grown(by)` gave (..., height + 2 by, width + 2 by), without its border."""
        return values[..., by : by + self.height, by : by + self.width]
