"""Orthophotos that servers give as map tiles: XYZ and WMTS, at one zoom level, around an area."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from functools import cache
from os import fspath
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import rasterio
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import RasterioError

from tiles.errors import InputError, input_errors
from tiles.grid import PixelGrid
from tiles.reading.polygon_file import polygon_bounds
from tiles.reading.virtual_raster import VirtualRaster, Window, cut_window
from tiles.settings import check_range
from tiles.types import RasterName

MARGIN: Final = 512
"""Pixels that are read around an area at least, which networks see as its surroundings."""

TILE: Final = 256
"""Edge of a tile of XYZ services in pixels."""

HALF_WORLD: Final = math.pi * 6378137
"""Half of the edge of Web Mercator's square world in its metres."""

FINEST_LEVEL: Final = 24
"""Zoom level with pixels of 1 cm at the equator."""

CACHE_BYTES: Final = 2**30
"""Size of GDAL's cache of tiles on disk: they are read for statistics, maps and previews."""


def is_tile_service(raster: RasterName) -> bool:
    """Return whether a name is the address of an XYZ or WMTS service.

    Example:
        >>> is_tile_service("https://tiles.example.org/{z}/{x}/{y}.jpg"), is_tile_service("a.tif")
        (True, False)
    """
    name = fspath(raster)
    return name.startswith("WMTS:") or ("://" in name and "{z}" in name)


def service_name(address: str) -> str:
    """Return the address of a service without its query, which may hold a password or key.

    Example:
        >>> service_name("https://me:secret@tiles.example.org/{z}/{x}/{y}.jpg?key=1")
        'https://tiles.example.org/{z}/{x}/{y}.jpg'
    """
    parts = urlsplit(address.removeprefix("WMTS:"))
    layer = re.search(r",layer=([^,]+)", address)
    path = parts.path.split(",")[0]
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{path}" + (f"?layer={layer[1]}" if layer else "")


def open_tile_service(address: str, area: RasterName, gsd: float) -> VirtualRaster:
    """Return the tiles of a service around an area as one raster, at one zoom level.

    Tiles are fetched when they are read, and kept in GDAL's cache for a week. Where the server has
    none, pixels are unknown.

    Args:
        address: URL with ``{z}``, ``{x}`` and ``{y}`` of tiles of 256 pixels in Web Mercator, row 0
            in the north; or ``WMTS:URL``, with ``,layer=NAME`` if there are several, as GDAL's
            WMTS driver describes it.
        area: A file of polygons.
        gsd: Ground sampling distance in metres; the zoom level that comes nearest is read.

    Raises:
        InputError: If the server does not answer, or the area cannot be read or lies elsewhere.

    Example:
        >>> raster = open_tile_service(
        ...     "https://tiles.example.org/{z}/{x}/{y}.jpg", "area.gpkg", gsd=0.5
        ... )
        >>> str(raster), "<TileLevel>18</TileLevel>" in raster.description
        ('https://tiles.example.org/{z}/{x}/{y}.jpg', True)
    """
    check_range("gsd", gsd, 0, above=True)
    if address.startswith("WMTS:"):
        return _open_wmts(address, area, gsd)
    return _open_xyz(address, area, gsd)


def _open_xyz(address: str, area: RasterName, gsd: float) -> VirtualRaster:
    fields = re.findall(r"{([^}]*)}", address)
    if sorted(fields) != ["x", "y", "z"]:
        fault = f"has {', '.join(f'{{{field}}}' for field in fields)} to be filled in"
        raise InputError(service_name(address), fault, "give a URL with {z}, {x} and {y} alone")
    bounds = polygon_bounds(area, CRS.from_epsg(3857))
    halvings = round(math.log2(gsd / _gsd_at(_world(FINEST_LEVEL), bounds)))
    level = min(max(FINEST_LEVEL - halvings, 0), FINEST_LEVEL)
    world = _world(level)
    rows, columns = _window(world, bounds, area)
    # Whole tiles.
    top, bottom = rows[0] // TILE, -(-rows[1] // TILE)
    left, right = columns[0] // TILE, -(-columns[1] // TILE)
    grid = world.window(left * TILE, top * TILE, (right - left) * TILE, (bottom - top) * TILE)
    west, south, east, north = grid.bounds
    url = escape(re.sub(r"{([xyz])}", r"${\1}", address))
    return VirtualRaster(
        service_name(address),
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}</ServerUrl></Service><DataWindow>'
        f"<UpperLeftX>{west!r}</UpperLeftX><UpperLeftY>{north!r}</UpperLeftY>"
        f"<LowerRightX>{east!r}</LowerRightX><LowerRightY>{south!r}</LowerRightY>"
        f"<TileLevel>{level}</TileLevel><TileX>{left}</TileX><TileY>{top}</TileY>"
        f"<SizeX>{grid.width}</SizeX><SizeY>{grid.height}</SizeY><YOrigin>top</YOrigin>"
        # GDAL would take the tiles of coarser levels from another place.
        "</DataWindow><OverviewCount>0</OverviewCount><Projection>EPSG:3857</Projection>"
        f"<BlockSizeX>{TILE}</BlockSizeX><BlockSizeY>{TILE}</BlockSizeY>"
        # The fourth band is alpha, which GDAL sets to 0 where there is no tile.
        "<BandsCount>4</BandsCount><ZeroBlockHttpCodes>204,404</ZeroBlockHttpCodes>"
        f"<Cache><MaxSize>{CACHE_BYTES}</MaxSize></Cache></GDAL_WMS>",
    )


def _open_wmts(address: str, area: RasterName, gsd: float) -> VirtualRaster:
    name = service_name(address)
    remedy = "check the address: WMTS:URL,layer=NAME"
    with input_errors(name, "cannot be read as a WMTS service", remedy, RasterioError):
        with rasterio.open(address) as service:
            layers = set(re.findall(r"layer=([^,\s]+)", " ".join(service.subdatasets)))
            if len(layers) > 1 and ",layer=" not in address:  # GDAL would take the first
                fault = f"has several layers: {', '.join(sorted(layers))}"
                raise InputError(name, fault, "choose one: WMTS:URL,layer=NAME")
            crs = service.crs
        bounds = polygon_bounds(area, crs)
        zoomed = f"{address},zoom_level={_nearest_level(address, bounds, gsd)}"
        with rasterio.open(zoomed) as service:
            window = _window(PixelGrid.of(service), bounds, area)
        return cut_window(name, zoomed, window)


def _nearest_level(address: str, bounds: tuple[float, float, float, float], gsd: float) -> int:
    """Return the zoom level of a WMTS layer whose pixels come nearest to a size on the ground."""

    # Opening a level may fetch the service's capabilities again.
    @cache
    def too_fine(level: int) -> float:
        """Return log(gsd / pixel size) of a level; infinity if there is no such level."""
        try:
            with rasterio.open(f"{address},zoom_level={level}") as service:
                return math.log(gsd / _gsd_at(PixelGrid.of(service), bounds))
        except RasterioError:
            return math.inf

    level = bisect_left(range(FINEST_LEVEL + 1), 0.0, key=too_fine)
    return min((max(level - 1, 0), level), key=lambda number: abs(too_fine(number)))


def _world(level: int) -> PixelGrid:
    """Return the grid of all tiles of a zoom level."""
    size = 2 * HALF_WORLD / (TILE << level)
    transform = Affine(size, 0, -HALF_WORLD, 0, -size, HALF_WORLD)
    return PixelGrid(CRS.from_epsg(3857), transform, TILE << level, TILE << level)


def _gsd_at(grid: PixelGrid, bounds: tuple[float, float, float, float]) -> float:
    """Return the size of a grid's pixels on the ground at the centre of an extent.

    A pixel of Web Mercator shrinks on the ground with the cosine of the latitude.
    """
    t = grid.transform
    column = math.floor(((bounds[0] + bounds[2]) / 2 - t.c) / t.a)
    row = math.floor(((bounds[1] + bounds[3]) / 2 - t.f) / t.e)
    return grid.window(column, row, 1, 1).gsd


def _window(grid: PixelGrid, bounds: tuple[float, float, float, float], area: RasterName) -> Window:
    """Return the rows and columns of a grid that contain an extent, and some more around it."""
    t, (west, south, east, north) = grid.transform, bounds
    top, bottom = math.floor((north - t.f) / t.e), math.ceil((south - t.f) / t.e)
    left, right = math.floor((west - t.c) / t.a), math.ceil((east - t.c) / t.a)
    if bottom <= 0 or right <= 0 or top >= grid.height or left >= grid.width:
        raise InputError(fspath(area), "lies outside the service's extent", "give another area")
    rows = max(0, top - MARGIN), min(grid.height, bottom + MARGIN)
    columns = max(0, left - MARGIN), min(grid.width, right + MARGIN)
    return rows, columns
