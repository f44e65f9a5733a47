"""What the front of the chain must make of each replica: written out, so that a slip in a set is seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import replicas
from replicas import AREAS, DFC, ROIS, ROWS, SHEETS, TERRA, WHU

SIMPLE = ["forest", "shrubland", "savanna", "grassland", "wetlands", "croplands", "urban", "snow", "barren", "water"]  # fmt: skip
IGBP = [1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 6, 8, 9, 10]  # simplified code of codes 1 to 17
RGB = {"red": 1, "green": 2, "blue": 3}
TEN_OF_13 = {"B02": 2, "B03": 3, "B04": 4, "B05": 5, "B06": 6, "B07": 7, "B08": 8, "B8A": 9, "B11": 12, "B12": 13}  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """A set's writer and what the front of the chain must make of it.

    write: into the folder of a download; meaning: raw label code → class, None = not known; fixed: scenes
    whose split is given; together: scenes that no split may separate; missing: share of pixels without
    data by (scene, modality); unplaced: what is said of the files as downloaded, where they need a place.
    """

    write: Callable[[Path], None]
    scenes: Sequence[str]
    classes: Sequence[str]
    meaning: dict[int, str | None]
    optical: dict[str, int]  # band → its number in the file
    sar: dict[str, int]
    label: tuple[str, str]  # a scene and the path of its label file
    fixed: dict[str, str] = field(default_factory=dict)
    together: Sequence[set[str]] = ()
    missing: dict[tuple[str, str], float] = field(default_factory=dict)
    unplaced: str = ""


_IGBP = {code: SIMPLE[simple - 1] for code, simple in enumerate(IGBP, 1)}
_PIE = ["background", "city", "road", "water", "forest", "farmland"]
_YESEG = ["bare ground", "low vegetation", "trees", "houses", "water", "roads", "other"]
_TERRA = [
    "water",
    "trees",
    "flooded vegetation",
    "crops",
    "built",
    "bare",
    "snow or ice",
    "rangeland",
]
_SEN12MS = {f"{s}_{roi}_p{p}" for (s, roi), patches in ROIS.items() for p in patches}

EXPECTED = {
    "whu_opt_sar": Expected(
        replicas.whu_opt_sar, SHEETS, [*WHU.values()], {0: None, **WHU}, {"blue": 1, "green": 2, "red": 3, "nir": 4},
        {"SAR": 1}, (SHEETS[0], f"lbl/{SHEETS[0]}.tif"),
        fixed={"NH49E001014": "test", "NH50E007002": "test"},
        together=[set(row) for row in ROWS],
        missing={("NH49E010015", "optical"): 0.125}, unplaced="has no CRS",
    ),
    "eerds_opt_sar": Expected(
        replicas.eerds_opt_sar, [f"scene{n}" for n in range(6)], [*WHU.values()], {0: None, **WHU},
        RGB, {"SAR": 1}, ("scene0", "lbl/scene0.tif"),
    ),
    "dfc2020": Expected(
        replicas.dfc2020, [f"ROIs0000_{s}_p{n}" for s, numbers in DFC.items() for n in numbers],
        [c for c in SIMPLE if c not in ("savanna", "snow")],
        {code: name for code, name in enumerate(SIMPLE, 1) if name not in ("savanna", "snow")},
        TEN_OF_13, {"VV": 1, "VH": 2},
        ("ROIs0000_test_p0", "ROIs0000_test/dfc_0/ROIs0000_test_dfc_0_p0.tif"),
        together=[{f"ROIs0000_test_p{n}" for n in run} for run in ((0, 57), (512, 513), (5126, 5127))],
        unplaced="share no ground",
    ),
    "sen12ms": Expected(
        replicas.sen12ms, sorted(_SEN12MS), SIMPLE, {255: None, **_IGBP}, TEN_OF_13, {"VV": 1, "VH": 2},
        ("ROIs1158_spring_112_p30", "ROIs1158_spring/lc_112/ROIs1158_spring_lc_112_p30.tif"),
        together=[{f"{s}_{roi}_p{p}" for p in patches} for (s, roi), patches in ROIS.items()],
        missing={("ROIs1868_summer_146_p202", "sar"): 0.25},
    ),
    "pie_rgb_sar": Expected(
        replicas.pie_rgb_sar, [str(n) for n in range(1, 7)], _PIE, dict(enumerate(_PIE)),
        RGB, {"SAR": 1}, ("1", "label/1.tif"), unplaced="has no CRS",
    ),
    "yeseg_opt_sar": Expected(
        replicas.yeseg_opt_sar, [f"{a}_{n}" for a in AREAS for n in "12"], _YESEG,
        {0: None, **dict(enumerate(_YESEG, 1))}, RGB, {"SAR": 1}, ("1_1", "label/1/1.tif"),
        together=[{f"{a}_1", f"{a}_2"} for a in AREAS], unplaced="no file under",
    ),
    "ombria": Expected(
        replicas.ombria, [f"event{n}" for n in range(5)], ["dry", "flood"], {0: "dry", 1: "flood", 255: None},
        {"swir_after": 1, "nir_after": 2, "green_after": 3, "swir_before": 4, "nir_before": 5, "green_before": 6},
        {"VV_after": 1, "VV_before": 2}, ("event0", "event0/label.tif"),
    ),
    "terramesh": Expected(
        replicas.terramesh, [f"zone{z}" for z in (31, 33, 48, 50)], _TERRA, dict(zip(TERRA, _TERRA, strict=True)),
        {"B01": 1, "B02": 2, "B03": 3, "B04": 4, "B05": 5, "B06": 6, "B07": 7, "B08": 8, "B8A": 9, "B09": 10, "B11": 11, "B12": 12},
        {"VV": 1, "VH": 2}, ("zone31", "zone31/label.tif"),
    ),
}  # fmt: skip
