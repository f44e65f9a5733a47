"""Four small scenes on disk, ways to spoil them, and the stages up to `split`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from ruamel.yaml import YAML

from dllr.cli import main
from dllr.params.load import read_yaml

ROOT = Path(__file__).parents[2]
SIDE = 128
LOCAL = 'LOCAL_CS["x",UNIT["metre",1]]'
Edit = Callable[[Path, Any], None]


def write(
    path: Path, values: np.ndarray, crs: str = "EPSG:32650", east: float | None = None
) -> None:
    """A raster of a scene; scenes a, b, c, ... lie side by side."""
    if east is None:
        east = 500_000 + 1000 * (ord(path.parent.name[0]) - ord("a"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", crs=crs, transform=Affine(5, 0, east, 0, -5, 3_300_000), height=SIDE,
        width=SIDE, count=len(values), dtype=values.dtype,
    ) as target:  # fmt: skip
        target.write(values)


def tagged(path: Path, scale: float, offset: float) -> None:
    with rasterio.open(path, "r+") as target:
        target.scales, target.offsets = (
            (scale,) * target.count,
            (offset,) * target.count,
        )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four small scenes that are taken as they are, and params for them."""
    rng = np.random.default_rng(0)
    for name in "abcd":
        folder = tmp_path / "data" / "demo" / name
        write(folder / "optical.tif", rng.integers(1, 9000, (4, SIDE, SIDE)).astype(np.uint16))
        write(folder / "sar.tif", rng.random((1, SIDE, SIDE), np.float32) + 0.1)
        write(folder / "label.tif", rng.choice([10, 20, 40, 0], (1, SIDE, SIDE)).astype(np.uint8))
    (tmp_path / "params").symlink_to(ROOT / "params")
    monkeypatch.chdir(tmp_path)
    values = read_yaml(ROOT / "params.yaml")
    values["tile"] |= {"size": 64, "stride": 64}
    values["split"] |= {"labelled_tiles": 2}
    values["coregister"]["estimators"] = []
    save(values)
    return tmp_path


def save(values: Any) -> None:
    with Path("params.yaml").open("w") as file:
        YAML(typ="safe").dump(values, file)


def front() -> int:
    """The stages up to `split`, as dvc.yaml runs them; the first failure's exit status."""
    r = "results"
    for words in (
        f"scenes --out {r}/scenes",
        f"coregister --records {r}/scenes --out {r}/coregistered --labels-out {r}/labels",
        f"tile --coregistered {r}/coregistered --out {r}/tiles --superpixels-out {r}/superpixels",
        f"split --records {r}/scenes --coregistered {r}/coregistered --tiles {r}/tiles --labels {r}/labels --out {r}/split",
    ):
        if status := main(words.split()):
            return status
    return 0


def scene(project: Path, file: str, name: str = "b") -> Path:
    return project / "data" / "demo" / name / file


def listed(project: Path, values: Any, text: str) -> None:
    (project / "list.csv").write_text(text)
    values["scenes"]["list"] = "list.csv"


def mask(pattern: str | None, **changes: Any) -> dict[str, Any]:
    return {"pattern": pattern, "band": 1, "bad": [1.0], "above": None} | changes


def numbers(low: int, high: int) -> np.ndarray:
    return np.random.default_rng(1).integers(low, high, (1, SIDE, SIDE)).astype(np.uint16)


def truncate(project: Path, _: Any) -> None:
    path = scene(project, "sar.tif")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def unlabel(project: Path, names: str) -> None:
    for name in names:
        scene(project, "label.tif", name).unlink()
