"""Stage `map`: maps of every scene, labelled or not, by the selected round's teacher."""

import os
from pathlib import Path

import rasterio
from tqdm.auto import tqdm

from dllr.files import atomic_dir, file_digest, link_tree
from dllr.maps.item import Model
from dllr.models.checkpoint import load
from dllr.params.map import Map
from dllr.raster.arrays import open_arrays, scene_names
from dllr.raster.products import ROLES
from dllr.raster.taken import taken
from dllr.stages.mapping import Ground, write_item, write_map
from dllr.workcache import content, work_dir


def run(
    *, coregistered: Path, superpixels: Path, split: Path, checkpoint: Path, out: Path, map: Map
) -> None:
    """Write into `out`/<scene>/ COGs of class (index, 255 = no data, colour table and names), confidence
    and entropy (calibrated, in %), GIS styles, polygons and suggestions where asked for, and a STAC item.

    Suggested is ground that no label of the budget and no held-out split has. A finished scene survives
    a crash.
    """
    names = scene_names(coregistered)
    identity, trained = file_digest(checkpoint), load(checkpoint)
    folders = {}
    for name in tqdm(names, desc="map", unit="scene", mininterval=2.0):
        scene = content(coregistered / name, pattern="record.json")
        ground, keys = None, []
        if map.suggestions:
            ground = Ground(superpixels / f"{name}.tif", split / ROLES / f"{name}.tif")
            keys = [file_digest(path) for path in ground if path]
        done = work_dir("map", name, scene, *keys, identity, map) / "scene"
        if not done.exists():
            with atomic_dir(done, keep=True) as target:
                write_map(open_arrays(coregistered / name), trained, map, ground, target)
        folders[name] = done
    with atomic_dir(out) as folder:
        for name, done in folders.items():
            link_tree(done, folder / name)
            model = Model(os.path.relpath(checkpoint, out / name), identity)
            with rasterio.open(coregistered / name / "optical.tif") as source:
                day = taken(source)
            write_item(folder / name, name, trained, model, day)
