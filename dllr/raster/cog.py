"""Cloud-optimised GeoTIFFs out of plain ones."""

from pathlib import Path

import rasterio.shutil

from dllr.files import atomic_file
from dllr.raster.grid import BLOCK


def to_cog(source: Path, target: Path, overviews: str) -> None:
    """Rewrite a GeoTIFF as a COG; overviews: `mode` for classes, `average` for numbers."""
    with atomic_file(target) as temporary:
        rasterio.shutil.copy(
            source, temporary, driver="COG", COMPRESS="ZSTD", BLOCKSIZE=BLOCK,
            OVERVIEW_RESAMPLING=overviews.upper(), RESAMPLING=overviews.upper(),
        )  # fmt: skip
