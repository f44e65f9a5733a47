"""Makes golden.json anew: `python tests/demo/golden_scenes.py`. Only a new version of the simulator asks for it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from small_country import Rendered, country, render

from dllr.demo.scene import scene

FILE = Path(__file__).with_name("golden.json")


def summary(made: Rendered) -> dict[str, Any]:
    """What a library that rounds otherwise leaves alone, and a change of the simulator does not."""
    codes, counts = np.unique(made.label, return_counts=True)
    return {
        "label": dict(zip(map(str, codes.tolist()), counts.tolist(), strict=True)),
        "optical": made.optical.mean(axis=(1, 2)).tolist(),
        "cloud": np.bincount(made.cloud.ravel(), minlength=3).tolist(),
        "sar_db": float(np.nanmean(10 * np.log10(made.sar))),
        "shift": list(made.scene.misregistration.shift),
    }


def summaries() -> dict[str, Any]:
    return {str(n): summary(render(scene(country(seed=3), n))) for n in (0, 2, 5)}


if __name__ == "__main__":
    FILE.write_text(json.dumps(summaries(), indent=1) + "\n", encoding="utf-8")
