"""File patterns with named placeholders: `{season}_s1/s1_{roi}/{season}_s1_{roi}_p{patch}.tif`."""

import glob
import re
from pathlib import Path

from dllr.errors import SceneError
from dllr.params.scenes import FIELD


class Pattern:
    """A path below the root. A placeholder stands for part of one path component, the same wherever it
    occurs; `*` for anything within one component."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.fields: list[str] = list(dict.fromkeys(FIELD.findall(text)))
        self.glob = "*".join(glob.escape(part) for part in FIELD.sub("*", text).split("*"))
        pieces, seen = [], set[str]()
        for place, piece in enumerate(FIELD.split(text)):
            if place % 2 == 0:
                pieces.append(re.escape(piece).replace(r"\*", "[^/]*"))
            else:
                pieces.append(f"(?P={piece})" if piece in seen else f"(?P<{piece}>[^/]+)")
                seen.add(piece)
        self._expression = re.compile("".join(pieces))

    def matches(self, root: Path, order: list[str]) -> dict[str, Path]:
        """Scene → file or link under `root`; a scene's name is its placeholders' values, in this order,
        joined by `_`.

        Raises:
            SceneError: two files answer to one name.
        """
        found: dict[str, Path] = {}
        for name in sorted(glob.glob(self.glob, root_dir=root)):  # noqa: PTH207 (finds broken links too)
            match, path = self._expression.fullmatch(name), root / name
            if match is None or path.is_dir():
                continue
            scene = "_".join(match[field] for field in order)
            if scene in found:
                raise SceneError(
                    f"scene {scene} has two files for {self.text!r}: {found[scene]} and {path}; make the "
                    "pattern match one of them"
                )
            found[scene] = path
        return found
