"""Random fields, and random numbers that belong to an object rather than to a pixel."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float32]
Ids = NDArray[np.uint32]
Mask = NDArray[np.bool_]


def field(
    rng: np.random.Generator,
    shape: tuple[int, int],
    wavelength: float,
    roughness: float = 2.5,
) -> Floats:
    """Stationary Gaussian field of zero mean and unit deviation, float32.

    Its amplitude spectrum is (1 + (wavelength · k)²)^(-roughness / 2), k in cycles a pixel:
    structures of about `wavelength` px, ragged for a roughness of 1.5, smooth from 2.5 on.
    """
    padded = tuple(fft.next_fast_len(n, real=True) for n in shape)
    spectrum = fft.rfft2(rng.standard_normal(padded, dtype=np.float32))
    ky, kx = fft.fftfreq(padded[0]), fft.rfftfreq(padded[1])
    k2 = (wavelength * ky[:, None]) ** 2 + (wavelength * kx) ** 2
    spectrum *= ((1 + k2) ** (-roughness / 2)).astype(np.float32)
    spectrum[0, 0] = 0
    values: Floats = fft.irfft2(spectrum, s=padded)[: shape[0], : shape[1]]
    values /= values.std()
    return values


def hashed(*parts: NDArray[np.integer] | int) -> Ids:
    """One uint32 for each combination of integers, without visible order."""
    state: Any = np.uint32(0x9E3779B9)
    with np.errstate(over="ignore"):
        for part in parts:
            value = np.asarray(part).astype(np.uint32)
            state = (state ^ value) * np.uint32(0x85EBCA6B)
            state = (state ^ (state >> np.uint32(13))) * np.uint32(0xC2B2AE35)
            state = state ^ (state >> np.uint32(16))
    return np.asarray(state, dtype=np.uint32)


def uniform(ids: Ids, salt: int) -> Floats:
    """A number in [0, 1) for each id; another `salt` gives an independent one."""
    return (hashed(ids, salt) >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def normal(ids: Ids, salt: int) -> Floats:
    """About standard normal for each id: the sum of two uniforms, so never beyond ±2.45."""
    return (uniform(ids, salt) + uniform(ids, salt + 1000) - 1) * np.float32(np.sqrt(6))


class Cells(NamedTuple):
    """Rows of rectangles: which one a pixel lies in, and how far from its nearest side, px."""

    ids: Ids
    edge: Floats


def cells(u: Floats, v: Floats, width: Floats | float, length: Floats | float, key: Ids) -> Cells:
    """Brick-like rectangles of about `width` × `length` px in the coordinates (u along, v across).

    Rows are `width` across; each row has a length of its own (± 40 %) and begins anywhere.
    """
    row = np.floor(v / width)
    row_ids = hashed(key, row.astype(np.int32))
    long = length * (0.6 + 0.8 * uniform(row_ids, 1))
    along = u / long + uniform(row_ids, 2)
    column = np.floor(along)
    across, along = v / width - row, along - column
    edge = np.minimum(
        np.minimum(across, 1 - across) * width, np.minimum(along, 1 - along) * long
    ).astype(np.float32)
    return Cells(hashed(row_ids, column.astype(np.int32)), edge)


def top(score: NDArray[np.floating], free: Mask, core: tuple[slice, slice], pixels: int) -> Mask:
    """The free pixels of highest score, as many as make about `pixels` of them within `core`."""
    values = score[core][free[core]]
    pixels = min(pixels, values.size)
    if pixels <= 0:
        return np.zeros_like(free)
    chosen: Mask = free & (score >= np.partition(values, -pixels)[-pixels])
    return chosen
