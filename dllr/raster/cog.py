"""Cloud-optimised GeoTIFFs out of plain ones."""

from pathlib import Path

import rasterio
import rasterio.shutil

from dllr.files import atomic_file
from dllr.raster.grid import BLOCK

LEVEL = 1  # of compression: half the time of the default, for 2 % more bytes of numbers, 20 % of classes


def to_cog(source: Path, target: Path, overviews: str) -> None:
    """Rewrite a GeoTIFF as a COG; overviews: `mode` for classes, `average` for numbers."""
    # Overviews lie in a temporary file first: to compress them there would cost a third of the time.
    with atomic_file(target) as temporary, rasterio.Env(COG_TMP_COMPRESSION="NONE"):
        rasterio.shutil.copy(
            source, temporary, driver="COG", COMPRESS="ZSTD", LEVEL=LEVEL, BLOCKSIZE=BLOCK,
            OVERVIEW_RESAMPLING=overviews.upper(), RESAMPLING=overviews.upper(),
        )  # fmt: skip
