"""Superpixels of a co-registered scene: small regions that look alike in both modalities."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window
from skimage.measure import label
from skimage.segmentation import slic

from dllr.raster.arrays import Patch, SceneArrays
from dllr.raster.grid import BLOCK, raster_writer

SIDE = 1024  # px, side of the blocks that are segmented one at a time: bounds the memory
SAMPLE = 2**18  # px, about, that bands are scaled by
ITERATIONS = 5  # of k-means; the default of 10 costs twice the time and gains little
CLIP = 3.0  # robust deviations: a bright roof or a cloud must not outweigh all other differences
Ids = NDArray[np.uint32]
Block = tuple[int, int, int, int]  # first row and column, height and width
Map = Callable[[Callable[[Block], Ids], Iterable[Block]], Iterable[Ids]]


def write_superpixels(
    scene: SceneArrays, target: Path, area: int, compactness: float, each: Map = map
) -> int:
    """Write the scene's superpixels as a uint32 GeoTIFF and return their number n.

    Ids run from 1 to n; 0, the nodata value, marks pixels that are missing in both modalities. Each
    superpixel is connected through pixel edges. Every pixel with data has one; where one modality is
    missing, its bands are taken to be at their median. Blocks of about SIDE px are segmented on their
    own, so a superpixel ends where its block ends.

    Args:
        area: mean area aimed at, px; small pieces next to missing pixels lower it.
        compactness: robust deviations of the bands (root mean square) that weigh as much as the
            distance √area px; more = squarer.
        each: a `map` that keeps the order; one over threads segments blocks side by side.

    Achanta et al. (2012), SLIC superpixels compared to state-of-the-art superpixel methods, IEEE TPAMI
    34, on all optical and SAR bands jointly.
    """
    centre, spread = _scaling(scene)

    def segmented(block: Block) -> Ids:
        patch = scene.read(*block)
        known = patch.valid[0] | patch.valid[1]
        return _segment(_features(patch, centre, spread), known, area, compactness)

    blocks = list(_blocks(scene.grid.height, scene.grid.width))
    last = 0
    with raster_writer(target, scene.grid, bands=1, dtype="uint32", nodata=0) as file:
        for (y, x, height, width), ids in zip(blocks, each(segmented, blocks), strict=True):
            file.write(np.where(ids > 0, ids + last, 0), 1, window=Window(x, y, width, height))
            last += int(ids.max())
    return last


def _segment(
    features: NDArray[np.float32], known: NDArray[np.bool_], area: int, compactness: float
) -> Ids:
    """Ids from 1 (H, W) of features (H, W, B); 0 where nothing is known."""
    if not known.any():
        return np.zeros(known.shape, np.uint32)
    # scikit-image divides by the range of what it is given, which differs between blocks.
    extent = float(np.ptp(features)) or 1.0
    segments = slic(
        features,
        n_segments=max(1, round(known.size / area)),
        compactness=compactness / extent,
        max_num_iter=ITERATIONS,
        convert2lab=False,
        start_label=1,
        channel_axis=-1,
    )
    # Missing pixels may have cut a segment in two.
    pieces: NDArray[np.int64] = label(np.where(known, segments, 0), background=0, connectivity=1)
    return pieces.astype(np.uint32)


def _features(
    patch: Patch, centre: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Bands (H, W, B) in robust deviations over √B, so that compactness means the same for any B."""
    scaled = (_bands(patch) - centre[:, None, None]) / spread[:, None, None]
    scaled = np.nan_to_num(np.clip(scaled, -CLIP, CLIP)) / np.float32(np.sqrt(len(centre)))
    return np.ascontiguousarray(np.moveaxis(scaled, 0, -1))


def _bands(patch: Patch) -> NDArray[np.float32]:
    """Optical, then SAR bands (B, H, W); NaN where there is no data."""
    optical = np.where(patch.valid[0], patch.optical, np.float32(np.nan))
    return np.concatenate([optical, np.where(patch.valid[1], patch.sar, np.float32(np.nan))])


def _scaling(scene: SceneArrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Median and half the distance of the 16 % and 84 % quantiles of each band, from a thinned scene."""
    height, width = scene.grid.height, scene.grid.width
    step = int(np.ceil(np.sqrt(height * width / SAMPLE)))
    rows = [_bands(scene.read(y, 0, 1, width))[:, 0, ::step] for y in range(0, height, step)]
    sample = np.concatenate(rows, axis=1)
    known = [band[np.isfinite(band)] for band in sample]
    low, centre, high = np.array(
        [np.quantile(band, (0.16, 0.5, 0.84)) if band.size else (0, 0, 0) for band in known],
        np.float32,
    ).T
    return centre, np.where(high > low, (high - low) / 2, np.float32(1))


def _blocks(height: int, width: int) -> Iterator[Block]:
    """A rest too small for a block of its own joins the last."""
    for y, y_end in _spans(height):
        for x, x_end in _spans(width):
            yield y, x, y_end - y, x_end - x


def _spans(length: int) -> list[tuple[int, int]]:
    starts = [0, *range(SIDE, length - BLOCK + 1, SIDE)]
    return list(zip(starts, [*starts[1:], length], strict=True))
