"""An area of interest: which pixels of a grid lie inside polygons that a user brought."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyproj
import shapely
from rasterio import Affine
from rasterio.features import rasterize

from tiles.errors import InputError, path_faults
from tiles.grid import BLOCK, PixelGrid
from tiles.types import BoolArray

# A side of a polygon gets a vertex every so many pixels before it is brought to another CRS, in
# which straight lines are bent.
_STRAIGHT = 64
# Blocks of pixels that are remembered: neighbouring tiles ask for the same ones.
_REMEMBERED = 256


class OutsideError(InputError):
    """An area has no pixel of a raster."""


class Area:
    """The pixels of a grid that lie inside polygons: those whose centres do.

    Args:
        polygons: In pixels of the grid (column, row).
        grid: The grid.
        margin: Pixels that are added all around.
    """

    def __init__(self, polygons: Sequence[Any], grid: PixelGrid, margin: float = 0) -> None:
        self._polygons, self._grid, self._margin = list(polygons), grid, margin
        self._prepare()

    def _prepare(self) -> None:
        shape = shapely.union_all(self._polygons)
        shape = shape.buffer(self._margin) if self._margin else shape
        shapely.prepare(shape)
        self._shape = shape
        self._block = lru_cache(_REMEMBERED)(self._rasterise)

    def __getstate__(self) -> tuple[Any, ...]:
        """What crosses to another process."""
        return self._polygons, self._grid, self._margin

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Undo `__getstate__`."""
        self._polygons, self._grid, self._margin = state
        self._prepare()

    def at(self, grid: PixelGrid, margin: float = 0) -> Area:
        """The same area in another grid over the same extent."""
        x, y = grid.width / self._grid.width, grid.height / self._grid.height
        moved = shapely.transform(self._polygons, lambda points: points * (x, y))
        return Area(list(moved), grid, margin)

    @property
    def digest(self) -> str:
        """A hash of the polygons."""
        return hashlib.sha256(b"".join(map(shapely.to_wkb, self._polygons))).hexdigest()

    @property
    def window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows (start, stop) and columns (start, stop) of the grid that hold it."""
        left, top, right, bottom = self._shape.bounds
        rows = max(0, int(np.floor(top))), min(self._grid.height, int(np.ceil(bottom)))
        columns = max(0, int(np.floor(left))), min(self._grid.width, int(np.ceil(right)))
        return rows, columns

    def inside(self, rows: tuple[int, int], columns: tuple[int, int]) -> BoolArray:
        """Which pixels of a window lie inside, bool [H, W]."""
        (top, bottom), (left, right) = rows, columns
        found = np.zeros((bottom - top, right - left), bool)
        # Always the same blocks, so that no pixel depends on the window that asks for it.
        for y in range(top // BLOCK * BLOCK, bottom, BLOCK):
            for x in range(left // BLOCK * BLOCK, right, BLOCK):
                low, high = max(x, left), min(x + BLOCK, right)
                first, last = max(y, top), min(y + BLOCK, bottom)
                block = self._block(y, x)[first - y : last - y, low - x : high - x]
                found[first - top : last - top, low - left : high - left] = block
        return found

    def _rasterise(self, row: int, column: int) -> BoolArray:
        """One block."""
        frame = shapely.box(column, row, column + BLOCK, row + BLOCK)
        if not self._shape.intersects(frame):
            return np.broadcast_to(np.False_, (BLOCK, BLOCK))
        if self._shape.contains(frame):
            return np.broadcast_to(np.True_, (BLOCK, BLOCK))
        part = shapely.intersection(self._shape, frame.buffer(1))
        shapes = _polygons(part)
        if not shapes:
            return np.broadcast_to(np.False_, (BLOCK, BLOCK))
        made = rasterize(shapes, (BLOCK, BLOCK), transform=Affine(1, 0, column, 0, 1, row))
        return np.asarray(made, bool)


def read_area(path: str | PathLike[str], grid: PixelGrid) -> Area:
    """Read polygons.

    Args:
        path: Anything that geopandas reads, in any CRS.
        grid: The grid whose pixels are wanted.

    Raises:
        InputError: The file cannot be read, has no CRS or no polygons, or misses the grid.
    """
    name = fspath(path)
    virtual = "://" in name or name.startswith("/vsi")
    with path_faults(name):
        if not virtual and not Path(name).exists():
            raise InputError(name, "does not exist", "check the path")
    try:
        frame = geopandas.read_file(name, columns=[])
    except Exception as error:  # whatever the drivers of so many formats raise
        fault = f"cannot be read as polygons ({' '.join(str(error).split())[:200]})"
        raise InputError(name, fault, "give a file that geopandas reads") from error
    if not isinstance(frame, geopandas.GeoDataFrame):
        raise InputError(name, "has no polygons", "give a layer of polygons")
    if frame.crs is None:
        fault = "has no coordinate reference system"
        raise InputError(name, fault, "assign one, for example with ogr2ogr -a_srs")
    polygons = _polygons(frame.geometry.dropna().to_numpy())
    if not polygons:
        raise InputError(name, "has no polygons", "give a layer of polygons")
    pixels = _to_pixels(polygons, frame.crs, grid)
    frame_of_grid = shapely.box(0, 0, grid.width, grid.height)
    met = _polygons(shapely.intersection(shapely.make_valid(pixels), frame_of_grid))
    if not met:
        raise OutsideError(name, "lies outside the raster", "give an area that meets it")
    return Area(met, grid)


def _polygons(shapes: Any) -> list[Any]:
    """The polygons in any shapes; lines and points that are left of a cut have no pixels."""
    parts = shapely.get_parts(shapely.get_parts(shapes))  # collections of several polygons
    return [part for part in parts if part.geom_type == "Polygon" and not part.is_empty]


def _to_pixels(polygons: list[Any], crs: Any, grid: PixelGrid) -> list[Any]:
    """The polygons in pixels (column, row) of a grid."""
    target = pyproj.CRS.from_user_input(grid.crs)
    to_pixel = ~grid.transform
    if crs != target:
        there = pyproj.Transformer.from_crs(target, crs, always_xy=True)
        west, south, east, north = grid.bounds
        # One pixel in the file's units, at the raster's middle.
        x, y = (west + east) / 2, (south + north) / 2
        ends = there.transform([x, x + (east - west) / grid.width], [y, y])
        step = float(np.hypot(ends[0][1] - ends[0][0], ends[1][1] - ends[1][0]))
        if np.isfinite(step) and step > 0:
            # Only near the raster, lest a polygon of a continent get millions of vertices.
            near = shapely.box(*there.transform_bounds(*grid.bounds, densify_pts=21))
            near = near.buffer(_STRAIGHT * step)
            clipped = _polygons(shapely.intersection(shapely.make_valid(polygons), near))
            polygons = list(shapely.segmentize(clipped, _STRAIGHT * step))
        back = pyproj.Transformer.from_crs(crs, target, always_xy=True)
        polygons = [
            shapely.transform(polygon, lambda p: np.column_stack(back.transform(*p.T)))
            for polygon in polygons
        ]

    def pixels(points: Any) -> Any:
        x, y = points.T
        return np.column_stack([to_pixel.a * x + to_pixel.c, to_pixel.e * y + to_pixel.f])

    moved = [shapely.transform(polygon, pixels) for polygon in polygons]
    return [polygon for polygon in moved if np.isfinite(polygon.bounds).all()]
