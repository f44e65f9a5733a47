"""The user's scene folder: which files belong to a scene, by patterns or by a list."""

import os
from dataclasses import dataclass
from pathlib import Path

from dllr.errors import SceneError
from dllr.ingest.listing import Row, read_list
from dllr.ingest.patterns import Pattern
from dllr.params.scenes import Band, Optical, Sar, Scenes
from dllr.raster.image import Image, Mask


@dataclass(frozen=True)
class Source:
    """The files of one scene; a scene may lack a label. split and group: as the list has them, or empty."""

    name: str
    optical: Image
    sar: Image
    label: Path | None
    split: str = ""
    group: str = ""


@dataclass(frozen=True)
class Found:
    """The scenes, sorted by name, and what was left out and why, a sentence each."""

    sources: list[Source]
    warnings: list[str]


def discover(scenes: Scenes) -> Found:
    """Scenes under the root whose files match the patterns or stand on the list.

    Raises:
        SceneError: the folder is missing, unreadable or empty; a listed file is not there; a scene has one
            modality without the other, unless `incomplete` says to skip it.
    """
    root = Path(scenes.root)
    if not root.is_dir():
        raise SceneError(
            f"the scene folder {root} does not exist; link or copy your scenes there, or set "
            "scenes.root in params.yaml to where they are"
        )
    files = _Files(root, scenes)
    rows = read_list(Path(scenes.list), root)
    names = sorted(rows) or files.names()
    if not names:
        raise SceneError(
            f"no file under {root} matches {scenes.optical.pattern!r} or {scenes.sar.pattern!r}; mend "
            "scenes.optical.pattern and scenes.sar.pattern in params.yaml"
        )
    warnings = []
    if rows and (others := [name for name in files.names() if name not in rows]):
        warnings.append(f"{_some(others)} under {root} not on the list {scenes.list}: left out")
    taken, lacking = [], dict[str, list[str]]()
    for name in names:
        row = rows.get(name, Row(name))
        optical, sar = files.find("optical", row), files.find("sar", row)
        if optical and sar:
            taken.append(files.source(row, optical, sar))
        else:
            lack = "SAR but no optical" if sar else "optical but no SAR" if optical else "no files"
            lacking.setdefault(lack, []).append(name)
    for lack, incomplete in lacking.items():
        found = f"{_some(incomplete)} under {root} with {lack}"
        if scenes.incomplete == "refuse":
            raise SceneError(
                f"{found}; add the files as {scenes.optical.pattern!r} and {scenes.sar.pattern!r}, move "
                "these scenes away, or set scenes.incomplete to skip"
            )
        warnings.append(f"{found}: left out")
    if not taken:
        raise SceneError(
            f"no scene under {root} is complete: {'; '.join(warnings)}; add files, or mend the patterns"
        )
    return Found(taken, warnings)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{len(names)} scene(s) ({', '.join(names[:5])}{more})"


class _Files:
    """What the patterns find, once for all scenes."""

    def __init__(self, root: Path, scenes: Scenes) -> None:
        self._root, self._scenes = root, scenes
        order = Pattern(scenes.optical.pattern).fields
        patterns = {
            "optical": scenes.optical.pattern, "sar": scenes.sar.pattern, "label": scenes.label.pattern,
            "optical_mask": scenes.optical.mask and scenes.optical.mask.pattern,
            "sar_mask": scenes.sar.mask and scenes.sar.mask.pattern,
        }  # fmt: skip
        self._patterns = {kind: pattern for kind, pattern in patterns.items() if pattern}
        for pattern in self._patterns.values():
            _refuse_unreadable(root, pattern)
        self._found = {k: Pattern(p).matches(root, order) for k, p in self._patterns.items()}

    def names(self) -> list[str]:
        return sorted(self._found["optical"].keys() | self._found["sar"].keys())

    def find(self, kind: str, row: Row) -> Path | None:
        """The file the list names, else what the pattern finds."""
        path = row.files.get(kind) or self._found.get(kind, {}).get(row.scene)
        if path is None:
            return None
        if path.is_symlink() and not path.exists():
            # A link that leads nowhere is no missing file: a label would silently be left out.
            raise SceneError(
                f"{path} is a link to {path.readlink()}, which does not exist; mend it"
            )
        if not path.is_file():
            if self._scenes.incomplete == "skip" and kind in ("optical", "sar"):
                return None
            raise SceneError(
                f"scene {row.scene}: the list {self._scenes.list} names {path}, which does not exist; add "
                "the file or mend the list"
            )
        return path

    def source(self, row: Row, optical: Path, sar: Path) -> Source:
        label = self.find("label", row)
        images = self._image("optical", row, optical), self._image("sar", row, sar)
        return Source(row.scene, *images, label, row.split, row.group)

    def _image(self, kind: str, row: Row, path: Path) -> Image:
        settings: Optical | Sar = getattr(self._scenes, kind)
        mask = self._mask(settings.mask, f"{kind}_mask", row, path)
        return Image(path, tuple(settings.bands.values()), settings.nodata, mask)

    def _mask(self, settings: Band | None, kind: str, row: Row, image: Path) -> Mask | None:
        where = f"scenes.{kind.replace('_', '.')}"
        if settings is None:
            if kind in row.files:
                raise SceneError(
                    f"the list {self._scenes.list} names {row.files[kind]} as {kind} of scene "
                    f"{row.scene}, but {where} is null; say there which values are bad"
                )
            return None
        path = self.find(kind, row)
        if path is None and settings.pattern is not None:
            raise SceneError(
                f"scene {row.scene} has no mask {settings.pattern!r} under {self._root}; add it, or set "
                f"{where} to null to do without masks"
            )
        return Mask(path or image, settings.band, tuple(settings.bad), settings.above)


def _refuse_unreadable(root: Path, pattern: str) -> None:
    """A folder that cannot be listed would silently be taken for an empty one."""
    parts = Pattern(pattern).glob.split("/")[:-1]
    for depth in range(len(parts) + 1):
        for folder in root.glob("/".join(parts[:depth])) if depth else [root]:
            if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
                raise SceneError(f"{folder} cannot be read; give yourself the right to list it")
