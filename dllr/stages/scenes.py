"""Stage `scenes`: read the scene folder once, refuse what cannot be mapped, record the rest.

Each scene's record holds the content hash of each of its files, so that what comes later depends on
the scenes through this stage alone.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dllr.errors import SceneError
from dllr.files import atomic_dir, write_json
from dllr.ingest.audit.examine import Examined, examine
from dllr.ingest.audit.finding import Finding
from dllr.ingest.audit.whole import first_alike
from dllr.params.scenes import Scenes
from dllr.raster.products import AUDIT, INDEX, RECORDS

MOST = 10  # errors of a message; `dllr audit` prints them all
LISTED = ("split", "group")  # what a list says of a scene stands in the index, not in its record


def run(*, out: Path, scenes: Scenes) -> None:
    """Write `out`/index.csv (a row a scene), `out`/records/<scene>.json and `out`/audit.csv.

    Raises:
        SceneError: a file is missing, damaged, without CRS or off the optical scene; values cannot have
            the unit that the settings declare; a label code is outside the map; no scene has a label.
    """
    examined = examine(scenes)
    _refuse([finding for finding in examined.findings if finding.level == "error"])
    with atomic_dir(out) as folder:
        for record in examined.records:
            facts = {key: value for key, value in record.items() if key not in LISTED}
            write_json(folder / RECORDS / f"{record['scene']}.json", facts)
        _index(examined).to_csv(folder / INDEX, index=False)
        findings = pd.DataFrame(examined.findings, columns=Finding._fields)
        findings.to_csv(folder / AUDIT, index=False)


def _refuse(errors: Sequence[Finding]) -> None:
    """Raises SceneError with all that is wrong, so that it can be mended in one go."""
    if len(errors) == 1:
        raise SceneError(errors[0].message)
    if errors:
        lines = [f"  {error.message}" for error in errors[:MOST]]
        if len(errors) > MOST:
            lines.append(f"  and {len(errors) - MOST} more; `dllr audit` prints them all")
        raise SceneError("\n".join([f"{len(errors)} errors in the scenes:", *lines]))


def _index(examined: Examined) -> pd.DataFrame:
    same = first_alike(examined.records)
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
            "pixel_size": r["optical"]["pixel_size"],
            "sar_ratio": r["ratio"],
            "optical_nodata": r["optical"]["nodata_share"],
            "sar_nodata": r["sar"]["nodata_share"],
            "optical_masked": r["optical"]["masked_share"],
            "sar_masked": r["sar"]["masked_share"],
            "sar_overlap": r["sar_overlap"],
            "split": r["split"],
            "group": r["group"],
            "same_as": "/".join(same.get(r["scene"], {})),
        }
        for r in examined.records
    )
