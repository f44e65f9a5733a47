"""A small tree of results, in the formats the stages write, to build the page from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import rasterio
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter
from scipy.special import softmax

from dllr.costs import Cost
from dllr.evaluation.bootstrap import tally
from dllr.evaluation.confusion import confusion
from dllr.evaluation.parts import boundary, confusion_by_part
from dllr.evaluation.reliability import Reliability, reliability
from dllr.params.base import Section
from dllr.params.report import Report
from dllr.params.scenes import Label, LandClass, Optical, Sar, Scenes
from dllr.raster.roles import Role
from dllr.stages import rating, report
from dllr.stages.certifying import CONDITIONS
from dllr.stages.scoring import SEEN, Matrices

CLASSES = {
    "farmland": "#E3C56B",
    "city": "#B2182B",
    "village": "#EF8A62",
    "water": "#2166AC",
    "forest": "#1B7837",
    "road": "#4D4D4D",
    "others": "#C2A5CF",
}
NAMES = list(CLASSES)
NO_COSTS: Mapping[str, Cost] = MappingProxyType({})
HEADS = {"fused": 0.0, "optical": 0.06, "sar": 0.14}  # and how many more pixels each gets wrong


class Training(Section):
    """Stands for the sections that the page only lists."""

    seed: int
    steps: int
    learning_rate: float


@dataclass(frozen=True)
class SmallRun:
    """Where the results lie, and what the stage is to be told beside them."""

    folder: Path
    rounds: Mapping[str, int]
    scenes: Scenes
    simulated: bool

    def build(
        self,
        out: Path,
        pictures: int = 4,
        picture_size: int = 160,
        costs: Mapping[str, Cost] = NO_COSTS,
    ) -> str:
        """The page that the stage writes to `out`."""
        train = Training(seed=3, steps=200, learning_rate=0.002)
        report.run(
            records=self.folder / "scenes",
            coregistered=self.folder / "coregistered",
            labels=self.folder / "labels",
            split=self.folder / "split",
            trained=self.folder / "rounds",
            evaluation=self.folder / "evaluation",
            maps=self.folder / "maps",
            exported=self.folder / "model",
            out=out,
            demo={"country": object()} if self.simulated else {},
            scenes=self.scenes,
            model=train,
            train=train,
            warmup=train,
            rounds=self.rounds,
            pseudo_label=train,
            train_round=train,
            report=Report(pictures=pictures, picture_size=picture_size),
            costs=costs,
        )
        return (out / "index.html").read_text(encoding="utf-8")


def make(
    folder: Path,
    *,
    rounds: int = 2,
    splits: Mapping[str, str],
    unlabelled: Sequence[str] = (),
    bands: Sequence[str] = ("blue", "green", "red", "nir"),
    root: str = "data/demo",
    simulated: bool = True,
    size: int = 192,
    absent: str | None = "others",
    audit: Sequence[tuple[str, str, str, str]] | None = (),
    warnings: Sequence[str] | None = None,
    lost: int | None = None,
    validated: bool = True,
    sets: Mapping[str, bool] = MappingProxyType({"calibration": True, "oracle": True}),
) -> SmallRun:
    """Write results of round 0..`rounds` for the scenes of `splits`: {name: split}.

    audit: rows of level, scene, check and message; None where no audit was made.
    warnings: of the split; None where the split says nothing of them.
    lost: the round that the guard lost; those after it were skipped, and the one before it selected.
    validated: there are labels on validation.
    sets: those of the ledger, and whether any pixel of them is known.
    """
    rng = np.random.default_rng(5)
    numbers = [str(number) for number in range(rounds + 1)]
    guard = _guard(numbers, lost, validated)
    ran = [number for number in numbers if guard[number]["verdict"] != "skipped"]
    last = [number for number in numbers if guard[number]["verdict"] == "kept"][-1]
    shape = len(SEEN), 2, len(NAMES), len(NAMES)
    counted: dict[str, Matrices] = {number: {} for number in ran}
    lost_images = {name: np.zeros((len(NAMES),) * 2, np.int64) for name in CONDITIONS}
    for place, (scene, split) in enumerate(splits.items()):
        actual = _cover(rng, size, NAMES.index(absent) if absent else None)
        _write_images(folder / "coregistered" / scene, rng, actual, bands, place)
        labelled = scene not in unlabelled
        if labelled:
            _raster(folder / "labels" / f"{scene}.tif", actual[None], nodata=255)
        roles = _roles(split, size, labelled)
        _raster(folder / "split" / "roles" / f"{scene}.tif", roles[None], nodata=255, place=place)
        for number in ran:
            for head, worse in HEADS.items():
                wrong = 0.30 + worse - 0.06 * int(number) + 0.03 * place
                wrong += 0.2 if int(number) == lost else 0.0
                predicted = _mistaken(rng, actual, wrong)
                if "test" in split:
                    part = 2 * (np.arange(size) < size // 4) + boundary(actual)  # left: no optical
                    known = np.where(labelled, actual, 255)
                    counts = confusion_by_part(
                        known, predicted, part, 2 * len(SEEN), len(NAMES)
                    ).reshape(shape)
                    counted[number][head, "test", scene] = counts
        if labelled and "test" in split:
            for name, condition in CONDITIONS.items():
                wrong = 0.2 + 0.3 * (1 - condition.optical) + 0.1 * (1 - condition.sar)
                mistaken = _mistaken(
                    np.random.default_rng(place), actual, wrong + 0.02 * condition.shift
                )
                lost_images[name] += confusion(actual, mistaken, len(NAMES))
        sure = 100 * (1 - gaussian_filter((predicted != actual).astype(float), 3))
        sure = np.where(actual == 255, 255, sure).astype(np.uint8)
        _raster(folder / "maps" / scene / "class.tif", predicted[None], nodata=255)
        _raster(folder / "maps" / scene / "confidence.tif", sure[None], nodata=255)
    counted |= {number: counted[last] for number in numbers if number not in ran}
    _write_tables(folder, splits, unlabelled, size, warnings)
    if audit is not None:
        found = pd.DataFrame(audit, columns=["level", "scene", "check", "message"])
        found.to_csv(folder / "scenes" / "audit.csv", index=False)
    _write_evaluation(folder / "evaluation", counted, guard, lost_images, sets)
    for number in numbers:
        _json(folder / "rounds" / number / "guard.json", guard[number])
    for number in numbers[1:]:
        summary = _transport() if number in ran else {"skipped": True}
        _json(folder / "rounds" / number / "labels.json", summary)
    land = {name: LandClass(codes=[i + 1], colour=c) for i, (name, c) in enumerate(CLASSES.items())}
    settings = Scenes(
        root=root,
        list="params/lists/everything.csv",
        incomplete="refuse",
        optical=Optical(
            pattern="{scene}/optical.tif",
            bands={name: i + 1 for i, name in enumerate(bands)},
            scale=1e-4,
            offset=0.0,
            nodata=None,
            mask=None,
        ),
        sar=Sar(pattern="{scene}/sar.tif", bands={"VV": 1}, unit="db", nodata=None, mask=None),
        label=Label(pattern="{scene}/label.tif", band=1, classes=land, ignore=[0]),
    )
    chain = {number: int(number) - 1 for number in numbers[1:]}
    return SmallRun(folder, chain, settings, simulated)


def _guard(numbers: Sequence[str], lost: int | None, validated: bool) -> dict[str, dict[str, Any]]:
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


def _cover(rng: np.random.Generator, size: int, absent: int | None) -> np.ndarray:
    """Patches of classes, 255 in a corner."""
    fields = [gaussian_filter(rng.normal(size=(size, size)), 9) for _ in NAMES]
    if absent is not None:
        fields[absent][:] = -9
    index = np.argmax(fields, axis=0).astype(np.uint8)
    index[: size // 6, : size // 5] = 255
    return index


def _roles(split: str, size: int, labelled: bool) -> np.ndarray:
    """Roles of a scene: its left half tests and its right half trains, where it does both."""
    number = {"train": Role.UNLABELLED, "validation": Role.VALIDATION}.get(split, Role.TEST)
    roles = np.full((size, size), number, np.uint8)
    if "train" in split:
        half = size // 2 if split == "test+train" else 0
        roles[:, half:] = Role.UNLABELLED
        roles[:, max(half - 8, 0) : half + 8 * (half > 0)] = Role.NONE
        if labelled:
            roles[size // 4 : size // 3, -size // 6 :] = Role.LABELLED
            roles[size // 2 : size // 2 + size // 12, -size // 6 :] = Role.CALIBRATION
    return roles


def _mistaken(rng: np.random.Generator, actual: np.ndarray, share: float) -> np.ndarray:
    """The truth, with patches of another class over about that share of it."""
    noise = gaussian_filter(rng.normal(size=actual.shape), 3)
    other = np.roll(actual, 25, axis=1)
    wrong = (noise > np.quantile(noise, 1 - share)) & (other != 255)
    return np.where((actual != 255) & wrong, other, actual).astype(np.uint8)


def registration(shift: float, applied: bool) -> dict[str, Any]:
    """A scene's entry in its record, as `coregister` writes it."""
    matrix = [[1.0, 0.0, shift], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    facts = {"matrix": matrix, "shift_px": shift, "rotation_degrees": 0.0, "scale": 0.0}
    size = {"estimators": ["information", "gradients"], "size": [256, 256]}
    if not applied:
        reason = "information: 4 of 64 blocks of 128 px are known in both images; 6 are needed"
        nothing = dict.fromkeys(facts)
        return {
            **size,
            **nothing,
            "verdict": "unverified",
            "reason": reason,
            "apart_px": None,
            "estimates": {},
        }
    ties = [[64.0, 64.0, 64.0 + shift, 64.5], [192.0, 128.0, 191.5 + shift, 128.0]]
    each = {**facts, "precision_px": 0.5, "coverage": 0.9, "evidence": 11.2, "ties": ties}
    return {
        **size, **facts, "verdict": "applied", "reason": "information and gradients agree to 0.41 px",
        "apart_px": 0.41, "estimates": {"information": each, "gradients": {**each, "precision_px": 0.75}},
    }  # fmt: skip


def _write_images(
    folder: Path, rng: np.random.Generator, cover: np.ndarray, bands: Sequence[str], place: int
) -> None:
    tone = rng.uniform(400, 3000, size=(256, len(bands)))
    grain = rng.normal(scale=90, size=(len(bands), *cover.shape))
    optical = np.clip(np.moveaxis(tone[cover], -1, 0) + grain, 1, None).astype(np.uint16)
    optical[:, cover == 255] = 0
    _raster(folder / "optical.tif", optical, nodata=0, names=bands)
    power = rng.gamma(4, 1 / 4, size=cover.shape) * rng.uniform(0.02, 0.4, size=256)[cover]
    sar = np.where(cover == 255, np.nan, 10 * np.log10(power)).astype(np.float32)
    _raster(folder / "sar.tif", sar[None], nodata=float("nan"), names=["VV"])
    facts = registration(1.37 + place, applied=place % 3 != 2)
    if place % 3 == 0:
        grey = rng.integers(1, 256, (1, 64, 64)).astype(np.uint8)
        colour = rng.integers(1, 256, (1, 64, 64, 3)).astype(np.uint8)
        np.savez(
            folder / "evidence.npz",
            places=[[8, 16]],
            optical=colour,
            before=grey,
            after=grey[:, ::-1],
        )
    _json(folder / "record.json", {"scene": folder.name, "registration": facts})


def _write_tables(
    folder: Path,
    splits: Mapping[str, str],
    unlabelled: Sequence[str],
    size: int,
    warnings: Sequence[str] | None,
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


def _write_evaluation(
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
        "calibration": {word: {"ece": b.ece, "brier": b.brier} for word, b in bins.items()},
        "intervals": intervals,
    }
    _json(folder / "metrics.json", metrics)
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


def _raster(
    path: Path,
    values: np.ndarray,
    nodata: float | None = None,
    names: Sequence[str] = (),
    place: int = 0,
) -> None:
    """A raster of 5 m pixels; `place` counts the scenes from west to east."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff",
        "count": len(values),
        "height": values.shape[1],
        "width": values.shape[2],
        "dtype": values.dtype,
        "crs": "EPSG:32650",
        "transform": from_origin(500_000 + 6 * place * values.shape[2], 3_400_000, 5, 5),
        "nodata": nodata,
    }
    with rasterio.open(path, "w", **profile) as target:
        target.write(values)
        for band, name in enumerate(names, 1):
            target.set_band_description(band, name)


def _json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
