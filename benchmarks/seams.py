"""Do maps show the windows they were made of? Strength of steps as frequent as windows follow each other.

`python -m benchmarks.seams [RESULTS]` reads the confidence maps of a run (none = results/) and prints, as a
JSON object, the power of its steps from pixel to pixel, a row and a column at a time, at the period of the
windows and at half of it, beside that at the three periods next to it on either side; the mean power is 1.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from dllr.models.checkpoint import load as load_checkpoint
from dllr.params.load import load

NEXT = 3  # frequencies on either side that a period is compared with


def main(results: Path) -> None:
    size = load_checkpoint(results / "evaluation/checkpoint.pt").size
    stride = round(size * (1 - load().map.overlap))
    found: dict[str, Any] = {"stride": stride}
    spectra: dict[int, list[Any]] = {}
    for path in sorted((results / "maps").glob("*/confidence.tif")):
        with rasterio.open(path) as source:
            sure = source.read(1, masked=True).astype(float)
        for turned in (sure, sure.T):
            steps = np.ma.abs(np.diff(turned, axis=1)).mean(axis=0).filled(0)
            steps = steps[: len(steps) // stride * stride]
            power = np.abs(np.fft.rfft(steps - steps.mean())) ** 2
            spectra.setdefault(len(steps), []).append(power / power.mean())
    for name, harmonic in (("period", 1), ("half", 2)):
        here, beside = [], []
        for length, powers in spectra.items():
            place = harmonic * length // stride
            around = [place + n for n in range(-NEXT, NEXT + 1) if n]
            here += [power[place] for power in powers]
            beside += [power[around] for power in powers]
        found[name] = round(float(np.mean(here)), 2)
        found[f"{name}_beside"] = np.mean(beside, axis=0).round(2).tolist()
    print(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=Path("results"))
    main(parser.parse_args().results)
