"""Polygons of a file, as areas of interest are given."""

from __future__ import annotations

import warnings
from os import fspath
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyproj
import shapely
from geopandas import GeoSeries
from pyproj.exceptions import ProjError
from rasterio.crs import CRS

from tiles.errors import InputError, MissingFileError, input_errors
from tiles.files import path_errors
from tiles.types import RasterName

# GEOS's number of the first type with parts.
FIRST_COLLECTION = 4


def read_polygons(name: str) -> GeoSeries:
    """Read the polygons of a file; each is valid.

    The driver's warnings are issued again, with the file's name.

    Args:
        name: Path of the file, or anything else that geopandas reads.

    Raises:
        MissingFileError: If the file does not exist.
        InputError: If it cannot be read, or has no CRS or no polygons.
    """
    virtual = "://" in name or name.startswith("/vsi")
    with path_errors(name):
        if not virtual and not Path(name).exists():
            raise MissingFileError(name)
    # The drivers of the many formats raise exceptions of many kinds.
    remedy = "give a file that geopandas reads"
    with (
        warnings.catch_warnings(record=True) as remarks,
        input_errors(name, "cannot be read as polygons", remedy, Exception),
    ):
        frame = geopandas.read_file(name, columns=[])
    if not isinstance(frame, geopandas.GeoDataFrame):
        raise InputError(name, "has no polygons", "give a layer of polygons")
    if frame.crs is None:
        remedy = "assign one, for example with ogr2ogr -a_srs"
        raise InputError(name, "has no coordinate reference system", remedy)
    shapes = np.array(single_parts(frame.geometry.dropna()), dtype=object)
    if not np.isfinite(shapely.get_coordinates(shapes)).all():
        raise InputError(name, "has a coordinate that is no number", "correct the polygons")
    polygons = valid_polygons(shapes)
    if not polygons:
        raise InputError(name, "has no polygons", "give a layer of polygons")
    # Without an error, the user must still learn of skipped features.
    for remark in sorted({str(remark.message) for remark in remarks}):
        warnings.warn(f"{name}: {remark}", stacklevel=2)
    return GeoSeries(polygons, crs=frame.crs)


def polygon_bounds(path: RasterName, crs: CRS) -> tuple[float, float, float, float]:
    """Return the extent of the polygons of a file.

    Args:
        path: Path of the file, or anything else that geopandas reads, in any CRS.
        crs: CRS of the result.

    Returns:
        West, south, east and north in units of `crs`.

    Raises:
        MissingFileError: If the file does not exist.
        InputError: If the file cannot be read, or lies where `crs` is not defined.

    Example:
        >>> [round(edge) for edge in polygon_bounds("area.gpkg", CRS.from_epsg(3857))]
        [1001875, 6863634, 1001915, 6863713]
    """
    polygons = read_polygons(fspath(path))
    to_crs = pyproj.Transformer.from_crs(polygons.crs, crs.to_wkt(), always_xy=True)
    west, south, east, north = map(float, polygons.total_bounds)
    with input_errors(fspath(path), "cannot be transformed", "give another area", ProjError):
        bounds = to_crs.transform_bounds(west, south, east, north, densify_pts=21)
    west, south, east, north = bounds
    if not (np.isfinite(bounds).all() and west < east and south < north):
        fault = "extends beyond the area in which the raster's CRS is defined"
        raise InputError(fspath(path), fault, "give another area")
    return west, south, east, north


def single_parts(shapes: Any) -> list[Any]:
    """Return the single parts of any shapes, also of collections of collections."""
    parts = np.array(shapes, dtype=object)
    while (shapely.get_type_id(parts) >= FIRST_COLLECTION).any():
        parts = shapely.get_parts(parts)
    return list(parts)


def only_polygons(shapes: Any) -> list[Any]:
    """Return the polygons of any shapes; lines and points that a cut leaves have no pixels."""
    return [
        part for part in single_parts(shapes) if part.geom_type == "Polygon" and not part.is_empty
    ]


def valid_polygons(shapes: Any) -> list[Any]:
    """Return the polygons among shapes of any type, with invalid ones repaired."""
    polygons = np.array(only_polygons(shapes), dtype=object)
    valid = shapely.is_valid(polygons)
    # make_valid is slow, even for valid polygons.
    repaired = shapely.make_valid(polygons[~valid], method="structure")
    return [*polygons[valid], *only_polygons(repaired)]
