"""What only the whole set of scenes shows. Takes sources or records, sorted by scene."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dllr.ingest.audit.finding import Finding, error, note, warning
from dllr.ingest.sources import Source
from dllr.params.scenes import Scenes

SPLITS = ("train", "validation", "test")
ALIKE = (
    1.2  # ratio of the largest to the smallest pixel size of a modality that one network may see
)

Record = Mapping[str, Any]


def labelled(sources: Sequence[Source], settings: Scenes) -> Iterator[Finding]:
    """Is there a label file to learn from?"""
    if not any(source.label for source in sources):
        yield error(
            "labels",
            f"none of the {len(sources)} scenes under {settings.root} has a label file "
            f"({settings.label.pattern!r}); at least one is needed to train on",
        )


def known(records: Sequence[Record]) -> Iterator[Finding]:
    """Is there a labelled pixel to learn from?"""
    named = [r for r in records if r["label"]]
    if named and not any(sum(r["classes"].values()) for r in named):
        yield error(
            "labels",
            "every label pixel has an ignored code; mend scenes.label.classes and scenes.label.ignore",
        )


def seen(records: Sequence[Record]) -> Iterator[Finding]:
    """Is there a pixel to learn from?"""
    for kind in ("optical", "sar"):
        if all(r[kind]["nodata_share"] == 1 for r in records):
            yield error(
                "nodata",
                f"no scene has a single valid {kind} pixel; check scenes.{kind}.nodata and its bands",
            )


def classes(records: Sequence[Record], settings: Scenes) -> Iterator[Finding]:
    """Is each class in enough scenes, or groups of scenes?"""
    if not any(sum(r["classes"].values()) for r in records):
        return
    places = {_place(r) for r in records if sum(r["classes"].values())}
    for name in settings.label.names:
        holders = [r for r in records if r["classes"].get(name)]
        if not holders:
            yield warning(
                "class absent",
                f"no scene holds the class {name}: it cannot be learnt; check the codes in "
                "scenes.label.classes, or take it out",
            )
        elif len(places) > 1 and len({_place(r) for r in holders}) == 1:
            where = (
                f"scene {holders[0]['scene']}"
                if len(holders) == 1
                else f"group {holders[0]['group']}"
            )
            yield warning(
                "class in one place",
                f"only {where} holds the class {name}: split by scene, it cannot be in both train and "
                "test; label it elsewhere too, or split by block",
            )


def _place(record: Record) -> tuple[str, str]:
    """What goes to one split as a whole: the group, else the scene."""
    return record["group"], "" if record["group"] else record["scene"]


def splits(sources: Sequence[Source], settings: Scenes) -> Iterator[Finding]:
    """Are the given splits words that mean one?"""
    strange = {s.split: s.name for s in reversed(sources) if s.split not in ("", *SPLITS)}
    for word, scene in strange.items():
        yield error(
            "split",
            f"{settings.list} puts scene {scene} into the split {word!r}; expected "
            f"{', '.join(SPLITS)}, or nothing",
        )


def alike(records: Sequence[Record]) -> Iterator[Finding]:
    """Do all scenes have one type and one pixel size?"""
    for kind in ("optical", "sar"):
        first: dict[str, str] = {}
        for record in records:
            first.setdefault(record[kind]["dtype"], record["scene"])
        if len(first) > 1:
            found = ", ".join(f"{dtype} (such as {scene})" for dtype, scene in first.items())
            yield note(
                "types",
                f"the {kind} images are of several types: {found}; check that scale and unit are the "
                "same for all",
            )
        sizes = sorted((r[kind]["pixel_size"], r["scene"]) for r in records)
        (small, fine), (large, coarse) = sizes[0], sizes[-1]
        if large > ALIKE * small:
            yield warning(
                "pixel sizes",
                f"the {kind} images have pixels of {small:.3g} m ({fine}) to {large:.3g} m ({coarse}); a "
                "network learns one size: resample them to one, or map them apart",
            )


def first_alike(records: Sequence[Record]) -> dict[str, dict[str, str]]:
    """Scene → {an earlier scene: its images that are the same to the pixel, optical, SAR or both}."""
    earlier: dict[tuple[str, str], str] = {}
    found = {}
    for record in records:
        scene = record["scene"]
        same: dict[str, list[str]] = {}
        for kind in ("optical", "sar"):
            key = kind, record[kind]["pixels"]
            if key[1] is not None and (other := earlier.setdefault(key, scene)) != scene:
                same.setdefault(other, []).append("SAR" if kind == "sar" else kind)
        if same:
            found[scene] = {other: " and ".join(kinds) for other, kinds in sorted(same.items())}
    return found


def duplicates(records: Sequence[Record]) -> Iterator[Finding]:
    """Are there scenes twice?"""
    for scene, others in first_alike(records).items():
        for other, kinds in others.items():
            yield warning(
                "duplicate",
                f"scenes {other} and {scene} hold the same {kinds} pixels: they are kept in one split; "
                "remove one of them if that is not meant",
            )
