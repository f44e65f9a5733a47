"""The numbers of a small run: what its stages wrote of scenes, split, rounds and evaluation."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax
from small_scenes import NAMES

from dllr.evaluation.bootstrap import tally
from dllr.evaluation.reliability import Reliability, reliability
from dllr.stages import rating
from dllr.stages.scoring import Matrices

HEADS = {"fused": 0.0, "optical": 0.06, "sar": 0.14}  # and how many more pixels each gets wrong


def guarded(numbers: Sequence[str], lost: int | None, validated: bool) -> dict[str, dict[str, Any]]:
    """What the guard wrote of each round, in the terms of `make`."""
    guard: dict[str, dict[str, Any]] = {}
    best = None
    for number in map(int, numbers):
        if lost is not None and number > lost:
            nothing = dict.fromkeys(("miou", "correlation", "entropy"))
            guard[str(number)] = {"verdict": "skipped", **nothing, "best": best}
            continue
        fused = 0.41 if number == lost else 0.53 + 0.03 * number
        miou = {head: fused - worse if validated else None for head, worse in HEADS.items()}
        if validated and number != lost:
            best = fused
        guard[str(number)] = {
            "verdict": "lost" if number == lost else "kept",
            "miou": miou,
            "best": best,
            "correlation": 0.71 + 0.08 * number if validated else None,
            "entropy": 0.35 - 0.04 * number if validated else None,
        }
    return guard


def write_tables(
    folder: Path,
    splits: Mapping[str, str],
    unlabelled: Sequence[str],
    size: int,
    warnings: Sequence[str] | None,
    audit: Sequence[tuple[str, str, str, str]] | None,
) -> None:
    index = pd.DataFrame(
        {
            "scene": scene,
            "optical": f"/somewhere/{scene}/optical.tif",
            "sar": f"/somewhere/{scene}/sar.tif",
            "label": "" if scene in unlabelled else f"/somewhere/{scene}/label.tif",
            "width": size,
            "height": size,
            "crs": "EPSG:32650",
            "optical_nodata": 0.0333,
            "sar_nodata": 0.0333,
            "sar_overlap": 0.9 + 0.01 * place,
        }
        for place, scene in enumerate(splits)
    )
    (folder / "scenes").mkdir(parents=True)
    index.to_csv(folder / "scenes" / "index.csv", index=False)
    if audit is not None:
        found = pd.DataFrame(audit, columns=["level", "scene", "check", "message"])
        found.to_csv(folder / "scenes" / "audit.csv", index=False)
    pixels = {name: 12_345 // (place + 1) for place, name in enumerate(NAMES)}
    summary: dict[str, Any] = {
        "by": "scene",
        "scenes": dict(splits),
        "windows": {"test": 40, "train": 120, "validation": 40},
        "labelled_tiles": {"calibration": 4, "no": 184, "train": 12},
        "labelled_pixels": pixels,
        "pixels_by_class": dict.fromkeys(("train", "validation", "test"), pixels),
        "absent_classes": {"train": ["road"], "validation": [], "test": []},
        "min_distance_px": 16.0 if "test+train" in splits.values() else None,
    }
    if warnings is not None:
        summary["warnings"] = list(warnings)
    _json(folder / "split" / "summary.json", summary)
    (folder / "model").mkdir()
    (folder / "model" / "README.md").write_text(
        "# A model\n\n| input | <image> |\n", encoding="utf-8"
    )


def write_rounds(folder: Path, guard: Mapping[str, Mapping[str, Any]]) -> None:
    for number, read in guard.items():
        _json(folder / number / "guard.json", read)
        if number != "0":
            skipped = read["verdict"] == "skipped"
            _json(folder / number / "labels.json", {"skipped": True} if skipped else _transport())


def write_evaluation(
    folder: Path,
    counted: dict[str, Matrices],
    guard: Mapping[str, Mapping[str, Any]],
    lost_images: dict[str, np.ndarray],
    sets: Mapping[str, bool],
) -> None:
    numbers = list(guard)
    ran = [number for number in numbers if guard[number]["verdict"] != "skipped"]
    selected = [number for number in numbers if guard[number]["verdict"] == "kept"][-1]
    found = {r: {h: rating.rated(counted[r], h, NAMES) for h in HEADS} for r in numbers}
    bins = {word: _reliability(sharpness) for word, sharpness in (("before", 3.0), ("after", 1.0))}
    used, test = counted[selected], rating.whole(counted[selected], "fused", "test")
    rng = np.random.default_rng(0)
    blocks = {
        head: tally(
            rng.multinomial(9, np.full(20, 0.05), size=test.shape).transpose(2, 0, 1) * test
        )
        for head in HEADS
    }
    intervals = rating.intervals_of(used, blocks, NAMES)
    metrics = {
        "classes": NAMES,
        "selected_round": int(selected),
        "rounds": found,
        "seen": rating.by_sight(used, NAMES),
        "calibration": {
            "fused": {word: {"ece": b.ece, "brier": b.brier} for word, b in bins.items()}
        },
        "intervals": intervals,
    }
    _json(folder / "scores.json", metrics)
    measured = {n: guard[n if n in ran else selected]["miou"]["fused"] for n in numbers}
    validation = {n: miou and miou + 0.02 for n, miou in measured.items()}
    selection = {"selected_round": int(selected), "validation_miou": validation, "temperature": 1.4}
    _json(folder / "selection.json", selection)
    tables = {
        "certificate": rating.conditions(lost_images, NAMES),
        "classes": rating.classes(found[selected]["fused"], test, intervals["fused"]),
        "confusion": rating.pairs(test, NAMES),
        "confusion_by_scene": rating.long({n: counted[n] for n in ran}, NAMES),
        "reliability": rating.bins(**bins),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    steps = np.arange(10, 210, 10)
    history = [
        {
            "round": int(number),
            "step": step,
            "loss": 2 * np.exp(-step / 70) + 0.3,
            "supervised": 1.4 * np.exp(-step / 60) + (0.2 if int(number) else 0.3),
            "unlabelled": 0.6 * np.exp(-step / 90) + 0.1 if int(number) else 0.0,
            "learning_rate": 0.002,
            **dict.fromkeys(("gate", "apart", "flipped", "used")),
            **(_readings(step) if int(number) else {}),
        }
        for number in ran
        for step in steps
    ]
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    shares = _transport()
    marginals = [
        {"round": r, "class": n, **{k: shares[k][n] for k in ("target", "before", "after")}}
        for r in ran[1:]
        for n in NAMES
    ]
    header = ["round", "class", "target", "before", "after"]
    pd.DataFrame(marginals, columns=header).to_csv(folder / "marginals.csv", index=False)
    columns = ["round", "set", "rule", "class", "pixels", "coverage", "accuracy", "miou", "share"]
    rows = [row for number in ran[1:] for row in ledger(int(number), sets)]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "ledger.csv", index=False)


def _reliability(sharpness: float) -> Reliability:
    """Of labels drawn from probabilities that are then sharpened."""
    rng = np.random.default_rng(4)
    logits = 1.5 * rng.normal(size=(5000, len(NAMES)))
    gumbel = rng.gumbel(size=logits.shape)
    return reliability(softmax(sharpness * logits, axis=1), (logits + gumbel).argmax(axis=1))


RULES = {
    "argmax": 0.441, "threshold": 0.474, "alignment": 0.462, "thresholds by class": 0.521,
    "Sinkhorn by batch": 0.508, "shares": 0.566, "shares + regions": 0.573, "reassigned": 0.573,
}  # fmt: skip
NOTHING = {"pixels": 0, "coverage": None, "accuracy": None, "miou": None}


def ledger(number: int, sets: Mapping[str, bool]) -> list[dict[str, Any]]:
    """Rows of a round for these sets, and whether a set has pixels; of the last class it never has."""
    rows = []
    for name, known in sets.items():
        for rule, right in RULES.items():
            facts = {"round": number, "set": name, "rule": rule}
            accuracy = right - 0.02 * (name == "oracle") + 0.03 * number
            whole = {"pixels": 900, "coverage": 0.8, "accuracy": accuracy, "miou": accuracy - 0.1}
            rows.append({**facts, "class": "*", **(whole if known else NOTHING), "share": 1.0})
            shares = _transport()["before" if rule == "argmax" else "after"]
            for place, (label, share) in enumerate(shares.items()):
                there = {
                    "pixels": 270 - 40 * place,
                    "coverage": 0.95 - 0.05 * place,
                    "accuracy": accuracy + 0.3 - 0.1 * place,
                }
                each = there if known and label != NAMES[-1] else NOTHING
                rows.append({**facts, "class": label, **each, "miou": None, "share": share * known})
    return rows


def _readings(step: int) -> dict[str, float | None]:
    """Those of a method with written labels and an exchange; one step has no pixel that both see."""
    return {
        "gate": 0.5 - 0.3 * (1 - np.exp(-step / 80)),
        "apart": None if step == 50 else 0.12 + 0.1 * np.exp(-step / 50),
        "flipped": 0.002 * step,
    }


def _transport() -> dict[str, Any]:
    target = np.array([30, 12, 8, 16, 25, 4, 5]) / 100
    before = np.array([41, 9, 5, 15, 27, 1, 2]) / 100
    return {
        "classes": NAMES,
        "temperature": {"fused": 1.31, "optical": 1.12, "sar": 0.94},
        "target": dict(zip(NAMES, target.tolist(), strict=True)),
        "before": dict(zip(NAMES, before.tolist(), strict=True)),
        "after": dict(zip(NAMES, ((target + before) / 2).tolist(), strict=True)),
        "potentials": dict(zip(NAMES, (-0.42, 0.1, 0.61, 0.1, -0.2, 1.84, None), strict=True)),
        "unlabelled_potential": -0.51,
        "sensitivity": {
            name: {"halved": 0.01 + 0.02 * place, "doubled": 0.02 + 0.05 * place}
            for place, name in enumerate(NAMES[:-1])
        },
        "residual": 4.2e-7,
        "passes": 31,
        "converged": True,
        "coverage": 0.8,
        "flipped": 0.12,
        "levels": {"shares": {"kept": True}, "regions": {"kept": False}},
        "pixels": 1_234_567,
    }


def _json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
