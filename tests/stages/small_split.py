"""Co-registered scenes of a few pixels with labels, windows and an index: what `split` reads."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from scipy import ndimage

from dllr.files import read_json
from dllr.params.load import load
from dllr.params.split import Split
from dllr.raster.grid import read_indices
from dllr.raster.windows import lattice
from dllr.stages import split

ROOT = Path(__file__).parents[2]
PARAMS = load(ROOT / "params.yaml")
CLASSES = len(PARAMS.scenes.label.names)
SIZE, STRIDE = 16, 10
HEIGHT, WIDTH = 88, 120
NAMES = ["x1", "x2", "y1", "y2", "z1", "z2"]


@dataclass(frozen=True)
class Results:
    """What one run of the stage wrote."""

    folder: Path
    split: Path

    @property
    def windows(self) -> pd.DataFrame:
        return pd.read_parquet(self.split / "windows.parquet")

    @property
    def summary(self) -> dict[str, Any]:
        return dict(read_json(self.split / "summary.json"))

    def roles(self, scene: str) -> np.ndarray:
        return read_indices(self.split / "roles" / f"{scene}.tif")

    def truth(self, scene: str) -> np.ndarray:
        """Labels where a modality has data, read without the stage's own code."""
        path = self.folder / "labels" / f"{scene}.tif"
        if not path.exists():
            return np.full((HEIGHT, WIDTH), 255, np.uint8)
        optical, sar = (
            read_indices(self.folder / "coregistered" / scene / f"{kind}.tif") > 0
            for kind in ("optical", "sar")
        )
        return np.where(optical | sar, read_indices(path), 255)

    def shown(self) -> dict[tuple[str, int, int], str]:
        """Fold of the windows whose labels may be seen."""
        frame = self.windows[self.windows["labelled"] != "no"]
        places = frame[["scene", "y", "x"]].itertuples(index=False, name=None)
        return dict(zip(places, frame["labelled"], strict=True))

    def split_of(self) -> dict[str, str]:
        return dict(self.summary["scenes"])


@dataclass(frozen=True)
class Country:
    """A folder of scenes; east: first column of each on a common grid; those in `bare` have no label."""

    folder: Path
    east: Mapping[str, int]
    bare: Collection[str] = ()

    def write(self) -> "Country":
        rng = np.random.default_rng(len(self.east))
        frames = []
        for name, east in self.east.items():
            place = Affine(5, 0, 400_000 + 5 * east, 0, -5, 3_300_000)
            ground = ndimage.zoom(rng.random((12, 16)), 8, order=1)[:HEIGHT, :WIDTH]
            known = np.digitize(ground, [0.2, 0.4, 0.5, 0.6, 0.8, 0.97]).astype(np.uint8)
            known[rng.random(known.shape) < 0.1] = 255
            valid = np.ones((2, HEIGHT, WIDTH), np.uint8)
            valid[0, :9], valid[:, :, :5] = 0, 0
            scene = self.folder / "coregistered" / name
            _raster(scene / "optical.tif", valid[0], place)
            _raster(scene / "sar.tif", valid[1], place)
            record = {"scene": name, "optical_bands": ["red"], "sar_bands": ["VV"], "scale": 1.0}
            (scene / "record.json").write_text(
                json.dumps(record | {"offset": 0.0, "of": str(scene)})
            )
            if name not in self.bare:
                _raster(self.folder / "labels" / f"{name}.tif", known, place)
            frame = pd.DataFrame(
                lattice(HEIGHT, WIDTH, SIZE, STRIDE), columns=["row", "col", "y", "x"]
            )
            frames.append(frame.assign(scene=name, size=SIZE))
        (self.folder / "tiles").mkdir()
        (self.folder / "scenes").mkdir()
        pd.concat(frames, ignore_index=True).to_parquet(self.folder / "tiles/windows.parquet")
        return self

    def run(self, listed: Mapping[str, Mapping[str, str]] | None = None, **changes: Any) -> Results:
        """The stage with these parameters; listed: columns of the index, each scene → value."""
        index = pd.DataFrame({"scene": list(self.east)})
        for column, values in (listed or {}).items():
            index[column] = [values.get(name, "") for name in self.east]
        index.to_csv(self.folder / "scenes" / "index.csv", index=False)
        defaults = PARAMS.split.model_dump() | {"labelled_tiles": 4, "block": 40, "buffer": 3}
        out = self.folder / "split"
        split.run(
            records=self.folder / "scenes", coregistered=self.folder / "coregistered",
            tiles=self.folder / "tiles", labels=self.folder / "labels", out=out,
            scenes=PARAMS.scenes, split=Split(**(defaults | changes)),
        )  # fmt: skip
        return Results(self.folder, out)


@contextmanager
def two_countries(folder: Path) -> Iterator[dict[str, Country]]:
    """`apart`: six scenes side by side; `tied`: y2 overlaps y1, and z2 overlaps x1. z2 has no label."""
    east = {name: 130 * place for place, name in enumerate(NAMES)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # the work cache lies there
        yield {
            "apart": Country(folder / "apart", east, {"z2"}).write(),
            "tied": Country(folder / "tied", {**east, "y2": 300, "z2": -40}, {"z2"}).write(),
        }


def _raster(path: Path, values: np.ndarray, place: Affine) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nodata = 255 if path.parent.name == "labels" else 0
    with rasterio.open(
        path, "w", driver="GTiff", crs="EPSG:32650", transform=place, height=HEIGHT, width=WIDTH,
        count=1, dtype="uint8", nodata=nodata,
    ) as target:  # fmt: skip
        target.write(values[None])
