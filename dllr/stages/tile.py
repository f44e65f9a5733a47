"""Stage `tile`: index of the windows, and a sample of each window's pixels for band statistics.

Nothing here depends on labels or budgets. Statistics are taken later, from the samples of the
training windows alone.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dllr.errors import SplitError
from dllr.files import atomic_dir
from dllr.params.tile import Tile
from dllr.raster.arrays import SceneArrays, open_arrays, scene_names
from dllr.raster.parallel import over_scenes
from dllr.raster.products import SAMPLES, WINDOWS
from dllr.raster.windows import lattice, shares


def run(*, coregistered: Path, out: Path, tile: Tile) -> None:
    """Write `out`/windows.parquet (scene, row, col, y, x, size, valid_optical, valid_sar) and
    `out`/samples.npz: optical (N, B_o, n) and sar (N, B_s, n), NaN where there is no data."""
    names = scene_names(coregistered)
    found = over_scenes(
        lambda name: _windows(open_arrays(coregistered / name), tile), names, "tile"
    )
    index = pd.concat([windows for windows, _, _ in found], ignore_index=True)
    if index.empty:
        raise SplitError(
            f"no window of {tile.size} px has {tile.min_valid:.0%} of its pixels with data; make "
            "tile.size or tile.min_valid smaller, or check the nodata settings of the scenes"
        )
    with atomic_dir(out) as folder:
        index.to_parquet(folder / WINDOWS, index=False)
        np.savez(
            folder / SAMPLES,
            optical=np.concatenate([optical for _, optical, _ in found]),
            sar=np.concatenate([sar for _, _, sar in found]),
        )


def _windows(
    scene: SceneArrays, tile: Tile
) -> tuple[pd.DataFrame, NDArray[np.float32], NDArray[np.float32]]:
    windows = lattice(scene.grid.height, scene.grid.width, tile.size, tile.stride)
    valid = np.asarray(scene.valid)
    keep = shares(valid[0] | valid[1], windows, tile.size) >= tile.min_valid
    windows = windows[keep]
    index = pd.DataFrame(windows, columns=["row", "col", "y", "x"])
    index.insert(0, "scene", scene.name)
    index["size"] = tile.size
    index["valid_optical"] = shares(valid[0], windows, tile.size)
    index["valid_sar"] = shares(valid[1], windows, tile.size)
    steps = ((np.arange(int(tile.samples**0.5)) + 0.5) * tile.size / int(tile.samples**0.5)).astype(
        int
    )
    ys, xs = (axis.ravel() for axis in np.meshgrid(steps, steps, indexing="ij"))
    optical = np.full((len(windows), len(scene.optical_bands), len(ys)), np.nan, np.float32)
    sar = np.full((len(windows), len(scene.sar_bands), len(ys)), np.nan, np.float32)
    for i, (_, _, y, x) in enumerate(windows):
        patch = scene.read(int(y), int(x), tile.size, tile.size)
        optical[i] = np.where(patch.valid[0, ys, xs], patch.optical[:, ys, xs], np.nan)
        sar[i] = np.where(patch.valid[1, ys, xs], patch.sar[:, ys, xs], np.nan)
    return index, optical, sar
