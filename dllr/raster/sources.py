"""The user's scene folder: which files belong to a scene."""

import re
from dataclasses import dataclass
from pathlib import Path

from dllr.errors import SceneError


@dataclass(frozen=True)
class Source:
    """The files of one scene; a scene may lack a label."""

    name: str
    optical: Path
    sar: Path
    label: Path | None


def discover(root: Path, optical: str, sar: str, label: str) -> list[Source]:
    """Scenes under `root` whose files match the patterns, sorted by name.

    Raises:
        SceneError: the folder is missing or empty, or a scene has one modality without the other.
    """
    if not root.is_dir():
        raise SceneError(
            f"the scene folder {root} does not exist; link or copy your scenes there, or set "
            "scenes.root in params.yaml to where they are"
        )
    found = {kind: _match(root, p) for kind, p in (("optical", optical), ("SAR", sar))}
    labels = _match(root, label)
    names = {name for kind in found.values() for name in kind} | labels.keys()
    for pattern in (optical, sar, label):
        _refuse_broken_links(root, pattern, names)
    if not found["optical"] and not found["SAR"]:
        raise SceneError(
            f"no file under {root} matches {optical!r} or {sar!r}; mend scenes.optical.pattern "
            "and scenes.sar.pattern in params.yaml"
        )
    for has, lacks, pattern in (("optical", "SAR", sar), ("SAR", "optical", optical)):
        lonely = sorted(found[has].keys() - found[lacks].keys())
        if lonely:
            raise SceneError(
                f"{len(lonely)} scene(s) under {root} have {has} but no {lacks}: "
                f"{', '.join(lonely[:5])}; add the files as {pattern!r} or move these scenes away"
            )
    return [
        Source(name, path, found["SAR"][name], labels.get(name))
        for name, path in sorted(found["optical"].items())
    ]


def _refuse_broken_links(root: Path, pattern: str, names: set[str]) -> None:
    """A link that leads nowhere is no missing file: a label would silently be left out."""
    for name in sorted(names):
        path = root / pattern.replace("{scene}", name)
        if path.is_symlink() and not path.exists():
            raise SceneError(
                f"{path} is a link to {path.readlink()}, which does not exist; mend it"
            )


def _match(root: Path, pattern: str) -> dict[str, Path]:
    parts = (re.escape(part).replace(r"\*", "[^/]*") for part in pattern.split("{scene}"))
    first, *others = parts
    expression = re.compile(first + "(?P<scene>[^/]+)" + "(?P=scene)".join(others))
    matches: dict[str, Path] = {}
    for path in sorted(root.glob(pattern.replace("{scene}", "*"))):
        match = expression.fullmatch(path.relative_to(root).as_posix())
        if match and path.is_file():
            name = match["scene"]
            if name in matches:
                raise SceneError(
                    f"scene {name} has two files for {pattern!r}: {matches[name]} and {path}; make the "
                    "pattern match one of them"
                )
            matches[name] = path
    return matches
