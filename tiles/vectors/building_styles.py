"""QGIS styles of buildings, which QGIS takes from the GeoPackage itself (table `layer_styles`)."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET  # only writes, so nothing hostile is parsed

BY_HEIGHT: Final = (
    """coalesce(ramp_color('Viridis', scale_linear("height_m", 0, 30, 0, 1)), '#cccccc')"""
)
"""Expression of QGIS for the colour of a building: viridis from 0 to 30 m, as maps of heights."""


def footprints_style() -> str:
    """Return the style of footprints, coloured by height; the text of a QML file.

    Example:
        >>> "height_m" in footprints_style()
        True
    """
    root = _root("Symbology")
    _fill(root)
    return _text(root)


def blocks_style() -> str:
    """Return the style of 3D blocks: solid bodies in 3D views, and fills in flat ones.

    Example:
        >>> 'alt-clamping="absolute"' in blocks_style()
        True
    """
    root = _root("Symbology|Symbology3D")
    renderer = ET.SubElement(root, "renderer-3d", {"type": "vector"})
    symbol = ET.SubElement(renderer, "symbol", {"type": "polygon", "material_type": "phong"})
    data = {
        "culling-mode": "no-culling",
        "alt-clamping": "absolute",
        "alt-binding": "vertex",
        "height": "0",
        "extrusion-height": "0",
    }
    ET.SubElement(symbol, "data", data)
    colors = {"ambient": "90,70,40,255", "diffuse": "217,188,134,255", "specular": "60,60,60,255"}
    ET.SubElement(symbol, "material", {"shininess": "0", **colors})
    ET.SubElement(symbol, "edges", {"color": "60,60,60,255", "enabled": "1", "width": "1"})
    _fill(root)
    return _text(root)


def _root(categories: str) -> ET.Element:
    return ET.Element("qgis", {"version": "3.22.0", "styleCategories": categories})


def _fill(root: ET.Element) -> None:
    """Add a flat renderer."""
    renderer = ET.SubElement(root, "renderer-v2", {"type": "singleSymbol"})
    symbols = ET.SubElement(renderer, "symbols")
    symbol = ET.SubElement(symbols, "symbol", {"type": "fill", "name": "0", "alpha": "1"})
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1"})
    properties = {
        "color": "217,188,134,255",
        "style": "solid",
        "outline_color": "60,60,60,255",
        "outline_style": "solid",
        "outline_width": "0.2",
        "outline_width_unit": "MM",
    }
    for key, value in properties.items():  # the form that all versions of QGIS read
        ET.SubElement(layer, "prop", {"k": key, "v": value})
    defined = ET.SubElement(layer, "data_defined_properties")
    options = ET.SubElement(defined, "Option", {"type": "Map"})
    ET.SubElement(options, "Option", {"name": "name", "type": "QString", "value": ""})
    by_name = ET.SubElement(options, "Option", {"name": "properties", "type": "Map"})
    color = ET.SubElement(by_name, "Option", {"name": "fillColor", "type": "Map"})
    for name, kind, value in (
        ("active", "bool", "true"),
        ("expression", "QString", BY_HEIGHT),
        ("type", "int", "3"),
    ):
        ET.SubElement(color, "Option", {"name": name, "type": kind, "value": value})
    ET.SubElement(options, "Option", {"name": "type", "type": "QString", "value": "collection"})


def _text(root: ET.Element) -> str:
    ET.indent(root)
    head = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    return head + ET.tostring(root, encoding="unicode") + "\n"
