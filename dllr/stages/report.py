"""Stage `report`: one page that shows what was run, how good it is and how far that holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dllr.costs import Cost
from dllr.evaluation.confusion import scores
from dllr.files import atomic_dir, read_json
from dllr.params.base import Section
from dllr.params.report import Report
from dllr.params.scenes import Scenes
from dllr.raster.products import (
    AUDIT,
    CARD,
    CERTIFICATE,
    CLASS_SCORES,
    CONFUSION,
    CONFUSION_BY_SCENE,
    EVIDENCE,
    GUARD,
    HISTORY,
    INDEX,
    LABELS_SUMMARY,
    MARGINALS,
    RELIABILITY,
    ROLES,
    RULES,
    SCORES,
    SELECTION,
    SUMMARY,
)
from dllr.raster.roles import Role
from dllr.report import (
    calibration,
    certificate,
    charts,
    panels,
    rasters,
    registration,
    splitmap,
    tables,
)
from dllr.report.page import Page, Panel, Picture, render


@dataclass(frozen=True)
class _Files:
    """The rasters of one scene; the label may be missing."""

    optical: Path
    sar: Path
    label: Path
    roles: Path
    predicted: Path
    confidence: Path


def run(
    *,
    records: Path,
    coregistered: Path,
    labels: Path,
    split: Path,
    trained: Path,
    evaluation: Path,
    maps: Path,
    exported: Path,
    out: Path,
    demo: Mapping[str, object],
    scenes: Scenes,
    model: Section,
    train: Section,
    warmup: Section,
    rounds: Mapping[str, int],
    pseudo_label: Section,
    train_round: Section,
    report: Report,
    costs: Mapping[str, Cost],
) -> None:
    """Write `out`/index.html, one self-contained page: the same bytes for the same results and `costs`,
    what the stages took where they ran."""
    index = pd.read_csv(records / INDEX, dtype=str, keep_default_na=False)
    metrics = read_json(evaluation / SCORES)
    selection = read_json(evaluation / SELECTION)
    guard = {number: read_json(trained / number / GUARD) for number in metrics["rounds"]}
    skipped = tables.skipped(guard)
    summary = read_json(split / SUMMARY)
    by_scene = _named(evaluation / CONFUSION_BY_SCENE)
    confusion = _named(evaluation / CONFUSION)
    marginals = _named(evaluation / MARGINALS)
    ledger = _named(evaluation / RULES)
    conditions = _named(evaluation / CERTIFICATE)
    history = pd.read_csv(evaluation / HISTORY)
    transport = [
        {"round": number, **read_json(trained / number / LABELS_SUMMARY)}
        for number in _without(skipped, rounds)
    ]

    names: list[str] = metrics["classes"]
    selected = int(metrics["selected_round"])
    fused = metrics["rounds"][str(selected)]
    colours = {name: scenes.label.classes[name].colour for name in names}
    root = Path(scenes.root)
    evidence = {
        name: read_json(coregistered / name / "record.json")["registration"]
        for name in index["scene"]
    }
    shown = [
        _registration(coregistered / name, evidence[name])
        for name in registration.weakest(evidence)
    ]
    rows = tables.scene_rows(index, summary["scenes"], evidence)
    corners = rasters.footprints(split / ROLES / f"{row['scene']}.tif" for row in rows)
    placed = [
        splitmap.Scene(row["scene"], row["splits"], row["labelled"], corners[place])
        for place, row in enumerate(rows)
    ]
    matrix = _matrix(confusion, names)
    ranked = _ranked(by_scene, names, selected, summary["scenes"])
    sections = {"model": model, "train": train, "warmup": warmup}
    if rounds:
        sections |= {"pseudo_label": pseudo_label, "train_round": train_round}

    page = Page(
        source=root.name if root.is_absolute() else str(root),
        simulated=bool(demo),
        classes=colours,
        selected=selected,
        headline=tables.headline(metrics["rounds"], selected, metrics["intervals"]),
        facts=[title for column, title in tables.FACTS.items() if column in index],
        scenes=rows,
        evidence=registration.evidence(evidence, shown),
        audit=_audit(records / AUDIT),
        audit_file=AUDIT,
        warnings=summary.get("warnings", []),
        ground=splitmap.overview(placed),
        roles=[
            _roles(scene, split / ROLES / f"{scene}.tif", report.picture_size)
            for scene in splitmap.shown(placed, report.pictures)
        ],
        role_colours=dict(splitmap.ROLES.values()),
        windows=summary["windows"],
        labelled_tiles=summary["labelled_tiles"],
        pixels=summary["pixels_by_class"],
        min_distance=summary["min_distance_px"],
        params={name: section.model_dump() for name, section in sections.items()},
        scores=tables.score_rows(metrics["rounds"], selection["validation_miou"], guard, selected),
        score_charts=charts.of_scores(
            _without(skipped, metrics["rounds"]),
            _without(skipped, selection["validation_miou"]),
            selected,
            metrics["intervals"],
        ),
        drawn=tables.drawn(metrics["intervals"]),
        by_class=tables.class_rows(_named(evaluation / CLASS_SCORES)),
        masked=scenes.optical.mask is not None,
        seen=metrics["seen"],
        guard=tables.guard_rows(guard),
        guard_said=tables.guard_said(guard),
        skipped=skipped,
        confusion=tables.confusion_rows(matrix, names),
        calibration=metrics["calibration"]["fused"],
        temperature=selection["temperature"],
        calibration_charts=calibration.charts(
            _named(evaluation / RELIABILITY), metrics["calibration"]["fused"]
        ),
        certificate=certificate.rows(conditions, names),
        certificate_charts=certificate.charts(conditions),
        training_charts=charts.of_training(history),
        readings={n: words for n, words in tables.READINGS.items() if history[n].notna().any()},
        reading_charts=charts.of_readings(history),
        transport=transport,
        transport_charts=charts.of_marginals(marginals),
        prior=tables.prior_rows(transport),
        ledger=tables.ledger_rows(ledger),
        rule_charts=charts.of_rules(ledger),
        label_charts=charts.of_labels(ledger),
        pictures=[
            _picture(
                scene,
                word,
                ranked[scene],
                _Files(
                    optical=coregistered / scene / "optical.tif",
                    sar=coregistered / scene / "sar.tif",
                    label=labels / f"{scene}.tif",
                    roles=split / ROLES / f"{scene}.tif",
                    predicted=maps / scene / "class.tif",
                    confidence=maps / scene / "confidence.tif",
                ),
                list(colours.values()),
                report.picture_size,
            )
            for scene, word in tables.spread(_shown(ranked), report.pictures).items()
        ],
        gradient=panels.gradient(),
        right=panels.RIGHT,
        wrong=panels.WRONG,
        version=version("dllr"),
        machines=[
            *sorted({cost.machine for cost in costs.values()} - {""}),
            *sorted({cost.gpu for cost in costs.values()} - {""}),
        ],
        costs=tables.cost_rows(costs),
        model_card=(exported / CARD).read_text(encoding="utf-8"),
        limits=tables.limits(
            test_scenes=sum(miou is not None for miou in ranked.values()),
            test_pixels=int(matrix.sum()),
            absent=[name for name, iou in fused["fused"]["iou"].items() if iou is None],
            unseen=summary["absent_classes"]["train"],
            unverified=[row["scene"] for row in rows if row["verdict"] == "unverified"],
            simulated=bool(demo),
        ),
    )
    with atomic_dir(out) as folder:
        (folder / "index.html").write_text(render(page), encoding="utf-8")


def _registration(scene: Path, record: Mapping[str, Any]) -> registration.Scene:
    path = scene / EVIDENCE
    if not path.exists():
        return registration.scene(scene.name, record, {})
    with np.load(path) as arrays:
        return registration.scene(scene.name, record, dict(arrays))


def _without(skipped: Sequence[int], by_round: Mapping[str, Any]) -> dict[str, Any]:
    return {number: value for number, value in by_round.items() if int(number) not in skipped}


def _named(path: Path) -> pd.DataFrame:
    """A table whose names stay names, also where they read like numbers or like missing values."""
    names = (
        "scene", "actual", "predicted", "class", "head", "split", "seen", "set", "rule", "condition",
    )  # fmt: skip
    table = pd.read_csv(path, dtype=dict.fromkeys(names, str), keep_default_na=False)
    for column in table.columns.difference(list(names)):
        table[column] = pd.to_numeric(table[column], errors="coerce")
    return table


def _audit(path: Path) -> dict[str, dict[str, Any]] | None:
    if not path.exists():
        return None
    return tables.audit(pd.read_csv(path, dtype=str, keep_default_na=False))


def _matrix(counts: pd.DataFrame, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """(K, K) from rows actual, predicted, count."""
    matrix = np.zeros((len(names), len(names)), np.int64)
    places = {name: place for place, name in enumerate(names)}
    rows, columns = counts["actual"].map(places), counts["predicted"].map(places)
    np.add.at(matrix, (rows.to_numpy(), columns.to_numpy()), counts["count"].to_numpy())
    return matrix


def _ranked(
    by_scene: pd.DataFrame, names: Sequence[str], selected: int, splits: Mapping[str, str]
) -> dict[str, float | None]:
    """Test scenes and their mean IoU in the round in use, best first, those without one last."""
    used = by_scene[
        (by_scene["round"] == selected)
        & (by_scene["head"] == "fused")
        & (by_scene["split"] == "test")
    ]
    found: dict[str, float | None] = {
        name: None for name, parts in splits.items() if "test" in parts.split("+")
    }
    for scene, counts in used.groupby("scene"):
        found[str(scene)] = scores(_matrix(counts, names), names)["miou"]
    return dict(sorted(found.items(), key=lambda item: (item[1] is None, -(item[1] or 0), item[0])))


def _shown(ranked: Mapping[str, float | None]) -> list[str]:
    """Test scenes by their scores; those without one only where none has any."""
    return [scene for scene, miou in ranked.items() if miou is not None] or list(ranked)


def _roles(scene: str, path: Path, size: int) -> Panel:
    index = rasters.index(path, rasters.shape_within(path, size))
    uri = panels.data_uri(splitmap.roles(index), photo=False)
    return Panel(scene, uri, splitmap.roles_in_words(scene, index))


def _picture(
    scene: str, rank: str, miou: float | None, files: _Files, colours: Sequence[str], size: int
) -> Picture:
    shape = rasters.shape_within(files.optical, size)
    optical, names = rasters.bands(files.optical, shape)
    sar, sar_names = rasters.bands(files.sar, shape)
    predicted = rasters.index(files.predicted, shape)
    confidence = rasters.index(files.confidence, shape)
    shown = [
        ("optical", panels.optical(optical, names), True),
        (f"SAR {sar_names[0] or ''}".strip(), panels.sar(sar), True),
        ("label", None, False),
        ("map", panels.classes(predicted, colours), False),
        ("confidence", panels.confidence(confidence), False),
        ("error", None, False),
    ]
    if files.label.exists():
        actual = rasters.index(files.label, shape)
        test = rasters.index(files.roles, shape) == Role.TEST
        shown[2] = ("label", panels.classes(actual, colours), False)
        shown[5] = ("error", panels.errors(actual, predicted, test), False)
    return Picture(
        scene,
        rank,
        miou,
        [
            Panel(
                title,
                None if picture is None else panels.data_uri(picture, photo),
                "no label" if picture is None else f"{scene}, {title}",
                photo,
            )
            for title, picture, photo in shown
        ],
    )
