"""Stage `scenes`: read the scene folder once, refuse what cannot be mapped, record the rest.

Each scene's record holds the content hash of each of its files, so that what comes later depends on
the scenes through this stage alone.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dllr.errors import SceneError
from dllr.files import atomic_dir, write_json
from dllr.params.scenes import Label, Scenes
from dllr.raster.parallel import over_scenes
from dllr.raster.products import INDEX, RECORDS
from dllr.raster.sources import Source, discover
from dllr.raster.survey import overlap, survey, survey_label


def run(*, out: Path, scenes: Scenes) -> None:
    """Write `out`/index.csv (a row a scene) and `out`/records/<scene>.json.

    Raises:
        SceneError: a file is missing, damaged, without CRS or off the optical scene; a label code is
            outside the map; no scene has a label.
    """
    sources = discover(scenes).sources
    if not any(source.label for source in sources):
        raise SceneError(
            f"none of the {len(sources)} scenes under {scenes.root} has a label file "
            f"({scenes.label.pattern!r}); at least one is needed to train on"
        )
    records = over_scenes(lambda source: _record(source, scenes), sources, "scenes")
    if not any(sum(r["classes"].values()) for r in records if r["label"]):
        raise SceneError(
            "every label pixel has an ignored code; mend scenes.label.classes and scenes.label.ignore"
        )
    for kind in ("optical", "sar"):
        if all(r[kind]["nodata_share"] == 1 for r in records):
            raise SceneError(
                f"no scene has a single valid {kind} pixel; check scenes.{kind}.nodata and its bands"
            )
    with atomic_dir(out) as folder:
        for record in records:
            write_json(folder / RECORDS / f"{record['scene']}.json", record)
        _index(records).to_csv(folder / INDEX, index=False)


def _record(source: Source, scenes: Scenes) -> dict[str, Any]:
    optical, sar = survey(source.optical), survey(source.sar)
    label = survey_label(source.label, scenes.label.band) if source.label else None
    _check_scaling(
        optical, scenes.optical.scale, scenes.optical.offset, "set scenes.optical to these"
    )
    _check_scaling(sar, 1.0, 0.0, "apply them first, for example with `gdal_translate -unscale`")
    for kind, other in (("SAR", sar), ("label", label)):
        if other and overlap(source.optical.path, Path(other["path"])) == 0:
            raise SceneError(
                f"scene {source.name}: {kind} {other['path']} ({other['crs']}) and optical "
                f"{source.optical.path} ({optical['crs']}) do not overlap on the ground; check their CRS "
                "and position, or move the scene away"
            )
    return {
        "scene": source.name,
        "optical": optical,
        "sar": sar,
        "label": label,
        "classes": _histogram(label, scenes.label) if label else {},
        "sar_overlap": round(overlap(source.optical.path, source.sar.path), 4),
    }


def _check_scaling(image: dict[str, Any], scale: float, offset: float, remedy: str) -> None:
    """Raises SceneError where a file declares other factors than the settings: one of them is wrong."""
    for declared in image["scaling"]:
        if declared != [1.0, 0.0] and not np.allclose(declared, [scale, offset], rtol=1e-6, atol=0):
            raise SceneError(
                f"{image['path']} declares scale {declared[0]:g} and offset {declared[1]:g} in its tags, "
                f"but is to be read with {scale:g} and {offset:g}; {remedy}, or remove the tags"
            )


def _histogram(label: dict[str, Any], settings: Label) -> dict[str, int]:
    counts = dict.fromkeys(settings.names, 0)
    unknown = []
    for text, count in label["codes"].items():
        code = int(text)
        if code in settings.codes:
            counts[settings.names[settings.codes[code]]] += count
        elif code not in settings.ignore:
            unknown.append(f"{code} ({count} px)")
    if unknown:
        raise SceneError(
            f"{label['path']} holds label code(s) outside the map: {', '.join(unknown)}; known are "
            f"{sorted([*settings.codes, *settings.ignore])}: add them to scenes.label.classes or to "
            "scenes.label.ignore"
        )
    return counts


def _index(records: Iterable[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "scene": r["scene"],
            "optical": r["optical"]["path"],
            "sar": r["sar"]["path"],
            "label": r["label"]["path"] if r["label"] else "",
            "width": r["optical"]["width"],
            "height": r["optical"]["height"],
            "crs": r["optical"]["crs"],
            "sar_crs": r["sar"]["crs"],
            "optical_nodata": r["optical"]["nodata_share"],
            "sar_nodata": r["sar"]["nodata_share"],
            "sar_overlap": r["sar_overlap"],
        }
        for r in records
    )
