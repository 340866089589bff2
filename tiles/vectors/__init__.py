"""Maps as polygons: areas of land cover, and buildings with heights, as GeoPackages.

It may import the root modules of ``tiles`` and :mod:`tiles.reading`.
"""

from __future__ import annotations

from tiles.vectors.building_polygons import buildings, buildings_of_folder
from tiles.vectors.class_polygons import land_cover_polygons

__all__ = ["buildings", "buildings_of_folder", "land_cover_polygons"]
