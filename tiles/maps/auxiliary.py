"""GDAL's auxiliary file of a map of classes: category names, and a raster attribute table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET  # only writes, so nothing hostile is parsed

from tiles.types import Color

INTEGER, REAL, TEXT = "0", "1", "2"
"""GDAL's numbers of types of columns (GDALRATFieldType)."""

COLUMNS: Final = (
    ("Value", INTEGER, "5"),  # GFU_MinMax
    ("Count", REAL, "1"),  # GFU_PixelCount; integers end at 2^31
    ("Class", TEXT, "2"),  # GFU_Name
    ("Red", INTEGER, "6"),
    ("Green", INTEGER, "7"),
    ("Blue", INTEGER, "8"),
)
"""Name, type and usage (GDALRATFieldUsage) of the columns, as ArcGIS and QGIS read them."""


def class_metadata(names: Sequence[str], colors: Sequence[Color], counts: Sequence[int]) -> str:
    """Return GDAL's auxiliary metadata of a band of classes.

    Args:
        names: Names of the classes with the pixel values 0, 1, ...
        colors: Colours of the classes.
        counts: Number of pixels of each class.

    Returns:
        The text of an `.aux.xml` file.

    Example:
        >>> text = class_metadata(["tree"], [(0, 255, 0)], [12])
        >>> "<Category>tree</Category>" in text, "<F>12</F>" in text
        (True, True)
    """
    root = ET.Element("PAMDataset")
    band = ET.SubElement(root, "PAMRasterBand", band="1")
    categories = ET.SubElement(band, "CategoryNames")
    for name in names:
        ET.SubElement(categories, "Category").text = name
    table = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for number, column in enumerate(COLUMNS):
        field = ET.SubElement(table, "FieldDefn", index=str(number))
        for tag, text in zip(("Name", "Type", "Usage"), column, strict=True):
            ET.SubElement(field, tag).text = text
    for value, (name, color, count) in enumerate(zip(names, colors, counts, strict=True)):
        row = ET.SubElement(table, "Row", index=str(value))
        for cell in (value, count, name, *color):
            ET.SubElement(row, "F").text = str(cell)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
