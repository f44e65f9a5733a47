import json
import shutil
from pathlib import Path

from stages.params import section


def run(rounds: Path, out: Path) -> None:
    named = ["0", *section("rounds")]
    for leftover in {folder.name for folder in rounds.iterdir()} - set(named):
        shutil.rmtree(rounds / leftover)  # a round that params.yaml no longer names
    losses = {r: json.loads((rounds / r / "state.json").read_text())["loss"] for r in named}
    out.mkdir(exist_ok=True)
    (out / "history.csv").write_text(
        "round,loss\n" + "".join(f"{r},{v}\n" for r, v in losses.items())
    )
    (out / "metrics.json").write_text(
        json.dumps({"bins": section("evaluate")["bins"], "loss": losses})
    )
