"""A thin stage: writes what a stage of this name writes, without computing anything."""

import csv
import json
import os
import sys
import time
from pathlib import Path

CLASSES = ["water", "built-up (dense)"]


def main(stage: str, out: Path, seed: int = 0) -> None:
    out.mkdir(parents=True, exist_ok=True)
    kind, _, item = stage.partition("@")
    if kind in ("warmup", "train_round"):
        train(stage, out, int(item or 0), seed)
    elif stage == "pseudo_label@3":
        (out / "summary.json").write_text(json.dumps({"skipped": True}))
    elif kind == "pseudo_label":
        shares = dict(zip(CLASSES, (0.25, 0.75), strict=True))
        summary = {
            "classes": CLASSES,
            "temperature": {"fused": 1.5},
            "converged": True,
            "passes": 12,
        }
        summary |= {"target": shares, "before": shares, "after": shares}
        (out / "summary.json").write_text(json.dumps(summary))
        import pandas as pd

        pd.DataFrame(ledger("calibration", int(item))).to_parquet(out / "ledger.parquet")
    elif kind == "evaluate":
        rounds = {str(r): {h: scores(r, h) for h in ("fused", "optical", "sar")} for r in (0, 1)}
        metrics = {"classes": CLASSES, "selected_round": 1, "rounds": rounds, **doubt()}
        (out / "scores.json").write_text(json.dumps(metrics))
        selection = {"selected_round": 1, "validation_miou": {"0": 0.4, "1": 0.6}}
        selection["temperature"] = 1.5
        (out / "selection.json").write_text(json.dumps(selection))
        rows = [row for name in ("calibration", "oracle") for row in ledger(name, 1)]
        with (out / "ledger.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)
        (out / "confusion.csv").write_text("actual,predicted,count\nwater,water,3\n")
        (out / "certificate.csv").write_text("condition,miou\nboth,0.6\nshift_1,0.5\nsar,\n")
    elif kind == "export":
        import numpy as np

        (out / "model.onnx").write_bytes(identity())
        (out / "README.md").write_text("# Card\n")
        np.save(out / "example.npy", np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4))
    elif kind == "report":
        (out / "index.html").write_text("<h1>report</h1>")
        if os.environ.get("WATCH") == stage:
            from dllr import tracking

            tracking.post_when_done(stage)
    else:
        (out / "index.csv").write_text("scene\none\n")


def identity() -> bytes:
    """A model that gives back what it gets."""
    import onnx

    shape = ["batch", 2, 4, 4]
    ends = [
        onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shape)
        for n in ("image", "same")
    ]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["image"], ["same"])], "g", ends[:1], ends[1:]
    )
    opset = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    return model.SerializeToString()


def scores(round_: int, head: str) -> dict:
    value = 0.5 + 0.1 * round_ - (0.2 if head == "sar" else 0.0)
    iou = {"water": value, "built-up (dense)": None if head == "sar" else value}
    return {
        "miou": value, "oa": value, "f1": value, "kappa": value, "iou": iou, "boundary_miou": 0.3,
        "precision": dict(zip(CLASSES, (0.7, None), strict=True)),
    }  # fmt: skip


def doubt() -> dict:
    """What evaluation says of how sure the selected round's scores and probabilities are."""
    calibration = {"before": {"ece": 0.2, "brier": 0.5}, "after": {"ece": 0.1, "brier": 0.4}}
    bounds = {"low": 0.55, "high": 0.65}
    fused = {"miou": bounds, "oa": bounds, "f1": None, "kappa": bounds}
    fused |= {"iou": dict(zip(CLASSES, (bounds, None), strict=True))}
    seen = {
        "both": {"pixels": 9, "miou": {"fused": 0.6}},
        "no sar": {"pixels": 0, "miou": {"fused": None}},
    }
    return {
        "calibration": {"fused": calibration, "optical": calibration},
        "intervals": {"by": "block", "fused": fused},
        "seen": seen,
    }


def ledger(set_: str, round_: int) -> list[dict]:
    """Two rules on the fold; without an accuracy on unlabelled pixels, where no class is known."""
    known = set_ == "calibration"
    return [
        {"round": round_, "set": set_, "rule": rule, "class": name, "pixels": 9, "coverage": 0.8,
         "accuracy": accuracy if known else None, "miou": None if name != "*" else 0.4, "share": 1.0}
        for rule, accuracy in (("shares + regions", 0.7), ("argmax", 0.5))
        for name in ("*", *CLASSES)
    ]  # fmt: skip


def guard(round_: int) -> dict:
    if round_ == 3:
        nothing = dict.fromkeys(("miou", "correlation", "entropy"))
        return {"verdict": "skipped", **nothing, "best": 0.5}
    fused = (0.4, 0.5, 0.3)[round_]
    miou = {"fused": fused, "optical": fused - 0.1, "sar": None}
    verdict = "lost" if round_ == 2 else "kept"
    return {"verdict": verdict, "miou": miou, "best": 0.5, "correlation": 0.71, "entropy": 0.35}


def train(stage: str, out: Path, round_: int, seed: int) -> None:
    """Writes 400 rows and what the guard says; round 2 is lost, round 3 skipped. With WATCH set, in the work cache first, slowly and watched."""
    (out / "guard.json").write_text(json.dumps(guard(round_)))
    if round_ == 3:
        (out / "history.csv").write_text("round,step,loss\n")
        return
    rows = [(round_, s, 1 / (s + seed + 1), 0.5, "", 1e-3) for s in range(0, 4000, 10)]
    work = out
    if os.environ.get("WATCH") == stage:
        from dllr import tracking

        work = Path(".dllr") / stage
        work.mkdir(parents=True, exist_ok=True)
        tracking.watch(stage, work / "history.csv")
    with (work / "history.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["round", "step", "loss", "supervised", "unlabelled", "learning_rate"])
        table.writerows(rows[:200])
        file.flush()
        if work != out:
            while not (work / "go").exists():
                time.sleep(0.05)
        table.writerows(rows[200:])
    if work != out:
        (out / "history.csv").write_bytes((work / "history.csv").read_bytes())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
