"""Sidecars of a map: QGIS layer styles, and GDAL's auxiliary file for category names."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET  # only writes, so nothing hostile is parsed

from tiles.types import Color

# viridis, from low to high
RAMP: tuple[Color, ...] = (
    (68, 1, 84),
    (59, 82, 139),
    (33, 145, 140),
    (94, 201, 98),
    (253, 231, 37),
)


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def _document(renderer: ET.Element) -> str:
    root = ET.Element("qgis", version="3.28.0", styleCategories="Symbology")
    pipe = ET.SubElement(root, "pipe")
    pipe.append(renderer)
    ET.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    ET.SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0", colorizeOn="0")
    ET.SubElement(pipe, "rasterresampler", maxOversampling="2")
    ET.SubElement(root, "blendMode").text = "0"
    ET.indent(root)
    head = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    return head + ET.tostring(root, encoding="unicode") + "\n"


def _renderer(kind: str, **attributes: str) -> ET.Element:
    # An empty nodataColor leaves the file's nodata transparent.
    common = {"band": "1", "opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    renderer = ET.Element("rasterrenderer", {"type": kind, **common, **attributes})
    ET.SubElement(renderer, "rasterTransparency")
    limits = ET.SubElement(renderer, "minMaxOrigin")
    for key, text in (("limits", "None"), ("extent", "WholeRaster"), ("statAccuracy", "Exact")):
        ET.SubElement(limits, key).text = text
    return renderer


def class_style(names: Sequence[str], colors: Sequence[Color]) -> str:
    """A QGIS style with one legend entry per class.

    Args:
        names: What the pixel values 0, 1, ... mean.
        colors: Their colours (red, green, blue), 0..255.

    Returns:
        The text of a `.qml` file.
    """
    renderer = _renderer("paletted")
    palette = ET.SubElement(renderer, "colorPalette")
    for value, (name, color) in enumerate(zip(names, colors, strict=True)):
        entry = {"value": str(value), "label": name, "color": _hex(color), "alpha": "255"}
        ET.SubElement(palette, "paletteEntry", entry)
    return _document(renderer)


def value_style(low: float, high: float, unit: str) -> str:
    """A QGIS style with a continuous colour ramp.

    Args:
        low: Value at the ramp's foot.
        high: Value at its top.
        unit: Written behind the legend's numbers.

    Returns:
        The text of a `.qml` file.
    """
    span = {"classificationMin": f"{low:g}", "classificationMax": f"{high:g}"}
    renderer = _renderer("singlebandpseudocolor", **span)
    shader = ET.SubElement(
        ET.SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="2",
        clip="0",
        minimumValue=f"{low:g}",
        maximumValue=f"{high:g}",
        labelPrecision="2",
    )
    for step, color in enumerate(RAMP):
        value = low + (high - low) * step / (len(RAMP) - 1)
        item = {"value": f"{value:.9g}", "label": f"{value:.4g} {unit}".strip()}
        ET.SubElement(shader, "item", {**item, "color": _hex(color), "alpha": "255"})
    return _document(renderer)


def category_names(names: Sequence[str]) -> str:
    """GDAL's auxiliary metadata that names the values of band 1.

    Args:
        names: What the pixel values 0, 1, ... mean.

    Returns:
        The text of an `.aux.xml` file.
    """
    root = ET.Element("PAMDataset")
    categories = ET.SubElement(ET.SubElement(root, "PAMRasterBand", band="1"), "CategoryNames")
    for name in names:
        ET.SubElement(categories, "Category").text = name
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
