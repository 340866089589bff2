"""An area of interest: which pixels of a grid lie inside the polygons of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from os import fspath
from typing import Any

import numpy as np
import pyproj
import shapely
from geopandas import GeoSeries
from pyproj.exceptions import ProjError
from rasterio import Affine
from rasterio.features import rasterize
from shapely import STRtree
from shapely.errors import GEOSException

from tiles.errors import InputError, input_errors
from tiles.grid import BLOCK, PixelGrid
from tiles.reading.crs import extent_in, near_longitude
from tiles.reading.polygon_file import only_polygons, read_polygons, valid_polygons
from tiles.types import BoolArray, RasterName, Span

# Edges of polygons get a vertex every so many pixels before they are transformed to another CRS,
# because straight lines become curves there.
_VERTEX_SPACING = 64
# Rasterised blocks that are cached: neighbouring tiles need the same ones.
_CACHED_BLOCKS = 256


class NoOverlapError(InputError):
    """An area of interest contains no pixel of the raster.

    Example:
        >>> try:
        ...     raise NoOverlapError("area.gpkg", "lies outside the raster", "give another one")
        ... except InputError as error:
        ...     print(error)
        area.gpkg: lies outside the raster; give another one
    """


class Area:
    """The pixels of a grid whose centres lie inside polygons.

    Args:
        polygons: Polygons in pixels of the grid (column, row).
        grid: The grid.
        margin: Pixels by which the polygons are enlarged.

    Example:
        >>> import shapely
        >>> from tiles.reading import Raster
        >>> with Raster("ortho.tif") as ortho:
        ...     area = Area([shapely.box(0, 0, 48, 96)], ortho.grid)
        >>> area.window, int(area.inside((0, 10), (0, 96)).sum())
        (((0, 96), (0, 48)), 480)
    """

    def __init__(self, polygons: Sequence[Any], grid: PixelGrid, margin: float = 0) -> None:
        self._polygons, self._grid, self._margin = list(polygons), grid, margin
        self._prepare()

    def _prepare(self) -> None:
        shapes = np.array(self._polygons, dtype=object)
        if self._margin:
            # GEOS needs gigabytes for thousands of sides that cross each other's margin.
            with input_errors("area", "cannot be enlarged", "simplify it", GEOSException):
                shapes = shapely.buffer(shapes, self._margin)
        shapely.prepare(shapes)
        # Query a tree: the union of many polygons would take hours.
        self._shapes = STRtree(shapes)
        self._bounds = shapely.total_bounds(shapes)
        self._block = lru_cache(_CACHED_BLOCKS)(self._rasterise)

    def __getstate__(self) -> tuple[Any, ...]:
        """Return what is sent to another process: not the cache, nor the prepared polygons."""
        return self._polygons, self._grid, self._margin

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Restore the area from what `__getstate__` returned."""
        self._polygons, self._grid, self._margin = state
        self._prepare()

    def on_grid(self, grid: PixelGrid, margin: float = 0) -> Area:
        """Return the same area on another grid over the same extent.

        Args:
            grid: The other grid.
            margin: Pixels of that grid by which the polygons are enlarged.
        """
        scale = grid.width / self._grid.width, grid.height / self._grid.height
        polygons = shapely.transform(self._polygons, lambda points: points * scale)
        return Area(list(polygons), grid, margin)

    @property
    def digest(self) -> str:
        """SHA-256 of the polygons, as hexadecimal digits."""
        return hashlib.sha256(b"".join(map(shapely.to_wkb, self._polygons))).hexdigest()

    @property
    def window(self) -> tuple[Span, Span]:
        """Rows and columns of the grid that contain the area."""
        left, top, right, bottom = self._bounds
        rows = max(0, int(np.floor(top))), min(self._grid.height, int(np.ceil(bottom)))
        columns = max(0, int(np.floor(left))), min(self._grid.width, int(np.ceil(right)))
        return rows, columns

    @property
    def is_empty(self) -> bool:
        """Whether no pixel's centre lies inside."""
        (top, bottom), (left, right) = self.window
        blocks = (
            self.inside((row, min(row + BLOCK, bottom)), (column, min(column + BLOCK, right)))
            for row in range(top, bottom, BLOCK)
            for column in range(left, right, BLOCK)
        )
        return not any(block.any() for block in blocks)

    def inside(self, rows: Span, columns: Span) -> BoolArray:
        """Return which pixels of a window lie inside.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            bool [H, W].
        """
        (top, bottom), (left, right) = rows, columns
        inside = np.zeros((bottom - top, right - left), bool)
        # Rasterise fixed blocks, so that no pixel depends on the window.
        for y in range(top // BLOCK * BLOCK, bottom, BLOCK):
            for x in range(left // BLOCK * BLOCK, right, BLOCK):
                low, high = max(x, left), min(x + BLOCK, right)
                first, last = max(y, top), min(y + BLOCK, bottom)
                block = self._block(y, x)[first - y : last - y, low - x : high - x]
                inside[first - top : last - top, low - left : high - left] = block
        return inside

    def _rasterise(self, row: int, column: int) -> BoolArray:
        """Rasterise the block that begins at a row and column, bool [BLOCK, BLOCK]."""
        edges = column, row, column + BLOCK, row + BLOCK
        frame = shapely.box(*edges)
        if self._shapes.query(frame, predicate="within").size:
            return np.broadcast_to(np.True_, (BLOCK, BLOCK))
        met = self._shapes.geometries[self._shapes.query(frame, predicate="intersects")]
        west, north, east, south = edges
        shapes = only_polygons(shapely.clip_by_rect(met, west - 1, north - 1, east + 1, south + 1))
        if not shapes:
            return np.broadcast_to(np.False_, (BLOCK, BLOCK))
        block = rasterize(shapes, (BLOCK, BLOCK), transform=Affine(1, 0, column, 0, 1, row))
        return np.asarray(block, bool)


def read_area(path: RasterName, grid: PixelGrid) -> Area:
    """Read the polygons of a file as an area on a grid.

    Args:
        path: Path of the file, or anything else that geopandas reads, in any CRS.
        grid: The grid.

    Raises:
        MissingFileError: If the file does not exist.
        NoOverlapError: If no polygon meets the grid, or no pixel's centre lies in one.
        InputError: If the file cannot be read, or has no CRS or no polygons.

    Example:
        >>> from tiles.reading import Raster
        >>> with Raster("ortho.tif") as ortho:
        ...     read_area("area.gpkg", ortho.grid).window
        ((0, 96), (0, 48))
    """
    # GEOS warns of overflow and NaN; `to_pixels` drops non-finite shapes.
    with (
        np.errstate(invalid="ignore", over="ignore"),
        input_errors(fspath(path), "cannot be cut", "simplify it", ProjError, GEOSException),
    ):
        return _read_area(fspath(path), grid)


def _read_area(name: str, grid: PixelGrid) -> Area:
    polygons = read_polygons(name)
    pixels = to_pixels(polygons, grid)
    clipped = valid_polygons(shapely.clip_by_rect(pixels, 0, 0, grid.width, grid.height))
    if not clipped:
        raise NoOverlapError(name, "lies outside the raster", "give an area that overlaps it")
    area = Area(clipped, grid)
    if area.is_empty:
        raise NoOverlapError(name, "contains no pixel's centre", "give a larger area")
    return area


def to_pixels(shapes: GeoSeries, grid: PixelGrid) -> GeoSeries:
    """Transform shapes to pixels (column, row) of a grid.

    Args:
        shapes: Shapes in any CRS.
        grid: The grid.

    Returns:
        The shapes, with their index; those that the grid's CRS cannot show are left out.
    """
    grid_crs = pyproj.CRS.from_user_input(grid.crs)
    if shapes.crs != grid_crs:
        shapes = _near_with_vertices(shapes, grid, grid_crs).to_crs(grid_crs)
    t = ~grid.transform
    shapes = shapes.affine_transform([t.a, t.b, t.d, t.e, t.c, t.f])
    return shapes[np.isfinite(shapes.bounds).all(axis=1)]


def _near_with_vertices(shapes: GeoSeries, grid: PixelGrid, grid_crs: pyproj.CRS) -> GeoSeries:
    """Clip shapes to the surroundings of a grid and subdivide their edges.

    Clipping keeps the polygon of a continent from getting millions of vertices.
    """
    from_grid = pyproj.Transformer.from_crs(grid_crs, shapes.crs, always_xy=True)
    west, south, east, north = grid.bounds
    # The size of a pixel at the grid's centre, in units of the polygons' CRS.
    x, y = (west + east) / 2, (south + north) / 2
    ends = from_grid.transform([x, x + (east - west) / grid.width], [y, y])
    across, down = np.diff(ends).ravel()
    if shapes.crs.is_geographic:  # the pixel may lie on the 180th meridian
        across = near_longitude(across, 0.0)
    pixel = float(np.hypot(across, down))
    if not np.isfinite(pixel) or pixel <= 0:
        return shapes
    surroundings = extent_in(grid.bounds, from_grid)
    spacing = _VERTEX_SPACING * pixel
    return shapes.intersection(surroundings.buffer(spacing)).segmentize(spacing)
