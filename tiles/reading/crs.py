"""Coordinate reference systems: transformations between them, and the extent of rasters."""

from __future__ import annotations

import math
from functools import cache

import pyproj
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.errors import CRSError

from tiles.errors import InputError, InvalidValueError
from tiles.grid import PixelGrid


def parse_crs(crs: str | CRS) -> CRS:
    """Parse a projected or geographic CRS.

    Raises:
        InvalidValueError: If PROJ does not know it, or it is of another kind.
    """
    remedy = "give one such as EPSG:25832"
    try:
        # GDAL fetches URLs, and prints what is wrong; pyproj does neither.
        pyproj.CRS.from_user_input(crs)
        parsed = CRS.from_user_input(crs)
    except (CRSError, ProjError) as error:
        fault = "is not a coordinate reference system that PROJ knows"
        raise InvalidValueError(f"crs {str(crs)[:80]}", fault, remedy) from error
    if not (parsed.is_projected or parsed.is_geographic):
        raise InvalidValueError(f"crs {crs}", "is neither projected nor geographic", remedy)
    return parsed


def parse_metric_crs(crs: str) -> CRS:
    """Parse a projected CRS whose unit is the metre.

    Raises:
        InvalidValueError: If PROJ does not know it, or it is of another kind or unit.

    Example:
        >>> parse_metric_crs("EPSG:2263")
        Traceback (most recent call last):
        tiles.errors.InvalidValueError: crs EPSG:2263: is not in metres; give one such as EPSG:25832
    """
    parsed = parse_crs(crs)
    if not parsed.is_projected or parsed.linear_units_factor[1] != 1.0:
        raise InvalidValueError(f"crs {crs}", "is not in metres", "give one such as EPSG:25832")
    return parsed


def transformer(name: str, source: CRS, target: CRS) -> pyproj.Transformer | None:
    """Return the transformation between two CRSs, with x always before y.

    Args:
        name: The raster that is transformed, which the error message names.
        source: CRS to transform from.
        target: CRS to transform to.

    Returns:
        The transformation; None if both CRSs are the same.

    Raises:
        InputError: If PROJ knows none.
    """
    if source == target:
        return None
    try:
        return _transformer(source, target)
    except ProjError as error:
        fault = f"cannot be transformed from {_crs_name(source)} to {_crs_name(target)}"
        raise InputError(name, fault, "assign it a coordinate reference system on earth") from error


@cache  # creating a transformer takes longer than opening a file
def _transformer(source: CRS, target: CRS) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(
        pyproj.CRS.from_user_input(source), pyproj.CRS.from_user_input(target), always_xy=True
    )


def _crs_name(crs: CRS) -> str:
    return str(pyproj.CRS.from_user_input(crs).name)


def extent_in_pixels(
    name: str, source: PixelGrid, grid: PixelGrid
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Compute which pixels of a grid a raster covers.

    Args:
        name: The raster, which the error message names.
        source: Grid of the raster.
        grid: The other grid, in any CRS.

    Returns:
        Rows (start, stop) and columns (start, stop) of `grid`, not rounded.

    Raises:
        InputError: If the grid's CRS is not defined at the raster's place.
    """
    bounds = source.bounds
    to_grid = transformer(name, source.crs, grid.crs)
    if to_grid is not None:
        try:
            bounds = to_grid.transform_bounds(*bounds, densify_pts=50)
        except ProjError:
            bounds = (math.inf,) * 4
        finite = all(map(math.isfinite, bounds))
        # West is greater than east if the raster crosses the 180th meridian.
        if not finite or bounds[0] >= bounds[2] or bounds[1] >= bounds[3]:
            fault = f"extends beyond the area in which {_crs_name(grid.crs)} is defined"
            raise InputError(name, fault, "choose a coordinate reference system for its place")
    west, south, east, north = bounds
    t = grid.transform
    columns = [(x - t.c) / t.a for x in (west, east)]
    rows = [(y - t.f) / t.e for y in (south, north)]
    return (min(rows), max(rows)), (min(columns), max(columns))
