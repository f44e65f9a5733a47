"""The audit as a whole: survey every scene, then look at each record and at all of them."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import rasterio

from dllr.errors import SceneError
from dllr.ingest.audit import geometry, labels, values, whole
from dllr.ingest.audit.finding import LEVELS, Finding, error, warning
from dllr.ingest.sources import Source, discover
from dllr.ingest.survey import overlap, survey, survey_label
from dllr.params.scenes import Scenes
from dllr.raster.parallel import over_parts, over_scenes

# MB of decoded blocks that GDAL keeps. Each pixel is read once; its default is a share of the memory.
CACHE = 128


class Examined(NamedTuple):
    """sources: the scenes, sorted by name. records: of those whose files could all be read, in the same
    order. findings: errors first, then warnings and notes, each by scene."""

    sources: list[Source]
    records: list[dict[str, Any]]
    findings: list[Finding]


def examine(scenes: Scenes) -> Examined:
    """Read every file of every scene once; what is wrong with one does not hide what is wrong with others.

    Raises:
        SceneError: the scenes cannot even be listed (see `discover`).
    """
    found = discover(scenes)
    with over_parts() as each:
        work = partial(_examine, scenes=scenes, each=each)
        pairs = over_scenes(work, found.sources, "scenes")
    records = [record for record, _ in pairs if record is not None]
    findings = [warning("files", text) for text in found.warnings]
    for source, (_, remarks) in zip(found.sources, pairs, strict=True):
        findings += [finding._replace(scene=source.name) for finding in remarks]
    findings += [*whole.labelled(found.sources, scenes), *whole.splits(found.sources, scenes)]
    if len(records) == len(found.sources):  # of a part, "no scene has it" would be hasty
        findings += [*whole.known(records), *whole.seen(records), *whole.classes(records, scenes)]
    if records:
        findings += [*whole.alike(records), *whole.duplicates(records)]
    findings.sort(key=lambda finding: LEVELS.index(finding.level))
    return Examined(found.sources, records, findings)


def _examine(
    source: Source, *, scenes: Scenes, each: Callable[..., Iterable[Any]]
) -> tuple[dict[str, Any] | None, list[Finding]]:
    """The scene's record, None where a file cannot be read; and what was found."""
    surveys: list[tuple[Any, ...]] = [
        (survey, source.optical, "scenes.optical"),
        (survey, source.sar, "scenes.sar"),
    ]
    if source.label:
        surveys.append((survey_label, source.label, scenes.label.band))
    read = list(each(_read, *zip(*surveys, strict=True)))
    findings = [trouble for _, trouble in read if trouble]
    optical, sar, label = (*(found for found, _ in read), None)[:3]
    for kind, image in (("optical", optical), ("sar", sar)):
        findings += image_findings(kind, image, scenes) if image else []
    if label:
        findings += labels.codes(label, scenes.label)
    if optical is None or sar is None or (source.label and label is None):
        return None, findings
    record = {
        "scene": source.name,
        "split": source.split,
        "group": source.group,
        "optical": optical,
        "sar": sar,
        "label": label,
        "classes": labels.histogram(label["codes"], scenes.label) if label else {},
        "sar_overlap": _overlap(optical, sar),
        "label_overlap": _overlap(optical, label) if label else None,
        "ratio": round(sar["pixel_size"] / optical["pixel_size"], 3),
        "offset": geometry.offset(optical, sar),
    }
    for check in (geometry.positions, geometry.resolution, geometry.label_grid, labels.known):
        findings += check(record)
    return record, findings


def _read(
    work: Callable[..., dict[str, Any]], *arguments: Any
) -> tuple[dict[str, Any] | None, Finding | None]:
    """What a survey finds out about a file, or why it cannot be read."""
    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE):
            return work(*arguments), None
    except SceneError as trouble:
        return None, error("file", str(trouble))


def image_findings(kind: str, image: dict[str, Any], scenes: Scenes) -> Iterator[Finding]:
    """All checks of one image; kind: optical or sar."""
    settings = scenes.optical if kind == "optical" else scenes.sar
    names = list(settings.bands)
    yield from values.missing(kind, image)
    yield from values.empty_bands(kind, image, names)
    yield from values.fills(kind, image)
    yield from values.declared(kind, image, settings.nodata)
    yield from values.saturated(image, names)
    if kind == "optical":
        optical = scenes.optical
        yield from values.reflectance(image, optical)
        yield from values.scaling(
            image, optical.scale, optical.offset, "set scenes.optical to these"
        )
    else:
        yield from values.sar_unit(image, scenes.sar)
        remedy = "apply them first, for example with `gdal_translate -unscale`"
        yield from values.scaling(image, 1.0, 0.0, remedy)


def _overlap(optical: dict[str, Any], other: dict[str, Any]) -> float:
    share = overlap(Path(optical["path"]), Path(other["path"]))
    return round(share, 4) or share  # a sliver is not nothing
