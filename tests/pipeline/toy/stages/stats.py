import json
from pathlib import Path

from stages.params import section


def run(prepared: Path, out: Path) -> None:
    values = [float(v) for file in prepared.glob("*.txt") for v in file.read_text().split()]
    out.write_text(
        json.dumps({"mean": round(sum(values) / len(values), section("stats")["digits"])})
    )
