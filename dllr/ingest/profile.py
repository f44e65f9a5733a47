"""Statistics of an image's values, collected strip by strip in one pass and in bounded memory."""

import hashlib
from math import ceil, isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dllr.files import digest

SAMPLE = 250_000  # px of a band that percentiles are taken from: a percent point is 2,500 of them
PERCENTILES = (1, 50, 99)
# Values that software writes where nothing was measured. 0 is a value too, the others hardly ever are.
FILLS = (0.0, -9999.0, -99999.0, -32768.0, 65535.0, 1e20, -3.4028234663852886e38)


class Profile:
    """What the values of an image's valid pixels are like, band by band.

    Minimum, maximum, mean and the shares are exact; percentiles come from every k-th row and column,
    k as small as SAMPLE allows.
    """

    def __init__(self, height: int, width: int, nodata: float | None) -> None:
        """nodata: value of missing pixels, None = none is declared."""
        self._shape, self._nodata = (height, width), nodata
        self._step = ceil(sqrt(height * width / SAMPLE))
        self._bands: list[_Band] = []
        self._fills: dict[float, int] = {}
        self._dtype = ""

    def add(self, first: int, values: NDArray[Any], valid: NDArray[np.bool_]) -> None:
        """Rows from number `first` on: values (B, h, w) and validity (h, w)."""
        self._dtype = values.dtype.name
        self._bands = self._bands or [_Band() for _ in values]
        rows = slice(-first % self._step, None, self._step)
        thin, whole = valid[rows, :: self._step], bool(valid.all())
        for band, plane in zip(self._bands, values, strict=True):
            band.pixels.update(np.ascontiguousarray(plane).data)
            band.missing += _missing(plane, self._nodata)
            band.sample.append(plane[rows, :: self._step][thin])
            band.add(plane.ravel() if whole else plane[valid])
        self._add_fills(values, valid)

    def _add_fills(self, values: NDArray[Any], valid: NDArray[np.bool_]) -> None:
        first = self._bands[0]
        for fill in FILLS:
            if fill == self._nodata or not first.low <= fill <= first.high:
                continue
            hit = (values[0] == fill) & valid
            for plane in values[1:]:
                if not hit.any():
                    break
                hit &= plane == fill
            self._fills[fill] = self._fills.get(fill, 0) + int(np.count_nonzero(hit))

    def record(self) -> dict[str, Any]:
        """JSON values.

        Returns:
            values: per band min, max, mean and percentiles (None where no pixel is valid), `at_max`, the
            share of valid pixels that hold the maximum, `negative`, the share below 0, `whole`, whether
            all values of the sample are whole numbers, `missing`, the share of all pixels that miss this
            band, and `pixels`, a digest of the band. fills: [value, share of valid pixels], of FILLS, in
            their order, that stand in all bands at once. pixels: a digest of all bands, None of an image
            without contrast.
        """
        size = self._shape[0] * self._shape[1]
        bands = [band.record(size) for band in self._bands]
        valid = self._bands[0].count
        varied = any(band.low < band.high for band in self._bands)
        return {
            "values": bands,
            "fills": [[f, round(n / valid, 6)] for f in FILLS if (n := self._fills.get(f))],
            "pixels": digest(self._shape, self._dtype, [b["pixels"] for b in bands])
            if varied
            else None,
        }


class _Band:
    def __init__(self) -> None:
        self.count = self.missing = self.negative = self.at_max = 0
        self.low, self.high, self.total = np.inf, -np.inf, 0.0
        self.sample: list[NDArray[Any]] = []
        self.pixels = hashlib.blake2b(digest_size=16)

    def add(self, known: NDArray[Any]) -> None:
        if not known.size:
            return
        top = known.max()
        low, high = float(known.min()), float(top)
        integers = np.issubdtype(known.dtype, np.integer)
        with np.errstate(over="ignore"):  # of the largest doubles no mean is told
            self.total += float(known.sum(dtype=np.int64 if integers else np.float64))
        self.count += known.size
        if low < 0:
            self.negative += int(np.count_nonzero(known < 0))
        if high >= self.high:
            self.at_max = self.at_max if high == self.high else 0
            self.at_max += int(np.count_nonzero(known == top))
        self.low, self.high = min(self.low, low), max(self.high, high)

    def record(self, size: int) -> dict[str, Any]:
        sample = np.concatenate(self.sample)
        with np.errstate(over="ignore", invalid="ignore"):
            seen = np.percentile(sample, PERCENTILES).tolist() if sample.size else [None] * 3
        count = max(self.count, 1)
        return {
            "min": _plain(self.low),
            "max": _plain(self.high),
            "mean": _plain(self.total / self.count) if self.count else None,
            **{f"p{p}": _plain(v) for p, v in zip(PERCENTILES, seen, strict=True)},
            "at_max": round(self.at_max / count, 6),
            "negative": round(self.negative / count, 6),
            "whole": bool(sample.size and (sample == np.round(sample)).all()),
            "missing": round(self.missing / size, 6),
            "pixels": self.pixels.hexdigest(),
        }


def _missing(plane: NDArray[Any], nodata: float | None) -> int:
    missing = 0
    if np.issubdtype(plane.dtype, np.floating):
        missing = plane.size - int(np.count_nonzero(np.isfinite(plane)))
    if nodata is not None and isfinite(nodata):
        missing += int(np.count_nonzero(plane == nodata))
    return missing


def _plain(value: float | None) -> float | None:
    """A number that JSON can hold; sums of the largest doubles are not."""
    return float(value) if value is not None and isfinite(value) else None
