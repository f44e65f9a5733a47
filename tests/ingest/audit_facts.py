"""Records of scenes as the survey writes them, with what a test wants changed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dllr.ingest.audit.finding import Finding
from dllr.params.load import read_yaml
from dllr.params.scenes import Scenes

ROOT = Path(__file__).parents[2]
SCENES = Scenes.model_validate(read_yaml(ROOT / "params/defaults.yaml")["scenes"])


def band(low: float = 10, median: float = 900, bright: float = 4000, **more: Any) -> dict[str, Any]:
    return {
        "min": low, "max": bright * 1.5, "mean": median, "p1": low, "p50": median, "p99": bright, "at_max": 0.0,
        "negative": 0.0, "whole": True, "missing": 0.0, "pixels": "x",
    } | more  # fmt: skip


def image(*bands: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "path": "data/a/image.tif", "dtype": "uint16", "crs": "EPSG:32650", "pixel_size": 10.0, "nodata": None,
        "transform": [10, 0, 500_000, 0, -10, 3_300_000], "width": 100, "height": 100, "scaling": [[1.0, 0.0]],
        "nodata_share": 0.0, "masked_share": 0.0, "fills": [], "pixels": None, "values": list(bands or [band()]),
    } | more  # fmt: skip


def scene(name: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "scene": name, "split": "", "group": "", "optical": image(), "sar": image(), "label": image(codes={}),
        "classes": {"water": 50, "forest": 9950}, "sar_overlap": 1.0, "label_overlap": 1.0, "ratio": 1.0,
        "offset": (0.0, 0.0),
    } | more  # fmt: skip


def short(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.level, finding.check) for finding in findings]


def moved(x: float, y: float, crs: str = "EPSG:32650", pixel: float = 10) -> dict[str, Any]:
    return image(transform=[pixel, 0, 500_000 + x, 0, -pixel, 3_300_000 + y], crs=crs)
