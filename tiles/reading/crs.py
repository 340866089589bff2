"""Coordinate reference systems: transformations between them, and the extent of rasters."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pyproj
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.errors import CRSError
from shapely import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from tiles.errors import InputError, InvalidValueError
from tiles.grid import PixelGrid
from tiles.types import Float64Array


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


def extent_in(
    bounds: tuple[float, float, float, float], to_crs: pyproj.Transformer
) -> BaseGeometry:
    """Return the extent of a rectangle in another CRS.

    Args:
        bounds: West, south, east and north.
        to_crs: Transformation to the CRS, with x before y.

    Returns:
        The box around it; two boxes if it crosses the 180th meridian; an empty shape if the CRS is
        not defined there.

    Example:
        >>> fiji = pyproj.Transformer.from_crs("EPSG:3460", "EPSG:4326", always_xy=True)
        >>> extent = extent_in((2132e3, 3999e3, 2134e3, 4001e3), fiji)
        >>> [[round(x, 2) for x in part.bounds[::2]] for part in extent.geoms]
        [[179.99, 180.0], [-180.0, -179.99]]
    """
    try:
        west, south, east, north = to_crs.transform_bounds(*bounds, densify_pts=21)
    except ProjError:
        return Polygon()
    if not all(map(math.isfinite, (west, south, east, north))):
        return Polygon()
    if west <= east:
        return box(west, south, east, north)
    return MultiPolygon([box(west, south, 180, north), box(-180, south, east, north)])


def middle_longitude(grid: PixelGrid) -> float | None:
    """Return the longitude in the middle of a grid of degrees; None for others.

    Longitudes may then be chosen to be within 180 degrees of it: :func:`near_longitude`.
    """
    west, _, east, _ = grid.bounds
    return (west + east) / 2 if grid.crs.is_geographic and east - west < 180 else None


def near_longitude(x: Float64Array, middle: float) -> Float64Array:
    """Return the same longitudes, within 180 degrees of another one.

    Example:
        >>> near_longitude(np.array([-179.5, 179.5]), 180.0).tolist()
        [180.5, 179.5]
    """
    with np.errstate(invalid="ignore"):  # infinite where a CRS is not defined
        return middle + (x - middle + 180) % 360 - 180


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
        if bounds[0] > bounds[2]:
            fault = f"crosses the 180th meridian, where longitudes of {_crs_name(grid.crs)} jump"
            raise InputError(name, fault, "choose a projected coordinate reference system")
        finite = all(map(math.isfinite, bounds))
        if not finite or bounds[0] == bounds[2] or bounds[1] >= bounds[3]:
            fault = f"extends beyond the area in which {_crs_name(grid.crs)} is defined"
            raise InputError(name, fault, "choose a coordinate reference system for its place")
    west, south, east, north = bounds
    t = grid.transform
    columns = [(x - t.c) / t.a for x in (west, east)]
    rows = [(y - t.f) / t.e for y in (south, north)]
    return (min(rows), max(rows)), (min(columns), max(columns))
