"""What is known of a scene's ground. Takes the records of `survey` and the settings."""

from collections.abc import Iterator, Mapping
from typing import Any

from dllr.ingest.audit.finding import Finding, error, warning
from dllr.params.scenes import Label

FEW = 0.001  # share of label pixels with a known class below which a scene hardly teaches


def histogram(codes: Mapping[str, int], settings: Label) -> dict[str, int]:
    """Pixels of each class, from the pixels of each code; other codes are left out."""
    counts = dict.fromkeys(settings.names, 0)
    for code, index in settings.codes.items():
        counts[settings.names[index]] += codes.get(str(code), 0)
    return counts


def known_share(record: Mapping[str, Any]) -> float | None:
    """Share of the label's pixels that have a known class; None without a label."""
    if record["label"] is None:
        return None
    pixels = record["label"]["width"] * record["label"]["height"]
    return float(sum(record["classes"].values()) / pixels)


def codes(label: Mapping[str, Any], settings: Label) -> Iterator[Finding]:
    """Are all codes in the map?"""
    meant = {*settings.codes, *settings.ignore}
    found = {int(code): count for code, count in label["codes"].items()}
    unknown = [f"{code} ({count} px)" for code, count in found.items() if code not in meant]
    if unknown:
        more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
        yield error(
            "label codes",
            f"{label['path']} holds label code(s) outside the map: {', '.join(unknown[:10])}{more}; known "
            f"are {sorted([*settings.codes, *settings.ignore])}: add them to scenes.label.classes or to "
            "scenes.label.ignore",
        )


def known(record: Mapping[str, Any]) -> Iterator[Finding]:
    """Does the label say anything?"""
    share = known_share(record)
    if share is None or share >= FEW:
        return
    what = (
        f"a known class in {share:.2%} of its pixels only" if share else "no pixel of a known class"
    )
    yield warning(
        "label share",
        f"{record['label']['path']} has {what}; check scenes.label.classes and scenes.label.ignore, or "
        "take the label away so that the scene counts as unlabelled",
    )
