"""What does a map cost beside the network's passes, in time and memory, and is it the map of a full buffer?

`python -m benchmarks.mapping` maps a scene of 5556×3704 (5 bands, the classes, windows and overlap of
params.yaml) and prints a JSON object: seconds, those inside the network's forward passes of the same
windows, and the share beyond, of CPU time too, which other users of the machine disturb less; MB of peak
memory beyond the model and one batch; whether each pixel has the class that a buffer of the whole scene
gives. Class, confidence and entropy are written, no polygons. Then, with one convolution in the network's
place, the same memory for scenes of one and ten times the area, ten times as high, and √10 times as high
and wide. Each scene has a process of its own. Needs some 4 GB of disk, given back. `--height` and `--width`
take another size.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from typing import Any

from dllr.files import WORK

AREA = 10  # times


def main(height: int, width: int) -> None:
    whole = _mapped(height, width, "params")
    beyond = whole["seconds"] - whole["forward_seconds"]
    side = AREA**0.5
    sizes = {
        "MB_once": (height, width),
        "MB_10_high": (AREA * height, width),
        "MB_10_square": (round(side * height), round(side * width)),
    }
    figures = {
        "height": height,
        "width": width,
        "seconds": whole["seconds"],
        "cpu_seconds": whole["cpu_seconds"],
        "forward_seconds": whole["forward_seconds"],
        "share_beyond": beyond / whole["forward_seconds"],
        "cpu_share_beyond": whole["cpu_seconds"] / whole["forward_cpu_seconds"] - 1,
        "MB": whole["MB"],
        "identical": whole.get("identical"),
        **{key: _mapped(*size, "convolution")["MB"] for key, size in sizes.items()},
    }
    print(
        json.dumps(
            {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in figures.items()}
        )
    )


def _mapped(height: int, width: int, network: str) -> dict[str, Any]:
    work = WORK / "bench"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as name:
        command = [sys.executable, "-m", "benchmarks._mapping", name, str(height), str(width)]
        subprocess.run([*command, "none"], check=True)
        found: dict[str, Any] = json.loads(subprocess.check_output([*command, network], text=True))
    print(f"{width}×{height}, {network}: {found}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--height", type=int, default=3704)
    parser.add_argument("--width", type=int, default=5556)
    given = parser.parse_args()
    main(given.height, given.width)
