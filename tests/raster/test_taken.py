"""When an image was taken: what the tags of files say, in UTC."""

from pathlib import Path

import pytest
import rasterio

from dllr.raster.taken import taken


@pytest.mark.parametrize(
    ("domain", "name", "said", "found"),
    [
        (None, "ACQUISITION_DATE", "2023-07-04", "2023-07-04T00:00:00+00:00"),
        (None, "ACQUISITION_DATE", " 2023-07-04T10:11:12+08:00", "2023-07-04T02:11:12+00:00"),
        ("IMAGERY", "ACQUISITIONDATETIME", "2023-07-04 10:11:12", "2023-07-04T10:11:12+00:00"),
        (None, "ACQUISITION_DATE", "some summer", None),
        (None, "TIFFTAG_DATETIME", "2023:07:04 10:11:12", None),  # when the file was written
    ],
)
def test_the_day_is_read_from_tags(
    domain: str | None, name: str, said: str, found: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "image.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=2, height=2, count=1, dtype="uint8", crs="EPSG:32650",
        transform=rasterio.Affine(1, 0, 5, 0, -1, 5),
    ) as target:  # fmt: skip
        target.update_tags(ns=domain, **{name: said})
    with rasterio.open(path) as source:
        day = taken(source)
    assert (day and day.isoformat()) == found
