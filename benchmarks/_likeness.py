"""How alike simulated and real pixels are, class by class and band by band."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import minimum_filter, uniform_filter

from benchmarks._scenes import (
    BANDS,
    EDGES,
    FEW,
    NEAR,
    PAIRS,
    PEER_NAMES,
    PEERS,
    PIXEL,
    Array,
    Mask,
    Scene,
)
from dllr.params.scenes import LandClass


def compare(
    scenes: Sequence[Scene], tiles: Sequence[Scene], classes: Mapping[str, LandClass]
) -> dict[str, Any]:
    """Class by class the two sides, then how far classes are alike within a scene."""
    figures: dict[str, Any] = {
        "pixel_m": PIXEL,
        "scenes": {"simulated": len(scenes), "real": len(tiles)},
        "classes": {},
    }
    for name, (members, code) in PEERS.items():
        sides = {
            "simulated": members_of(scenes, codes_of(classes, members)),
            "real": members_of(tiles, [code]),
        }
        row: dict[str, Any] = {
            "peer": PEER_NAMES[code],
            "pixels": {side: int(sum(m.sum() for _, m in found)) for side, found in sides.items()},
            "scenes": {
                side: sum(int(m.sum()) >= FEW for _, m in found) for side, found in sides.items()
            },
            "red_nir_correlation": {side: _correlation(found) for side, found in sides.items()},
        }
        for band in BANDS:
            shares = [shares_of(values_of(found, band), band) for found in sides.values()]
            row[band] = {side: _statistics(found, band) for side, found in sides.items()}
            row[band]["overlap"] = _overlap(*shares)
        figures["classes"][name] = row
    figures["alike_within_scene"] = {
        name: {
            "simulated": _alike(scenes, *(codes_of(classes, [member]) for member in (one, other))),
            **({"real": _alike(tiles, [real[0]], [real[1]])} if real else {}),
        }
        for name, (one, other, real) in PAIRS.items()
    }
    return figures


def codes_of(classes: Mapping[str, LandClass], names: Sequence[str]) -> list[int]:
    return [code for name in names for code in classes[name].codes]


def members_of(scenes: Sequence[Scene], codes: Sequence[int]) -> list[tuple[Scene, Mask]]:
    """Labelled scenes, each with the pixels of a class."""
    return [(s, np.isin(s.cover, codes) & s.counts) for s in scenes if s.cover is not None]


def values_of(found: Sequence[tuple[Scene, Mask]], band: str) -> Array:
    return np.concatenate([scene.bands[band][mask] for scene, mask in found])


def _statistics(found: Sequence[tuple[Scene, Mask]], band: str) -> dict[str, float | None]:
    """Of all pixels of a class, and of the scenes that hold enough of it.

    median, p5, p95: over all scenes together. width: p95 − p5 within a scene, mean over scenes.
    between: deviation of the scenes' medians. grain: deviation within 5 × 5 pixels, median over
    those wholly of the class. neighbours: correlation, within these, of pixels side by side.
    """
    values = values_of(found, band)
    enough = [(scene, mask) for scene, mask in found if mask.sum() >= FEW]
    inner = [scene.bands[band][mask] for scene, mask in enough]
    ends = [np.percentile(v, (5, 50, 95)) for v in inner]
    p5, median, p95 = np.percentile(values, (5, 50, 95)) if values.size else [None] * 3
    grain, neighbours = _texture([(scene.bands[band], mask) for scene, mask in enough])
    return {
        "median": median,
        "p5": p5,
        "p95": p95,
        "width": np.mean([e[2] - e[0] for e in ends]) if ends else None,
        "between": np.std([e[1] for e in ends], ddof=1) if len(ends) > 1 else None,
        "grain": grain,
        "neighbours": neighbours,
    }


def _texture(found: Sequence[tuple[Array, Mask]]) -> tuple[float | None, float | None]:
    """Deviation of pixels from those about them, and how far neighbours deviate alike."""
    deviations, here, beside = [], [], []
    for band, mask in found:
        inner = minimum_filter(mask, NEAR, mode="constant", cval=False)
        values = np.where(mask, band, 0).astype(np.float64)
        mean = uniform_filter(values, NEAR)
        variance = uniform_filter(values**2, NEAR) - mean**2
        deviations.append(np.sqrt(np.maximum(variance[inner], 0)))
        both = inner[:, 1:] & inner[:, :-1]
        rest = values - mean
        here.append(rest[:, :-1][both])
        beside.append(rest[:, 1:][both])
    if not found or sum(d.size for d in deviations) < FEW:
        return None, None
    correlation = np.corrcoef(np.concatenate(here), np.concatenate(beside))[0, 1]
    return float(np.median(np.concatenate(deviations))), float(correlation)


def _correlation(found: Sequence[tuple[Scene, Mask]]) -> float | None:
    """Of red with near infrared within a scene, mean over the scenes that hold enough."""
    each = [
        np.corrcoef(scene.bands["red"][mask], scene.bands["NIR"][mask])[0, 1]
        for scene, mask in found
        if mask.sum() >= FEW
    ]
    return float(np.mean(each)) if each else None


def shares_of(values: Array, band: str) -> npt.NDArray[np.float64] | None:
    """Shares of the values by bin of 0.005 reflectance, 0.05 NDVI or 1 dB; the ends take the rest."""
    if not values.size:
        return None
    edges = EDGES[band]
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    shares: npt.NDArray[np.float64] = counts / counts.sum()
    return shares


def _overlap(
    one: npt.NDArray[np.float64] | None, other: npt.NDArray[np.float64] | None
) -> float | None:
    """Overlap coefficient: 1 the same distribution, 0 told apart without fail."""
    return None if one is None or other is None else float(np.minimum(one, other).sum())


def _alike(
    scenes: Sequence[Scene], one: Sequence[int], other: Sequence[int]
) -> dict[str, float | None]:
    """Overlap of two classes by band, mean over the scenes that hold enough of both."""
    sides = zip(members_of(scenes, one), members_of(scenes, other), strict=True)
    both = [(s, a, b) for (s, a), (_, b) in sides if min(a.sum(), b.sum()) >= FEW]
    result: dict[str, float | None] = {}
    for band in BANDS:
        each = [
            _overlap(shares_of(s.bands[band][a], band), shares_of(s.bands[band][b], band))
            for s, a, b in both
        ]
        result[band] = float(np.mean([e for e in each if e is not None])) if each else None
    return result


def print_table(figures: Mapping[str, Any]) -> None:
    """The same for people: simulated before real."""
    heads = ("median", "p5", "p95", "width", "between", "grain", "neighbours")
    print("simulated / real".ljust(17), *(head.center(16) for head in heads), "overlap")
    for name, row in figures["classes"].items():
        for band in BANDS:
            sim, real = row[band]["simulated"], row[band]["real"]
            cells = (f"{_text(sim[h]):>7} /{_text(real[h]):>7}" for h in heads)
            print(f"{name:9} {band:7}", *cells, _text(row[band]["overlap"]))


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if abs(value) < 2 else f"{value:.1f}"


def rounded(value: Any) -> Any:
    """Numbers to three digits after the point, at any depth."""
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    return round(float(value), 3) if isinstance(value, float | np.floating) else value
