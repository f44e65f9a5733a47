"""What `dllr audit` prints."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dllr.ingest.audit.examine import Examined
from dllr.ingest.audit.finding import LEVELS, Finding, percent
from dllr.ingest.audit.geometry import same_crs
from dllr.ingest.audit.labels import known_share
from dllr.ingest.sources import Source
from dllr.params.scenes import Label

EACH = 3  # scenes with the same finding that are told one by one; the others are only named
HEAD = (
    "scene", "size px", "CRS", "pixel m", "SAR/opt.", "SAR offset px", "missing o/s", "masked o/s",
    "known", "split", "group",
)  # fmt: skip


def text(examined: Examined, label: Label) -> str:
    """A row a scene; errors, warnings and notes; the classes."""
    known = {record["scene"]: record for record in examined.records}
    rows = [_scene(source, known.get(source.name)) for source in examined.sources]
    parts = [*_table(HEAD, rows)]
    for level in LEVELS:
        found = [finding for finding in examined.findings if finding.level == level]
        parts += ["", f"{len(found)} {level}{'' if len(found) == 1 else 's'}", *_findings(found)]
    return "\n".join([*parts, "", *_classes(examined.records, label)])


def _scene(source: Source, record: Mapping[str, Any] | None) -> tuple[str, ...]:
    listed = source.split, source.group
    if record is None:
        return (source.name, *["?"] * (len(HEAD) - 3), *listed)
    optical, sar = record["optical"], record["sar"]
    offset, known = record["offset"], known_share(record)
    other = "other grid" if same_crs(optical, sar) else "other CRS"
    return (
        source.name,
        f"{optical['width']} × {optical['height']}",
        optical["crs"] if optical["crs"].startswith("EPSG:") else "other",
        f"{optical['pixel_size']:.3g}",
        f"{record['ratio']:.3g}",
        other if offset is None else f"{offset[0]:g}, {offset[1]:g}",
        *(
            f"{percent(optical[share])} / {percent(sar[share])}"
            for share in ("nodata_share", "masked_share")
        ),
        "no label" if known is None else percent(known),
        *listed,
    )


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Each finding; where many scenes have the same one, the first few, and the names of the others."""
    checks: dict[str, list[Finding]] = {}
    for finding in findings:
        checks.setdefault(finding.check, []).append(finding)
    for check, alike in checks.items():
        # A list of scenes cut short is no list of what to mend.
        everything = alike[0].level == "error" or not alike[0].scene
        told = alike if everything else alike[:EACH]
        yield from (f"  {check}: {finding.message}" for finding in told)
        if others := list(dict.fromkeys(finding.scene for finding in alike[len(told) :])):
            yield f"  {check}: likewise in {', '.join(others)}"


def _classes(records: Sequence[Mapping[str, Any]], label: Label) -> list[str]:
    counts = {name: [record["classes"].get(name, 0) for record in records] for name in label.names}
    total = sum(map(sum, counts.values()))
    if not total:
        return ["no pixel has a known class"]
    rows = [
        (name, percent(sum(found) / total), str(sum(count > 0 for count in found)))
        for name, found in counts.items()
    ]
    return _table(("class", "share of known", "scenes"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of aligned columns; columns that are empty in every row are left out."""
    kept = [i for i in range(len(head)) if not rows or any(row[i] for row in rows)]
    table = [[row[i] for i in kept] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
