"""Lists of scenes: a CSV or Parquet table, or a STAC item collection."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pandas as pd

from dllr.errors import SceneError

FILES = ("optical", "sar", "label", "optical_mask", "sar_mask")
COLUMNS = ("scene", *FILES, "split", "group")


@dataclass(frozen=True)
class Row:
    """A scene of a list: the files it names, its split and its group, if it says."""

    scene: str
    files: dict[str, Path] = field(default_factory=dict)
    split: str = ""
    group: str = ""


def read_list(path: Path, root: Path) -> dict[str, Row]:
    """Scene → row; empty where the list has no rows, which means every scene that the patterns find.

    A table (`.csv`, `.parquet`) has the column `scene` and any of `optical`, `sar`, `label`,
    `optical_mask`, `sar_mask` (files, relative to `root`), `split` and `group`. In a STAC item collection
    (`.json`, `.geojson`) these are an item's id, its assets by key (relative to the collection) and its
    properties.

    Raises:
        SceneError: the list cannot be read, names a scene twice or a file outside `root`.
    """
    read = {".csv": _table, ".parquet": _table, ".json": _stac, ".geojson": _stac}
    if path.suffix not in read:
        raise SceneError(
            f"scenes.list {path} is no list of scenes: expected {', '.join(read)}; "
            "params/lists/everything.csv takes every scene that the patterns find"
        )
    if not path.is_file():
        raise SceneError(
            f"the list of scenes {path} does not exist; mend scenes.list in params.yaml"
        )
    rows: dict[str, Row] = {}
    for row in read[path.suffix](path, root):
        if row.scene in rows:
            raise SceneError(f"{path} lists scene {row.scene} twice; keep one of the rows")
        if not row.scene or "/" in row.scene or row.scene.startswith("."):
            raise SceneError(
                f"{path} lists a scene named {row.scene!r}; names become folders: write one without / "
                "and not beginning with a dot"
            )
        rows[row.scene] = row
    return rows


def _table(path: Path, root: Path) -> Iterable[Row]:
    try:
        table = (
            pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
            if path.suffix == ".csv"
            else pd.read_parquet(path)
        )
    except (ValueError, OSError) as error:  # pandas and pyarrow: parser, encoding and format errors
        raise SceneError(f"{path} cannot be read as a table ({error}); write it anew") from None
    unknown = [str(column) for column in table.columns if column not in COLUMNS]
    if "scene" not in table.columns or unknown:
        raise SceneError(
            f"{path} has the columns {', '.join(map(str, table.columns))}; expected `scene` and any of "
            f"{', '.join(COLUMNS[1:])}"
        )
    for row in table.astype(object).where(table.notna(), "").astype(str).to_dict("records"):
        cells = {str(column): text.strip() for column, text in row.items()}
        files = {kind: _below(root, root / cells[kind], path) for kind in FILES if cells.get(kind)}
        yield Row(cells["scene"], files, cells.get("split", ""), cells.get("group", ""))


def _stac(path: Path, root: Path) -> Iterable[Row]:
    import pystac

    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        items = [pystac.Item.from_dict(item) for item in values["features"]]
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        pystac.STACError,
        pystac.STACTypeError,
    ) as error:
        raise SceneError(
            f"{path} is no STAC item collection ({type(error).__name__}: {error}); expected a GeoJSON "
            "FeatureCollection of STAC items"
        ) from None
    for item in items:
        files = {
            kind: _below(root, _local(asset.href, path), path)
            for kind, asset in item.assets.items()
            if kind in FILES
        }
        facts: dict[str, Any] = item.properties
        yield Row(str(item.id), files, str(facts.get("split") or ""), str(facts.get("group") or ""))


def _local(href: str, listed: Path) -> Path:
    address = urlparse(href)
    if address.scheme not in ("", "file"):
        raise SceneError(
            f"{listed} names {href}; files are read from disk: download it and name the copy"
        )
    return listed.parent / unquote(address.path)


def _below(root: Path, path: Path, listed: Path) -> Path:
    """The path as one below the root, whose changes are seen; links on the way stay links."""
    plain = Path(os.path.normpath(path.absolute()))
    top = Path(os.path.normpath(root.absolute()))
    if not plain.is_relative_to(top):
        raise SceneError(
            f"{listed} names {path}, which lies outside scenes.root {root}; set scenes.root to a folder "
            "that holds all files"
        )
    return root / plain.relative_to(top)
