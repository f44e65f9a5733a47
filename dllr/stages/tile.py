"""Stage `tile`: index of the windows, a sample of their pixels for band statistics, and superpixels.

Nothing here depends on labels or budgets. Statistics are taken later, from the samples of the
training windows alone. Each scene is finished on its own and kept in the work cache.
"""

import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dllr.errors import SplitError
from dllr.files import atomic_dir, link_or_copy, read_json
from dllr.params.tile import Tile
from dllr.raster.arrays import SceneArrays, open_arrays, scene_names
from dllr.raster.parallel import over_parts, over_scenes
from dllr.raster.products import SAMPLES, WINDOWS
from dllr.raster.superpixels import Map, write_superpixels
from dllr.raster.windows import lattice, shares
from dllr.workcache import work_dir

MODALITIES = ("optical", "sar")
REGIONS = {"superpixel", "compactness"}  # the parameters of superpixels; windows have the others


def run(*, coregistered: Path, out: Path, superpixels_out: Path, tile: Tile) -> None:
    """Write `out`/windows.parquet (scene, row, col, y, x, size, valid_optical, valid_sar) and samples.npz
    (optical (N, B_o, n), sar (N, B_s, n), NaN where there is no data), and `superpixels_out`/<scene>.tif.

    Superpixels are an output of their own: other ones change neither the split nor the warm-up.
    """
    names = scene_names(coregistered)
    folders = [coregistered / name for name in names]
    with over_parts() as each:
        done = over_scenes(partial(_scene, tile=tile, each=each), folders, "tile")
    windows = [folder for folder, _ in done]
    index = pd.concat([pd.read_parquet(w / WINDOWS) for w in windows], ignore_index=True)
    if index.empty:
        raise SplitError(
            f"no window of {tile.size} px has {tile.min_valid:.0%} of its pixels with data; make "
            "tile.size or tile.min_valid smaller, or check the nodata settings of the scenes"
        )
    with atomic_dir(out) as folder:
        index.to_parquet(folder / WINDOWS, index=False)
        _join(windows, len(index), folder / SAMPLES)
    with atomic_dir(superpixels_out) as folder:
        for name, (_, superpixels) in zip(names, done, strict=True):
            link_or_copy(superpixels, folder / f"{name}.tif")


def _scene(folder: Path, tile: Tile, each: Map) -> tuple[Path, Path]:
    """The scene's windows (a folder) and superpixels (a file) in the work cache, made unless there."""
    record = read_json(folder / "record.json")
    windows = work_dir("tile", record, tile.model_dump(exclude=REGIONS)) / "windows"
    if not windows.exists():
        with atomic_dir(windows, keep=True) as made:
            _write_windows(open_arrays(folder), tile, made)
    superpixels = work_dir("tile", record, tile.model_dump(include=REGIONS)) / "superpixels.tif"
    if not superpixels.exists():
        arrays = open_arrays(folder)
        write_superpixels(arrays, superpixels, tile.superpixel, tile.compactness, each)
    return windows, superpixels


def _write_windows(scene: SceneArrays, tile: Tile, folder: Path) -> None:
    windows = lattice(scene.grid.height, scene.grid.width, tile.size, tile.stride)
    valid = np.asarray(scene.valid)
    windows = windows[shares(valid[0] | valid[1], windows, tile.size) >= tile.min_valid]
    index = pd.DataFrame(windows, columns=["row", "col", "y", "x"])
    index.insert(0, "scene", scene.name)
    index["size"] = tile.size
    for modality, name in enumerate(MODALITIES):
        index[f"valid_{name}"] = shares(valid[modality], windows, tile.size)
    index.to_parquet(folder / WINDOWS, index=False)
    for name, values in _samples(scene, windows, tile).items():
        np.save(folder / f"{name}.npy", values)


def _samples(
    scene: SceneArrays, windows: NDArray[np.int64], tile: Tile
) -> dict[str, NDArray[np.float32]]:
    """Values (N, bands, n) on a square lattice of pixels in each window, NaN where there is no data.

    Windows of one row share their lattice rows: each is read once, and no other pixel is.
    """
    side = int(tile.samples**0.5)
    steps = ((np.arange(side) + 0.5) * tile.size / side).astype(int)
    found = {
        name: np.empty((len(windows), len(bands), side, side), np.float32)
        for name, bands in zip(MODALITIES, (scene.optical_bands, scene.sar_bands), strict=True)
    }
    for y in np.unique(windows[:, 2]):
        mine = np.flatnonzero(windows[:, 2] == y)
        columns = windows[mine, 3][:, None] + steps
        for row, step in enumerate(steps):
            line = scene.read(int(y + step), 0, 1, int(columns.max()) + 1)
            for name, values, known in zip(MODALITIES, line[:2], line.valid, strict=True):
                seen = np.where(known[0, columns], values[:, 0, columns], np.nan)
                found[name][mine, :, row] = np.moveaxis(seen, 0, 1)
    return {name: values.reshape(*values.shape[:2], side**2) for name, values in found.items()}


def _join(folders: list[Path], windows: int, target: Path) -> None:
    """The samples of all scenes one after the other in an .npz, of which one scene is held at a time."""
    with zipfile.ZipFile(target, "w") as archive:
        for name in MODALITIES:
            first = np.load(folders[0] / f"{name}.npy")
            header: dict[str, Any] = np.lib.format.header_data_from_array_1_0(first)
            header["shape"] = (windows, *first.shape[1:])
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, header)
                for folder in folders:
                    member.write(np.load(folder / f"{name}.npy").tobytes())
