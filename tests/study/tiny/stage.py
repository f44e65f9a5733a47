"""`python stage.py NAME OUTPUT` runs one stage in a cell and leaves a line in $TINY_LOG.

$TINY_HANG and $TINY_FAIL name a `stage cell` that stops for good or fails.
"""

import json
import os
import sys
import time
from pathlib import Path

from ruamel.yaml import YAML

name, out = sys.argv[1], Path(sys.argv[2])
params = YAML(typ="safe", pure=True).load(Path("params.yaml").read_text(encoding="utf-8"))
cell = Path.cwd().name


def scores() -> dict[str, object]:
    budget = int(Path("results/split.txt").read_text())
    seed = int(Path("results/rounds/0.txt").read_text())
    fused = {
        name: round(0.01 * budget + 0.1 * seed, 6) for name in ("miou", "oa", "f1", "kappa")
    } | {"iou": {"water": 0.5, "road": None}}
    later = fused | {"miou": fused["miou"] + 0.05}
    return {
        "classes": ["water", "road"],
        "selected_round": 1,
        "calibration": {"fused": {"before": {"ece": 0.2}, "after": {"ece": 0.1}}},
        "rounds": {"0": {"fused": fused, "sar": fused}, "1": {"fused": later, "sar": fused}},
    }


def text() -> str:
    if name == "scenes":
        files = sorted(Path(params["scenes"]["root"]).iterdir())
        return " ".join(file.read_text() for file in files)
    if name == "split":
        return str(params["split"]["labelled_tiles"])
    if name == "warmup":
        return str(params["train"]["seed"])
    return json.dumps(scores()) if name == "evaluate" else "simulated"


line = {
    "stage": name,
    "cell": cell,
    "threads": os.environ["DLLR_THREADS"],
    "code": os.environ["PYTHONPATH"].split(os.pathsep)[0],
    "store": os.environ["MLFLOW_TRACKING_URI"],
}
with Path(os.environ["TINY_LOG"]).open("a", encoding="utf-8") as log:
    log.write(json.dumps(line) + "\n")
if os.environ.get("TINY_HANG") == f"{name} {cell}":
    time.sleep(60)
if os.environ.get("TINY_FAIL") == f"{name} {cell}":
    sys.exit("no convergence")
work = Path(".dllr") / name
work.mkdir(parents=True, exist_ok=True)
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(text(), encoding="utf-8")
if name == "evaluate":
    rules = {"argmax": 0.3, "threshold": 0.4, "reassigned": 0.5}
    rows = ["round,set,rule,class,pixels,coverage,accuracy,miou,share"]
    rows += [f"1,oracle,{rule},{c},9,0.8,{a},{a},1" for rule, a in rules.items() for c in "*w"]
    right = round(1000 * json.loads(out.read_text())["rounds"]["1"]["fused"]["miou"])
    counts = ["round,head,split,scene,seen,border,actual,predicted,count"]
    for scene in "ab":
        counts.append(f"1,fused,test,{scene},both,0,water,water,{right}")
        counts.append(f"1,fused,test,{scene},both,0,water,road,{1000 - right}")
    counts += ["1,fused,validation,c,both,0,water,water,5", "0,fused,test,a,both,0,water,water,5"]
    table = "\n".join(counts) + "\n"
    (out.parent / "confusion_by_scene.csv").write_text(table, encoding="utf-8")
    (out.parent / "ledger.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
