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
from pathlib import Path

import matplotlib as mpl

from benchmarks._likeness import codes_of, compare, print_table, rounded
from benchmarks._pictures import histograms, pairs, save
from benchmarks._scenes import (
    DEFAULTS,
    SHARED,
    SHOWN_PAIR,
    SHOWN_TILES,
    real_pair,
    real_tile,
    scene_folders,
    simulated_country,
)
from dllr.params.load import load
from dllr.report.figures import INK


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

    tiles = [real_tile(folder) for folder in scene_folders(Path(shared) / "terramesh")]
    classes = load(DEFAULTS).scenes.label.classes
    scenes = simulated_country(asked.source, asked.seed, codes_of(classes, ["water"]))
    figures = compare(scenes, tiles, classes)
    with mpl.rc_context({"font.size": 10, "text.color": INK, "axes.edgecolor": INK}):
        save(histograms(scenes, tiles, classes, figures), asked.out / "demo_histograms.png")
        shown = [tile for name in SHOWN_TILES for tile in tiles if tile.name == name]
        name, row, column = SHOWN_PAIR
        shown.append(real_pair(Path(shared) / "s1s2_pairs" / name, row, column))
        save(pairs(scenes, shown, classes), asked.out / "demo_pairs.png")
    print_table(figures)
    print(json.dumps(rounded(figures)))


if __name__ == "__main__":
    main()
