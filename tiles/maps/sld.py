"""Styled Layer Descriptors (OGC SLD 1.0): styles of maps for GeoServer, MapServer and others."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET  # only writes, so nothing hostile is parsed

from tiles.maps.qgis import hex_color, ramp_steps
from tiles.types import Color

NAMESPACES = {
    "xmlns": "http://www.opengis.net/sld",
    "xmlns:ogc": "http://www.opengis.net/ogc",
    "xmlns:xlink": "http://www.w3.org/1999/xlink",
}


def class_sld(layer: str, names: Sequence[str], colors: Sequence[Color]) -> str:
    """Return the descriptor of a map of classes.

    Args:
        layer: Name of the layer.
        names: Names of the classes with the pixel values 0, 1, ...
        colors: Colours of the classes.

    Example:
        >>> 'color="#00ff00" quantity="0" label="tree"' in class_sld("a", ["tree"], [(0, 255, 0)])
        True
    """
    entries = [
        (color, str(value), name)
        for value, (name, color) in enumerate(zip(names, colors, strict=True))
    ]
    return _document(layer, "values", entries)


def value_sld(layer: str, low: float, high: float, unit: str, band: int | None = None) -> str:
    """Return the descriptor of a map of values with a continuous colour ramp.

    Args:
        layer: Name of the layer.
        low: Value of the ramp's first colour.
        high: Value of the ramp's last colour.
        unit: Unit that follows the numbers of the legend.
        band: Number of the band that is shown, of a map of several.

    Example:
        >>> 'color="#fde725" quantity="30" label="30 m"' in value_sld("height", 0, 30, "m")
        True
    """
    entries = [
        (color, f"{value:.9g}", f"{value:.4g} {unit}".strip())
        for value, color in ramp_steps(low, high)
    ]
    return _document(layer, "ramp", entries, band)


def _document(
    layer: str, kind: str, entries: Sequence[tuple[Color, str, str]], band: int | None = None
) -> str:
    root = ET.Element("StyledLayerDescriptor", {"version": "1.0.0", **NAMESPACES})
    named = ET.SubElement(root, "NamedLayer")
    ET.SubElement(named, "Name").text = layer
    style = ET.SubElement(named, "UserStyle")
    ET.SubElement(style, "Title").text = layer
    rule = ET.SubElement(ET.SubElement(style, "FeatureTypeStyle"), "Rule")
    symbolizer = ET.SubElement(rule, "RasterSymbolizer")
    if band is not None:
        channel = ET.SubElement(ET.SubElement(symbolizer, "ChannelSelection"), "GrayChannel")
        ET.SubElement(channel, "SourceChannelName").text = str(band)
    colors = ET.SubElement(symbolizer, "ColorMap", type=kind)
    for color, quantity, label in entries:
        entry = {"color": hex_color(color), "quantity": quantity, "label": label}
        ET.SubElement(colors, "ColorMapEntry", entry)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
