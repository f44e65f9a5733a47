"""Do the simulated scenes look and measure like real ones?

`python -m benchmarks.realism` simulates a country with the default parameters, prints a table and,
as its last line, JSON, and draws docs/images/demo_histograms.png and demo_pairs.png.

Beside it stand four tiles of Sentinel-2 L2A and Sentinel-1 RTC with land cover (TerraMesh examples),
and for the pictures pairs of Sentinel-2 and Sentinel-1 VH without labels. All figures are taken at
the real pixel of 10 m: simulated reflectance and power are averaged over the pixels of 5 m within, a
label is the one that most of them bear, and all of them must be clear and valid; the simulated SAR
is laid where it truly belongs, so that its misregistration does not mix the classes. Labelled water
counts where green outshines near infrared: the labels of one tile call a beach water.

What the comparison cannot say: four tiles are no world, each is one season, a class may come from
one tile only, and the real labels (10 m, made by a network) are wrong in places. RTC is gamma
nought; the simulated sigma nought is lower by about 1 dB at 39° of incidence.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT
from scipy.ndimage import minimum_filter, uniform_filter

from dllr.files import atomic_file, read_json
from dllr.params.load import load
from dllr.params.scenes import LandClass
from dllr.report.figures import BLUE, INK, ORANGE
from dllr.stages.demo import run

Array = npt.NDArray[np.floating[Any]]
Index = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

SHARED = "DLLR_SHARED_DATA"
DEFAULTS = Path("params/defaults.yaml")  # whatever set is in use
SCENES, SIDE = 8, 768  # simulated scenes and their pixels: 118 km², against the tiles' 20 km²
PIXEL = 10.0  # m
FEW = 200  # pixels of a class below which a scene says nothing about it
NEAR = 5  # px, side of the neighbourhood that texture is measured in
OFFSET = 1000  # counts that Sentinel-2 products since 2022 add, and one tile still bears

OPTICAL = ("blue", "green", "red", "NIR")
REAL_BANDS = (2, 3, 4, 8)  # their places in the tiles: B1, B2, B3, B4, B5, B6, B7, B8, ...
BANDS = (*OPTICAL, "NDVI", "VV dB")
EDGES = dict.fromkeys(OPTICAL, np.arange(0, 0.6025, 0.005)) | {
    "NDVI": np.arange(-1, 1.025, 0.05),
    "VV dB": np.arange(-32, 8.5, 1.0),
}
LIMITS = {  # of the histograms' axes
    "blue": (0.0, 0.35),
    "green": (0.0, 0.4),
    "red": (0.0, 0.45),
    "NIR": (0.0, 0.5),
    "NDVI": (-0.8, 1.0),
    "VV dB": (-28.0, 4.0),
}
FAINT = 0.5  # opacity of the filled histograms
LIFT = 0.7  # power of reflectance that the pictures show
GREY_STEPS = 32  # of a picture's channel: more are not seen in such a texture, and swell the file

# Simulated class → classes of the default label, and code in the tiles.
PEERS = {
    "water": (("water",), 1),
    "forest": (("forest",), 2),
    "farmland": (("farmland",), 4),
    "built": (("city", "village"), 5),
    "others": (("others",), 6),
}
PEER_NAMES = {1: "water", 2: "trees", 4: "crops", 5: "built", 6: "bare"}
OTHER_NAMES = {3: "flooded vegetation", 9: "rangeland"}  # real classes without a simulated peer
GREYS = {3: "#7f7f7f", 9: "#bfbfbf"}
# Pairs of simulated classes, and of the tiles' where they know both.
PAIRS: dict[str, tuple[str, str, tuple[int, int] | None]] = {
    "village | city": ("village", "city", None),
    "road | city": ("road", "city", None),
    "others | farmland": ("others", "farmland", None),
    "forest | farmland": ("forest", "farmland", (2, 4)),
    "village | farmland": ("village", "farmland", (5, 4)),
    "water | farmland": ("water", "farmland", (1, 4)),
}
WINDOW = 224  # px, side of a picture: a tile's
SHOWN_TILES = ("433D_629L_3_1", "637U_59R_1_3")  # those with most of the classes
SHOWN_PAIR = ("015", 520, 490)  # unlabelled pair, row and column of its picture: town, works, hills
PLACES = {
    "282D_485L_3_3": "Brazil, July",
    "38D_378R_2_3": "Tanzania, June",
    "433D_629L_3_1": "Chile, April",
    "637U_59R_1_3": "Denmark, October",
    "015": "California, November",
}


@dataclass(frozen=True)
class Scene:
    """A scene on a grid of 10 m.

    Attributes:
        name: of its folder.
        bands: name → (H, W), NaN where there is no data; `VH` instead of `VV dB` in a bare pair.
        clear: neither cloud nor shadow.
        cover: raw label codes (H, W), 0 not known; None without a label.
        counts: clear, valid in every band, and no water that looks dry: what figures are taken on.
    """

    name: str
    bands: Mapping[str, Array]
    clear: Mask
    cover: Index | None
    counts: Mask


def main() -> None:
    """Read, compare, draw and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("docs/images"), help="the pictures' folder"
    )
    parser.add_argument("--seed", type=int, help="of the simulated country")
    parser.add_argument(
        "--from", dest="source", type=Path, help="a country written before, instead of a new one"
    )
    asked = parser.parse_args()
    shared = os.environ.get(SHARED)
    if not shared or not (Path(shared) / "terramesh").is_dir():
        sys.exit(
            f"set {SHARED} to the folder that holds the real scenes terramesh/ and s1s2_pairs/"
        )

    tiles = [_tile(folder) for folder in _folders(Path(shared) / "terramesh")]
    classes = load(DEFAULTS).scenes.label.classes
    scenes = _country(asked.source, asked.seed, _codes(classes, ["water"]))
    figures = compare(scenes, tiles, classes)
    with mpl.rc_context({"font.size": 10, "text.color": INK, "axes.edgecolor": INK}):
        _save(histograms(scenes, tiles, classes, figures), asked.out / "demo_histograms.png")
        shown = [tile for name in SHOWN_TILES for tile in tiles if tile.name == name]
        name, row, column = SHOWN_PAIR
        shown.append(_pair(Path(shared) / "s1s2_pairs" / name, row, column))
        _save(pairs(scenes, shown, classes), asked.out / "demo_pairs.png")
    _print_table(figures)
    print(json.dumps(_rounded(figures)))


# Reading


def _folders(root: Path) -> list[Path]:
    return sorted(file.parent for file in root.glob("*/optical.tif"))


def _country(source: Path | None, seed: int | None, water: Sequence[int]) -> list[Scene]:
    """The scenes of a folder, or of a country that is simulated for the occasion."""
    if source is not None:
        if not _folders(source):
            sys.exit(f"{source} holds no scene folders with optical.tif")
        return [_simulated(folder, water) for folder in _folders(source)]
    country = load(DEFAULTS).demo["country"]
    changes = {"scenes": SCENES, "size": SIDE} | ({} if seed is None else {"seed": seed})
    with tempfile.TemporaryDirectory() as folder:
        run(out=Path(folder) / "demo", demo={"country": country.model_copy(update=changes)})
        return _country(Path(folder) / "demo", None, water)


def _simulated(folder: Path, water: Sequence[int]) -> Scene:
    """A simulated scene, brought to 10 m."""
    with rasterio.open(folder / "optical.tif") as file:
        counts = file.read(masked=True).astype(np.float32)
        crs, transform = file.crs, file.transform
    step = max(1, round(PIXEL / transform.a))
    reflectance = [_mean(band, step) / 10_000 for band in counts.filled(np.nan)]
    a, b = read_json(folder / "truth.json")["misregistration"]["true_to_georeferenced"]
    power = _power(folder / "sar.tif", crs, Affine(*a, *b) @ transform, counts.shape[1:])
    with rasterio.open(folder / "cloud.tif") as file:
        cloud = _mean((file.read(1) > 0).astype(np.float32), step)
    label = folder / "label.tif"
    cover = None
    if label.exists():
        with rasterio.open(label) as file:
            cover = _majority(file.read(1), step)
    decibels = 10 * np.log10(_mean(power, step))
    return _scene(folder.name, _bands(reflectance, decibels), cloud == 0, cover, water)


def _power(path: Path, crs: Any, transform: Affine, shape: tuple[int, int]) -> Array:
    """Backscatter as power on the grid given; NaN where there is none.

    It is made power before it is laid on another grid: the mean of amplitudes is not their power's.
    """
    with rasterio.open(path) as file:
        values = file.read(1, masked=True).astype(np.float32)
        unit = file.tags()["UNITS"].split(",")[0].lower()
        profile = file.profile | {"dtype": "float32", "nodata": np.nan, "count": 1}
    power = {"db": 10 ** (values / 10), "power": values, "amplitude": values**2}[unit]
    with MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(power.filled(np.nan), 1)
        with (
            memory.open() as file,
            WarpedVRT(
                file,
                crs=crs,
                transform=transform,
                height=shape[0],
                width=shape[1],
                resampling=Resampling.bilinear,
                tolerance=1e-3,
            ) as there,
        ):
            laid: Array = there.read(1)
    return np.where(laid > 0, laid, np.nan)


def _tile(folder: Path) -> Scene:
    """A real tile: reflectance × 10,000 and dB on one grid of 10 m."""
    with rasterio.open(folder / "optical.tif") as file:
        counts = file.read(REAL_BANDS).astype(np.float32)
    if np.percentile(counts, 0.1) > 0.9 * OFFSET:  # nothing on the ground is that bright everywhere
        counts -= OFFSET
    with rasterio.open(folder / "sar.tif") as file:
        decibels = file.read(1).astype(np.float32)
    with rasterio.open(folder / "label.tif") as file:
        cover = file.read(1)
    reflectance: list[Array] = [np.where(band > 0, band, np.nan) / 10_000 for band in counts]
    clear = np.ones(cover.shape, bool)
    return _scene(folder.name, _bands(reflectance, decibels), clear, cover, [PEERS["water"][1]])


def _pair(folder: Path, row: int, column: int) -> Scene:
    """A window of an unlabelled pair, for the eye: bytes of red, green, blue and of VH."""
    window = rasterio.windows.Window(column, row, WINDOW, WINDOW)
    with rasterio.open(folder / "optical.tif") as file:
        red, green, blue = file.read(window=window).astype(np.float32)
    with rasterio.open(folder / "sar.tif") as file:
        cross = file.read(1, window=window).astype(np.float32)
    bands = {"blue": blue, "green": green, "red": red, "VH": cross}
    clear = np.ones(red.shape, bool)
    return Scene(folder.name, bands, clear, None, clear)


def _scene(
    name: str, bands: dict[str, Array], clear: Mask, cover: Index | None, water: Sequence[int]
) -> Scene:
    counts = clear & np.isfinite(np.stack(list(bands.values()))).all(axis=0)
    if cover is not None:
        counts &= ~np.isin(cover, water) | (bands["green"] > bands["NIR"])
    return Scene(name, bands, clear, cover, counts)


def _bands(reflectance: Sequence[Array], decibels: Array) -> dict[str, Array]:
    red, nir = reflectance[2], reflectance[3]
    ndvi = (nir - red) / np.maximum(nir + red, 1e-6)
    return dict(zip(BANDS, [*reflectance, ndvi, decibels], strict=True))


def _blocks(values: npt.NDArray[Any], step: int) -> npt.NDArray[Any]:
    """(h, w, step²): the pixels of each coarse pixel; a rest at the far edges is left out."""
    h, w = (side // step for side in values.shape)
    blocks = values[: h * step, : w * step].reshape(h, step, w, step).swapaxes(1, 2)
    return blocks.reshape(h, w, step * step)


def _mean(values: Array, step: int) -> Array:
    mean: Array = _blocks(values, step).mean(axis=-1)
    return mean


def _majority(codes: Index, step: int) -> Index:
    """The code that most of a coarse pixel bears; of two alike the higher, so that roads stay whole."""
    blocks = _blocks(codes, step)
    known = np.unique(codes)[::-1]
    shares = np.stack([(blocks == code).sum(axis=-1) for code in known])
    majority: Index = known[shares.argmax(axis=0)]
    return majority


# Comparing


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
            "simulated": _members(scenes, _codes(classes, members)),
            "real": _members(tiles, [code]),
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
            shares = [_shares(_values(found, band), band) for found in sides.values()]
            row[band] = {side: _statistics(found, band) for side, found in sides.items()}
            row[band]["overlap"] = _overlap(*shares)
        figures["classes"][name] = row
    figures["alike_within_scene"] = {
        name: {
            "simulated": _alike(scenes, *(_codes(classes, [member]) for member in (one, other))),
            **({"real": _alike(tiles, [real[0]], [real[1]])} if real else {}),
        }
        for name, (one, other, real) in PAIRS.items()
    }
    return figures


def _codes(classes: Mapping[str, LandClass], names: Sequence[str]) -> list[int]:
    return [code for name in names for code in classes[name].codes]


def _members(scenes: Sequence[Scene], codes: Sequence[int]) -> list[tuple[Scene, Mask]]:
    """Labelled scenes, each with the pixels of a class."""
    return [(s, np.isin(s.cover, codes) & s.counts) for s in scenes if s.cover is not None]


def _values(found: Sequence[tuple[Scene, Mask]], band: str) -> Array:
    return np.concatenate([scene.bands[band][mask] for scene, mask in found])


def _statistics(found: Sequence[tuple[Scene, Mask]], band: str) -> dict[str, float | None]:
    """Of all pixels of a class, and of the scenes that hold enough of it.

    median, p5, p95: over all scenes together. width: p95 − p5 within a scene, mean over scenes.
    between: deviation of the scenes' medians. grain: deviation within 5 × 5 pixels, median over
    those wholly of the class. neighbours: correlation, within these, of pixels side by side.
    """
    values = _values(found, band)
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


def _shares(values: Array, band: str) -> npt.NDArray[np.float64] | None:
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
    sides = zip(_members(scenes, one), _members(scenes, other), strict=True)
    both = [(s, a, b) for (s, a), (_, b) in sides if min(a.sum(), b.sum()) >= FEW]
    result: dict[str, float | None] = {}
    for band in BANDS:
        each = [
            _overlap(_shares(s.bands[band][a], band), _shares(s.bands[band][b], band))
            for s, a, b in both
        ]
        result[band] = float(np.mean([e for e in each if e is not None])) if each else None
    return result


def _print_table(figures: Mapping[str, Any]) -> None:
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


def _rounded(value: Any) -> Any:
    """Numbers to three digits after the point, at any depth."""
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(float(value), 3) if isinstance(value, float | np.floating) else value


# Drawing


def histograms(
    scenes: Sequence[Scene],
    tiles: Sequence[Scene],
    classes: Mapping[str, LandClass],
    figures: Mapping[str, Any],
) -> Figure:
    """A row a class, a column a band: real filled, simulated as a line, each with its median."""
    figure = Figure(figsize=(12.8, 8.6), dpi=125, layout="constrained")
    grid = figure.subplots(len(PEERS), len(BANDS), sharex="col")
    for (name, (members, code)), row in zip(PEERS.items(), grid, strict=True):
        sides = _members(tiles, [code]), _members(scenes, _codes(classes, members))
        known = figures["classes"][name]
        for band, axes in zip(BANDS, row, strict=True):
            real, simulated = (_values(found, band) for found in sides)
            _histogram(axes, band, real, simulated)
            overlap = known[band]["overlap"]
            said = "" if overlap is None else f"{overlap:.2f}"
            axes.text(1, 1.02, said, transform=axes.transAxes, ha="right", va="top", fontsize=9)
        row[0].set_ylabel(_class_title(members, known), rotation=0, ha="right", va="center")
    for band, top, bottom in zip(BANDS, grid[0], grid[-1], strict=True):
        top.set_title(band, fontsize=11, pad=10)
        bottom.set_xlim(*LIMITS[band])
        bottom.set_xlabel({"NDVI": "index", "VV dB": "dB"}.get(band, "reflectance"))
    handles = [
        Patch(facecolor=ORANGE, alpha=FAINT, label=f"real, {len(tiles)} tiles"),
        Patch(facecolor="none", edgecolor=BLUE, lw=1.8, label=f"simulated, {len(scenes)} scenes"),
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=2, frameon=False, fontsize=11,
        title="Pixels of 10 m by class. Dotted: medians. Numbers: overlap, 1 where the two are alike",
    )  # fmt: skip
    return figure


def _histogram(axes: Axes, band: str, real: Array, simulated: Array) -> None:
    """Both sides in one panel, with room above for the overlap."""
    highest = 0.0
    for values, fill, colour in ((real, True, ORANGE), (simulated, False, BLUE)):
        shares = _shares(values, band)
        if shares is None:
            continue
        alpha, width = (FAINT, 0) if fill else (1, 1.5)
        axes.stairs(shares, EDGES[band], fill=fill, color=colour, alpha=alpha, linewidth=width)
        axes.axvline(float(np.median(values)), ymax=0.87, color=colour, lw=1.3, linestyle=":")
        highest = max(highest, shares.max())
    axes.set(ylim=(0, 1.2 * highest or 1), yticks=[])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=9)


def _class_title(members: Sequence[str], known: Mapping[str, Any]) -> str:
    ours, tiles = ", ".join(members), known["scenes"]["real"]
    peer = "" if known["peer"] == ours else f"\nreal: {known['peer']}"
    return f"{ours}{peer}\n({tiles} {'tile' if tiles == 1 else 'tiles'})"


def pairs(
    scenes: Sequence[Scene], real: Sequence[Scene], classes: Mapping[str, LandClass]
) -> Figure:
    """Three simulated windows above the real ones, a column a modality, a pixel a pixel."""
    ours = {code: known.colour for known in classes.values() for code in known.codes}
    theirs = GREYS | {code: classes[members[0]].colour for members, code in PEERS.values()}
    rows = [(f"simulated, {w.name}", w, ours) for w in _most_varied(scenes, 3)]
    rows += [(f"real, {PLACES[scene.name]}", scene, theirs) for scene in real]
    names = {known.colour: name for name, known in classes.items()}
    names |= {GREYS[code]: f"{name} (real only)" for code, name in OTHER_NAMES.items()}
    return _panels(rows, names)


def _most_varied(scenes: Sequence[Scene], number: int) -> list[Scene]:
    """The best window of each of the scenes whose best windows hold the most even mix of classes.

    All scenes that have a label stand for election; windows without data everywhere do not.
    """
    windows = [w for w in map(_best_window, scenes) if w is not None]
    return sorted(windows, key=_variety, reverse=True)[:number]


def _best_window(scene: Scene) -> Scene | None:
    if scene.cover is None:
        return None
    best: Scene | None = None
    height, width = scene.cover.shape
    for row in range(0, height - WINDOW + 1, 16):
        for column in range(0, width - WINDOW + 1, 16):
            window = _cut(scene, row, column)
            whole = all(np.isfinite(band).mean() > 0.999 for band in window.bands.values())
            if whole and (best is None or _variety(window) > _variety(best)):
                best = window
    return best


def _cut(scene: Scene, row: int, column: int) -> Scene:
    part = np.s_[row : row + WINDOW, column : column + WINDOW]
    bands = {name: band[part] for name, band in scene.bands.items()}
    cover = None if scene.cover is None else scene.cover[part]
    return Scene(scene.name, bands, scene.clear[part], cover, scene.counts[part])


def _variety(window: Scene) -> float:
    """Entropy of the classes, less where there is cloud."""
    assert window.cover is not None
    shares = np.bincount(window.cover[window.cover > 0]) / window.cover.size
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum() * window.clear.mean())


def _panels(
    rows: Sequence[tuple[str, Scene, Mapping[int, str]]], names: Mapping[str, str]
) -> Figure:
    """Windows down, modalities across; a pixel of a window is one of the picture.

    rows: title, window, colour of each code. names: colour → class, for the legend.
    """
    gap, between, left, top, below, dpi = 6, 12, 24, 24, 56, 100
    width = left + 4 * (WINDOW + gap)
    height = top + len(rows) * (WINDOW + gap) + between + below
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi)
    for place, (title, window, colours) in enumerate(rows):
        bare = "VH" in window.bands
        shown = (
            ("true colour", _colour(window, ("red", "green", "blue")), ""),
            ("NIR, red, green", _colour(window, ("NIR", "red", "green")), ""),
            ("SAR, VV in dB", _grey(window), "VH, stretched by its authors" if bare else ""),
            ("land cover", _cover(window, colours), ""),
        )
        apart = between if title.startswith("real") else 0
        y = height - top - (place + 1) * (WINDOW + gap) + gap - apart
        for column, (head, picture, note) in enumerate(shown):
            x = left + column * (WINDOW + gap)
            axes = figure.add_axes((x / width, y / height, WINDOW / width, WINDOW / height))
            _panel(axes, picture, note)
            if place == 0:
                axes.set_title(head, fontsize=9, pad=5)
            if column == 0:
                axes.set_ylabel(title, fontsize=9, labelpad=4)
    figure.legend(
        handles=[Patch(color=colour, label=name) for colour, name in names.items()],
        loc="lower center", ncols=5, frameon=False, fontsize=9, handlelength=1.2,
    )  # fmt: skip
    return figure


def _panel(axes: Axes, picture: Index | None, note: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if picture is None:
        axes.text(0.5, 0.5, "none", ha="center", va="center", transform=axes.transAxes, alpha=0.6)
        return
    axes.imshow(picture, interpolation="nearest")
    if note:
        axes.text(5, 13, note, fontsize=8, bbox={"color": "white", "pad": 2})


def _stretch(band: Array, clear: Mask) -> Index:
    """Grey values between the 2nd and 98th percentile of the clear pixels; without data black."""
    low, high = np.nanpercentile(band[clear], (2, 98))
    grey = np.clip(np.nan_to_num((band - low) / max(high - low, 1e-6)), 0, 1)
    steps: Index = (np.rint(grey * (GREY_STEPS - 1)) * (255 / (GREY_STEPS - 1))).astype(np.uint8)
    return steps


def _colour(scene: Scene, names: Sequence[str]) -> Index | None:
    """Three bands as red, green and blue, lifted: else bright roofs leave the land dark."""
    if any(name not in scene.bands for name in names):
        return None
    return np.dstack([_stretch(scene.bands[name].clip(0) ** LIFT, scene.clear) for name in names])


def _grey(scene: Scene) -> Index:
    """The SAR band in dB (a bare pair's bytes are close to that); cloud does not hide it."""
    band = scene.bands["VH" if "VH" in scene.bands else "VV dB"]
    return np.dstack([_stretch(band, np.ones_like(scene.clear))] * 3)


def _cover(scene: Scene, colours: Mapping[int, str]) -> Index | None:
    if scene.cover is None:
        return None
    table: Index = np.full((256, 3), 255, np.uint8)
    for code, colour in colours.items():
        table[code] = [*bytes.fromhex(colour.removeprefix("#"))]
    picture: Index = table[scene.cover]
    return picture


def _save(figure: Figure, path: Path) -> None:
    """As PNG that says nothing of when and with what it was made: same figure, same bytes."""
    with atomic_file(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None}, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main()
