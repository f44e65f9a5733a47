"""When an image was taken, where its file says so."""

from datetime import UTC, datetime
from typing import Any

# GDAL's own name, in its domain for satellite images; and a tag of the file, as many products have it.
TAGS = (("IMAGERY", "ACQUISITIONDATETIME"), (None, "ACQUISITION_DATE"))
TAG = TAGS[1][1]  # what this package writes


def taken(source: Any) -> datetime | None:
    """Of an open rasterio dataset, in UTC, as one without a zone is taken; None without a date of ISO
    8601."""
    for domain, name in TAGS:
        try:
            found = datetime.fromisoformat(source.tags(ns=domain).get(name, "").strip())
        except ValueError:
            continue
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return None
