"""What QGIS and GDAL are told of classes holds their names and colours, whatever is in a name."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import rasterio
import rasterio.shutil

from dllr.maps.styles import category_names, polygon_style, raster_style

NAMES, COLOURS = ["water", 'wet <"&"> wood', "Äcker"], ["#2166AC", "#1B7837", "#E3C56B"]


def test_gdal_reads_the_category_names(tmp_path: Path) -> None:
    path = tmp_path / "class.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=4, height=4, count=1, dtype="uint8", crs="EPSG:32650",
        transform=rasterio.Affine(1, 0, 5, 0, -1, 5),
    ) as target:  # fmt: skip
        target.write(np.zeros((1, 4, 4), np.uint8))
    (tmp_path / "class.tif.aux.xml").write_text(category_names(NAMES), encoding="utf-8")
    rasterio.shutil.copy(path, tmp_path / "seen.vrt", driver="VRT")
    seen = ElementTree.parse(tmp_path / "seen.vrt")
    assert [c.text for c in seen.iterfind(".//CategoryNames/Category")] == NAMES


def test_the_raster_style_has_an_entry_a_class() -> None:
    entries = list(ElementTree.fromstring(raster_style(NAMES, COLOURS)).iter("paletteEntry"))
    assert [entry.get("value") for entry in entries] == ["0", "1", "2"]
    assert [entry.get("label") for entry in entries] == NAMES
    assert [entry.get("color") for entry in entries] == COLOURS


def test_the_polygon_style_gives_each_name_its_symbol() -> None:
    root = ElementTree.fromstring(polygon_style("class", NAMES, COLOURS))
    assert root.find("renderer-v2").get("attr") == "class"
    colours = {
        symbol.get("name"): symbol.find("layer/Option/Option[@name='color']").get("value")
        for symbol in root.iter("symbol")
    }
    found = {c.get("value"): colours[c.get("symbol")] for c in root.iter("category")}
    assert found == dict(
        zip(NAMES, ("33,102,172,255", "27,120,55,255", "227,197,107,255"), strict=True)
    )
