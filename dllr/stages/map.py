"""Stage `map`: class and confidence of every scene, from the selected round's teacher."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window
from scipy.special import softmax
from tqdm.auto import tqdm

from dllr.execution import device
from dllr.files import atomic_dir, file_digest, link_tree
from dllr.models.checkpoint import load
from dllr.models.predict import logits
from dllr.params.map import Map
from dllr.raster.arrays import open_arrays, scene_names
from dllr.raster.cog import to_cog
from dllr.raster.grid import IGNORE, raster_writer, rgb
from dllr.workcache import content, work_dir

CLASS = "class.tif"
CONFIDENCE = "confidence.tif"


def run(*, coregistered: Path, checkpoint: Path, out: Path, map: Map) -> None:
    """Write `out`/<scene>/class.tif (COG, class index, 255 = no data, colour table) and confidence.tif
    (COG, largest softmax probability in %, uncalibrated, 255 = no data).

    A finished scene survives a crash. Memory does not grow with a scene's height.
    """
    names = scene_names(coregistered)
    identity = file_digest(checkpoint)
    folders = {}
    for name in tqdm(names, desc="map", unit="scene", mininterval=2.0):
        scene = content(coregistered / name, pattern="record.json")
        done = work_dir("map", name, scene, identity, map) / "scene"
        if not done.exists():
            _map(coregistered / name, checkpoint, done, map.overlap)
        folders[name] = done
    with atomic_dir(out) as folder:
        for name, done in folders.items():
            link_tree(done, folder / name)


def _map(folder: Path, checkpoint: Path, out: Path, overlap: float) -> None:
    trained = load(checkpoint)
    where = device()
    network = trained.teacher.to(where)
    scene = open_arrays(folder)
    facts: dict[str, Any] = {"bands": 1, "dtype": "uint8", "nodata": IGNORE}
    names = {f"class_{i}": name for i, name in enumerate(trained.classes)}
    with (
        atomic_dir(out, keep=True) as target,
        tempfile.TemporaryDirectory(dir=target.parent) as scratch,
    ):
        plain = Path(scratch) / CLASS, Path(scratch) / CONFIDENCE
        with (
            raster_writer(
                plain[0], scene.grid, **facts, colours=rgb(trained.colours), tags=names
            ) as classes,
            raster_writer(plain[1], scene.grid, **facts, tags={"unit": "%"}) as confidence,
        ):
            for y, z in logits(trained, network, scene, overlap, where, heads=("fused",)):
                window = Window(0, y, scene.grid.width, z.shape[2])
                missing = ~np.asarray(scene.valid[:, y : y + z.shape[2]]).any(axis=0)
                probability = softmax(z[0], axis=0)
                label = probability.argmax(axis=0).astype(np.uint8)
                sure = np.rint(100 * probability.max(axis=0)).astype(np.uint8)
                label[missing] = sure[missing] = IGNORE
                classes.write(label[None], window=window)
                confidence.write(sure[None], window=window)
        to_cog(plain[0], target / CLASS, "mode")
        to_cog(plain[1], target / CONFIDENCE, "average")
