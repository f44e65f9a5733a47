"""Array files (bands, H, W) in rows, by plain reads and writes: a map of a file would count as memory."""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray


def create(path: Path, dtype: str, shape: tuple[int, int, int]) -> None:
    """An .npy file of zeros."""
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + int(np.prod(shape)) * np.dtype(dtype).itemsize)


def write_rows(path: Path, row: int, values: NDArray[Any], first: int = 0) -> None:
    """Write values (bands, rows, W) from `row` on into the bands from number `first` (from 0) on."""
    with path.open("r+b") as file:
        start, (_, height, width), dtype = _layout(file)
        whole = np.ascontiguousarray(values, dtype)
        for band, rows in enumerate(whole, first):
            file.seek(start + (band * height + row) * width * dtype.itemsize)
            file.write(rows.data)


def read_rows(path: Path, row: int, rows: int) -> NDArray[Any]:
    """Values (bands, rows, W) of `rows` rows from `row` on."""
    with path.open("rb") as file:
        start, (bands, height, width), dtype = _layout(file)
        found = np.empty((bands, rows, width), dtype)
        for band in range(bands):
            file.seek(start + (band * height + row) * width * dtype.itemsize)
            file.readinto(found[band].data)
    return found


def _layout(file: BinaryIO) -> tuple[int, tuple[int, ...], np.dtype[Any]]:
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return file.tell(), shape, dtype
