"""Rasters that are given by an address: of a tile service or a STAC Item."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os import fspath
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from tiles.errors import InvalidValueError
from tiles.reading.array_raster import ArrayRaster
from tiles.reading.stac_item import is_item, open_item
from tiles.reading.tile_service import is_tile_service, open_tile_service, service_name
from tiles.reading.virtual_raster import VirtualRaster, display_name
from tiles.types import BandSelection, RasterName

URL: Final = re.compile(r"(?:/vsi\w+/)*(https?://.+)")
"""A URL, with or without GDAL's /vsi prefixes."""


def is_address(raster: RasterName) -> bool:
    """Return whether a name is the address of a tile service or of a STAC Item.

    Example:
        >>> is_address("WMTS:https://example.org/wmts,layer=ortho"), is_address("ortho.tif")
        (True, False)
    """
    if isinstance(raster, ArrayRaster | VirtualRaster):
        return False
    return is_tile_service(raster) or is_item(raster)


def resolve_addresses(
    rasters: Sequence[RasterName],
    area: RasterName | None = None,
    gsd: float | None = None,
    bands: BandSelection | None = None,
) -> list[RasterName]:
    """Return rasters that GDAL reads in place of addresses; other rasters stay as they are.

    Args:
        rasters: Files, images, and addresses of tile services and STAC Items.
        area: A file of polygons, which tile services need.
        gsd: Ground sampling distance in metres at which tile services are read.
        bands: Names of the bands that are wanted of STAC Items with a file for each.

    Raises:
        InputError: If a server does not answer, or an Item does not say which image is meant.
        InvalidValueError: If a tile service is given without `area` or `gsd`.

    Example:
        >>> resolve_addresses(["ortho.tif"])
        ['ortho.tif']
    """
    return [
        _resolve(fspath(raster), area, gsd, bands) if is_address(raster) else raster
        for raster in rasters
    ]


def _resolve(
    address: str, area: RasterName | None, gsd: float | None, bands: BandSelection | None
) -> RasterName:
    if not is_tile_service(address):
        return open_item(address, bands)
    if area is None:
        fault = "is a tile service of a whole country or the world"
        raise InvalidValueError(service_name(address), fault, "give an area to read")
    if gsd is None:
        fault = "is a tile service with many zoom levels"
        raise InvalidValueError(service_name(address), fault, "give a ground sampling distance")
    return open_tile_service(address, area, gsd)


def raster_stem(raster: RasterName) -> str:
    """Return the base name of outputs of a raster.

    Returns:
        The name of a file without its ending, of a URL without its query, and the host of a tile
        service with its layer.

    Example:
        >>> raster_stem("maps/ortho.tif"), raster_stem("https://example.org/a%20b.tif?key=1")
        ('ortho', 'a b')
        >>> raster_stem("https://tiles.example.org/{z}/{x}/{y}.jpg")
        'tiles.example.org'
    """
    name = str(raster) if isinstance(raster, VirtualRaster) else fspath(raster)
    if is_tile_service(name):
        parts = urlsplit(service_name(name))
        return "_".join(re.findall(r"[\w.-]+", f"{parts.netloc} {parts.query[6:]}"))
    if is_item(name):
        name = name.partition("#")[0]
    if (path := _path_of_url(name)) is not None:
        # The identifier of an Item of a STAC API may have dots.
        return Path(path).name if is_item(name) and not path.endswith(".json") else Path(path).stem
    return Path(name).stem


def public_name(raster: RasterName) -> str:
    """Return the name of a raster for tags and titles of maps.

    Returns:
        The last part of a path or URL, without user, query and fragment, which may hold a key; the
        name of a virtual raster as it is.

    Example:
        >>> public_name("photos/ortho.tif"), public_name("https://example.org/a%20b.tif?sig=key")
        ('ortho.tif', 'a b.tif')
    """
    name = display_name(raster)
    if (path := _path_of_url(name)) is not None:
        return Path(path).name
    return name if isinstance(raster, VirtualRaster) else Path(name).name


def _path_of_url(name: str) -> str | None:
    """Return the path of a URL, which may have GDAL's prefixes; None if it is none."""
    url = URL.fullmatch(name)
    return None if url is None or is_tile_service(name) else unquote(urlsplit(url[1]).path)
