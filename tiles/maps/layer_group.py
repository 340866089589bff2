"""QGIS layer definitions: the maps of one place as a group that is opened at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from xml.etree import ElementTree as ET

import rasterio
from pyproj import CRS

from tiles.files import write_errors, write_text
from tiles.maps.layers import Layer


def write_layer_group(
    target: Path, name: str, layers: Sequence[Layer], files: Mapping[str, str | PathLike[str]]
) -> None:
    """Write a QGIS layer definition of maps: a group with a styled layer for each.

    Paths in it are relative, so that the folder can be moved.

    Args:
        target: The file, ending in ``.qlr``.
        name: Name of the group.
        layers: The maps.
        files: File of each map, by its name.

    Raises:
        InputError: If the file cannot be written.

    Example:
        >>> from tiles.maps import ValueMap
        >>> layer = ValueMap("height", unit="m", high=30.0)
        >>> write_layer_group(Path("town.qlr"), "town", [layer], {"height": "height.tif"})
        >>> 'source="./height.tif"' in Path("town.qlr").read_text()
        True
    """
    root = ET.Element("qlr")
    tree = ET.SubElement(root, "layer-tree-group", name="", checked="Qt::Checked", expanded="1")
    group = ET.SubElement(tree, "layer-tree-group", name=name, checked="Qt::Checked", expanded="1")
    definitions = ET.SubElement(root, "maplayers")
    with rasterio.open(files[layers[0].name]) as raster:  # all maps have one CRS
        crs = CRS.from_user_input(raster.crs)
    for layer in layers:
        file = Path(files[layer.name])
        relative = Path(os.path.relpath(file, target.parent)).as_posix()
        identifier, source = f"{name}_{layer.name}", f"./{relative}"
        entry = {"id": identifier, "name": layer.name, "source": source, "providerKey": "gdal"}
        ET.SubElement(group, "layer-tree-layer", entry, checked="Qt::Checked", expanded="1")
        definitions.append(_definition(identifier, source, layer, crs))
    ET.indent(root)
    head = "<!DOCTYPE qgis-layer-definition>\n"
    with write_errors(target):
        write_text(target, head + ET.tostring(root, encoding="unicode") + "\n")


def _definition(identifier: str, source: str, layer: Layer, crs: CRS) -> ET.Element:
    definition = ET.Element("maplayer", type="raster", styleCategories="AllStyleCategories")
    for tag, text in (("id", identifier), ("datasource", source), ("layername", layer.name)):
        ET.SubElement(definition, tag).text = text
    definition.append(_reference_system(crs))
    ET.SubElement(definition, "provider").text = "gdal"
    style = ET.fromstring(layer.style().partition("\n")[2])  # noqa: S314 - our own text
    definition.extend(style)
    return definition


def _reference_system(crs: CRS) -> ET.Element:
    system = ET.Element("srs")
    fields = ET.SubElement(system, "spatialrefsys")
    authority = crs.to_authority(min_confidence=100)
    texts = {
        "wkt": crs.to_wkt("WKT2_2019"),
        "authid": ":".join(authority) if authority else "",
        "description": crs.name,
        "geographicflag": str(crs.is_geographic).lower(),
    }
    for tag, text in texts.items():
        ET.SubElement(fields, tag).text = text
    return system
