"""QGIS layer styles of maps."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET  # only writes, so nothing hostile is parsed

from tiles.types import Color

# Five colours of matplotlib's viridis, from low to high.
RAMP: tuple[Color, ...] = (
    (68, 1, 84),
    (59, 82, 139),
    (33, 145, 140),
    (94, 201, 98),
    (253, 231, 37),
)


def hex_color(color: Color) -> str:
    """Return a colour as ``#rrggbb``.

    Example:
        >>> hex_color((0, 255, 0))
        '#00ff00'
    """
    return "#{:02x}{:02x}{:02x}".format(*color)


def ramp_steps(low: float, high: float) -> list[tuple[float, Color]]:
    """Return the values and colours of a ramp.

    Args:
        low: Value of the ramp's first colour.
        high: Value of the ramp's last colour.

    Example:
        >>> [value for value, _ in ramp_steps(0, 20)]
        [0.0, 5.0, 10.0, 15.0, 20.0]
    """
    last = len(RAMP) - 1
    return [(low + (high - low) * step / last, color) for step, color in enumerate(RAMP)]


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
    # With an empty nodataColor, QGIS shows the file's nodata as transparent.
    common = {"band": "1", "opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    renderer = ET.Element("rasterrenderer", {"type": kind, **common, **attributes})
    ET.SubElement(renderer, "rasterTransparency")
    limits = ET.SubElement(renderer, "minMaxOrigin")
    for key, text in (("limits", "None"), ("extent", "WholeRaster"), ("statAccuracy", "Exact")):
        ET.SubElement(limits, key).text = text
    return renderer


def class_style(names: Sequence[str], colors: Sequence[Color]) -> str:
    """Return a QGIS style with one legend entry per class.

    Args:
        names: Names of the classes with the pixel values 0, 1, ...
        colors: Colours of the classes.

    Returns:
        The text of a `.qml` file.

    Example:
        >>> 'label="tree" color="#00ff00"' in class_style(["tree"], [(0, 255, 0)])
        True
    """
    renderer = _renderer("paletted")
    palette = ET.SubElement(renderer, "colorPalette")
    for value, (name, color) in enumerate(zip(names, colors, strict=True)):
        entry = {"value": str(value), "label": name, "color": hex_color(color), "alpha": "255"}
        ET.SubElement(palette, "paletteEntry", entry)
    return _document(renderer)


def value_style(low: float, high: float, unit: str) -> str:
    """Return a QGIS style with a continuous colour ramp.

    Args:
        low: Value of the ramp's first colour.
        high: Value of the ramp's last colour.
        unit: Unit that follows the numbers of the legend.

    Returns:
        The text of a `.qml` file.

    Example:
        >>> 'label="30 m" color="#fde725"' in value_style(0, 30, "m")
        True
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
    for value, color in ramp_steps(low, high):
        item = {"value": f"{value:.9g}", "label": f"{value:.4g} {unit}".strip()}
        ET.SubElement(shader, "item", {**item, "color": hex_color(color), "alpha": "255"})
    return _document(renderer)
