"""How QGIS and GDAL are told names and colours of classes."""

from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

QGIS = "3.28.0"  # the version whose form these have; later ones read it


def category_names(names: Sequence[str]) -> str:
    """Class names as GDAL's auxiliary file of a raster (`.aux.xml`) holds them; a class's place in the list
    is its value."""
    root = Element("PAMDataset")
    band = SubElement(root, "PAMRasterBand", band="1")
    categories = SubElement(band, "CategoryNames")
    for name in names:
        SubElement(categories, "Category").text = name
    return _text(root)


def raster_style(names: Sequence[str], colours: Sequence[str]) -> str:
    """QGIS style of a raster of class indices; colours `#rrggbb`."""
    root = Element("qgis", version=QGIS)
    renderer = SubElement(
        SubElement(root, "pipe"), "rasterrenderer", type="paletted", band="1", alphaBand="-1",
        opacity="1",
    )  # fmt: skip
    palette = SubElement(renderer, "colorPalette")
    for value, (name, colour) in enumerate(zip(names, colours, strict=True)):
        SubElement(palette, "paletteEntry", value=str(value), label=name, color=colour, alpha="255")
    return _text(root)


def polygon_style(field: str, names: Sequence[str], colours: Sequence[str]) -> str:
    """QGIS style of polygons whose attribute `field` is a class name; without outlines, as a raster."""
    root = Element("qgis", version=QGIS, styleCategories="Symbology")
    renderer = SubElement(root, "renderer-v2", type="categorizedSymbol", attr=field)
    categories, symbols = SubElement(renderer, "categories"), SubElement(renderer, "symbols")
    for number, (name, colour) in enumerate(zip(names, colours, strict=True)):
        SubElement(
            categories, "category", symbol=str(number), value=name, label=name, type="string",
            render="true",
        )  # fmt: skip
        symbol = SubElement(symbols, "symbol", name=str(number), type="fill", alpha="1")
        options = SubElement(SubElement(symbol, "layer", {"class": "SimpleFill"}), "Option")
        options.set("type", "Map")
        red, green, blue = bytes.fromhex(colour.removeprefix("#"))
        for key, value in (
            ("color", f"{red},{green},{blue},255"),
            ("style", "solid"),
            ("outline_style", "no"),
        ):
            SubElement(options, "Option", name=key, type="QString", value=value)
    return _text(root)


def _text(root: Element) -> str:
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
