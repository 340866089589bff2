"""Polygons of land cover."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rasterio
import shapely

from tiles.files import output_path
from tiles.grid import BLOCK
from tiles.reading.raster import GDAL_CACHE
from tiles.types import UNKNOWN_CLASS, ProgressCallback, RasterName
from tiles.vectors.class_raster import ClassRaster, find_class
from tiles.vectors.footprints import right_angled
from tiles.vectors.geopackage import GeoPackage
from tiles.vectors.labelling import Sweep
from tiles.vectors.map_units import metres_per_unit
from tiles.vectors.regions import check_sizes, found_regions, right_angle_tolerance


def land_cover_polygons(
    map_: RasterName,
    out: RasterName,
    *,
    classes: Sequence[str] | None = None,
    min_area: float = 1.0,
    simplify: float = 0.0,
    right_angles: bool = False,
    panel: int = 4 * BLOCK,
    progress: ProgressCallback | None = None,
) -> Path:
    """Turn a land-cover map into polygons: a GeoPackage with the layer `landcover`.

    A polygon is a connected area: pixels of one class that share edges; pixels that only touch at
    a corner are two areas. Areas below `min_area` are left out. Where such small areas (and
    nothing else) lie in a hole of a larger area, and the hole is below `min_area` too, it is
    filled; elsewhere they leave a gap. Unknown pixels are never covered.

    Memory depends on the panel and on the areas that reach from panel to panel; with `simplify`,
    all polygons are held at once, for neighbours must be simplified together.

    Args:
        map_: A land-cover map: uint8, one band, 255 and the file's nodata value unknown, in a
            projected CRS.
        out: The file to write, ending in `.gpkg`.
        classes: Names of the classes 0, 1, ...; by default those in the map's auxiliary file, and
            without one the numbers.
        min_area: Least area in m².
        simplify: Tolerance in m, about the length of the shortest edge left; 0 keeps the outlines
            of the pixels. Neighbours still share their borders (Visvalingam and Whyatt 1993).
        right_angles: Give buildings right-angled outlines instead (:func:`right_angled`); these
            may overlap their neighbours or leave gaps, by half a metre or so.
        panel: Pixels along the squares that are worked on at a time; changes no result.
        progress: Called with the number of panels done and the number of all.

    Returns:
        The file. Polygons come in the order of their first pixels, from top left to bottom right,
        with the attributes `class`, `name` and `area_m2` (before simplification, with holes that
        were filled).

    Raises:
        InputError: If an input or argument cannot be used; no file is made.

    Example:
        >>> import geopandas
        >>> file = land_cover_polygons("landcover.tif", "landcover.gpkg")
        >>> len(geopandas.read_file(file))
        2
    """
    check_sizes(panel=panel, min_area=min_area, simplify=simplify)
    with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE), ExitStack() as stack:
        source = stack.enter_context(ClassRaster(map_, classes))
        unit = metres_per_unit(source.grid, source.name)
        package = stack.enter_context(GeoPackage(output_path(out), source.grid.crs, [Path(map_)]))
        wanted = np.arange(256) != UNKNOWN_CLASS
        sweep = Sweep(
            lambda rows, columns: (source.read(rows, columns), None),
            (source.grid.height, source.grid.width),
            wanted,
            panel,
            meetings=simplify > 0,  # Neighbours must keep the same points.
        )
        squared = find_class(source, "building") if right_angles else None
        for areas, outlines, shapes in found_regions(sweep, source, wanted, min_area, progress):
            built = np.flatnonzero(areas.value == squared) if squared is not None else ()
            for number in built:
                shapes[number] = right_angled(shapes[number], right_angle_tolerance(source) / unit)
            columns = {
                "class": areas.value.astype(np.int32),
                "area_m2": outlines.pixels * source.pixel_area,
            }
            package.add(areas.first, shapes, columns)
        for shapes, columns in package.batches(None) if simplify else package.batches():
            if simplify:
                soft = columns["class"] != (-1 if squared is None else squared)
                shapes[soft] = shapely.coverage_simplify(shapes[soft], simplify / unit)
            named = {
                "class": columns["class"],
                "name": np.array([source.label(n) for n in columns["class"]], dtype=object),
                "area_m2": columns["area_m2"],
            }
            package.write("landcover", "Polygon", shapely.orient_polygons(shapes), named)
        return package.publish()
