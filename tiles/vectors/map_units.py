"""Metres per unit of a map whose areas are measured."""

from __future__ import annotations

import math

import pyproj

from tiles.errors import InputError
from tiles.grid import PixelGrid

# Greatest relative difference of areas on the map from those on the ground.
_AREA_ERROR = 0.02


def metres_per_unit(grid: PixelGrid, name: str) -> float:
    """Return the metres per unit of the map's CRS, which must preserve areas within 2 %.

    Raises:
        InputError: If it does not, or its unit is the degree.
    """
    west, south, east, north = grid.bounds
    crs = pyproj.CRS.from_user_input(grid.crs)
    fault = None
    longitude, latitude = (west + east) / 2, (south + north) / 2
    if crs.is_geographic:
        fault = "has coordinates in degrees, in which areas cannot be measured"
    elif crs.is_projected:
        project = pyproj.Proj(crs)
        longitude, latitude = project(longitude, latitude, inverse=True)
        scale = float(project.get_factors(longitude, latitude).areal_scale)
        if not abs(scale - 1) <= _AREA_ERROR:  # also if it is NaN
            fault = f"has a projection that shows areas {scale:.3g} times as large"
    if fault and not (math.isfinite(longitude) and math.isfinite(latitude)):
        fault = "has coordinates outside the domain of its CRS"
        raise InputError(name, fault, "assign the right one")
    if fault:
        zone = min(60, max(1, int((longitude + 180) // 6) + 1))
        utm = f"EPSG:{32600 + zone if latitude >= 0 else 32700 + zone}"
        raise InputError(name, fault, f"warp it, for example with gdalwarp -t_srs {utm} -r near")
    return float(grid.pixel_size[0] / abs(grid.transform.a))
