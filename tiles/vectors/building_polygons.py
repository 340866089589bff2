"""Buildings with heights, as footprints and 3D blocks."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely

from tiles.errors import InputError, InvalidValueError
from tiles.files import output_path, path_errors
from tiles.grid import BLOCK
from tiles.reading.raster import GDAL_CACHE
from tiles.types import UNKNOWN_CLASS, ProgressCallback, RasterName
from tiles.vectors.building_styles import blocks_style, footprints_style
from tiles.vectors.class_raster import ClassRaster, class_number
from tiles.vectors.components import Samples
from tiles.vectors.footprints import block, right_angled
from tiles.vectors.geopackage import GeoPackage
from tiles.vectors.height_raster import heights_on
from tiles.vectors.labelling import Sweep
from tiles.vectors.map_units import metres_per_unit
from tiles.vectors.regions import check_sizes, found_regions, right_angle_tolerance


def buildings(
    land_cover: RasterName,
    height: RasterName,
    out: RasterName,
    *,
    building: int | str = "building",
    min_area: float = 10.0,
    min_height: float = 0.0,
    right_angles: bool = True,
    panel: int = 4 * BLOCK,
    progress: ProgressCallback | None = None,
) -> Path:
    """Turn a land-cover map and heights into buildings: a GeoPackage with two layers.

    `footprints` are polygons. `blocks` are closed blocks (level of detail 1) from 0 to the median
    height, as MultiPolygon Z: one face each for floor and roof, and one per wall, all of them
    anticlockwise seen from outside. QGIS shows them in its 3D views as they are (altitude clamping
    "absolute", or "relative" to stand on a terrain); their heights are in the unit of the CRS.
    Seen as flat geometries their walls have no area, so that 2D validity checks reject them.

    A building is a 4-connected group of pixels. Holes are filled as in :func:`land_cover_polygons`;
    courtyards stay. Attributes are those of the building's own pixels, without filled holes and
    before simplification. Memory depends on the panel and on buildings that span several panels:
    8 bytes per pixel of these.

    Args:
        land_cover: A land-cover map, as for :func:`land_cover_polygons`.
        height: Heights above ground in m, on the very same grid.
        out: The file to write, ending in `.gpkg`.
        building: Class of buildings: its number, or its name in the map's auxiliary file.
        min_area: Least area in m².
        min_height: Least median height in m; buildings without any height are kept.
        right_angles: Simplify footprints to right angles (:func:`right_angled`); where a building
            has none, it is simplified plainly. False keeps the outlines of the pixels.
        panel: Pixels along the squares that are worked on at a time; changes no result.
        progress: Called with the number of panels done and the number of all.

    Returns:
        The file. Both layers have the attributes `id` (from 1, in the order of the buildings'
        first pixels, from top left to bottom right), `area_m2`, `height_m` and `height_p95_m`
        (median and 95th percentile, interpolated linearly) and `volume_m3` (sum of the heights
        times the area of a pixel). Pixels without a height are left out of the last three, which
        are null for a building without any. A building has no block if its median is null or <= 0.

    Raises:
        InputError: If an input or argument cannot be used; no file is made.

    Example:
        >>> import geopandas
        >>> file = buildings("landcover.tif", "height.tif", "buildings.gpkg", building=1)
        >>> geopandas.read_file(file, layer="footprints").area.round(1).tolist()
        [150.0]
    """
    check_sizes(panel=panel, min_area=min_area)
    if not math.isfinite(min_height):
        raise InvalidValueError(
            "min_height", f"must be a number of metres, got {min_height}", "give metres"
        )
    with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE), ExitStack() as stack:
        source = stack.enter_context(ClassRaster(land_cover))
        number = class_number(source, building)
        unit = metres_per_unit(source.grid, source.name)
        read_heights = stack.enter_context(heights_on(height, source))
        inputs = [Path(land_cover), Path(height)]
        package = stack.enter_context(GeoPackage(output_path(out), source.grid.crs, inputs))
        wanted = np.arange(256) == number
        # Other classes need not be distinguished.
        merged = np.full(256, 0 if number else 1, np.uint8)
        merged[[number, UNKNOWN_CLASS]] = number, UNKNOWN_CLASS
        sweep = Sweep(
            lambda rows, columns: (
                merged[source.read(rows, columns)],
                read_heights(rows, columns),
            ),
            (source.grid.height, source.grid.width),
            wanted,
            panel,
        )
        for areas, _, shapes in found_regions(sweep, source, wanted, min_area, progress):
            columns = {"area_m2": areas.pixels * source.pixel_area}
            columns |= _statistics(areas.samples, len(areas.value), source.pixel_area)
            keep = ~(columns["height_m"] < min_height)  # Unknown heights are not below.
            shapes = shapes[keep]
            if right_angles:
                for i, shape in enumerate(shapes):
                    shapes[i] = right_angled(shape, right_angle_tolerance(source) / unit)
            kept = {name: column[keep] for name, column in columns.items()}
            package.add(areas.first[keep], shapely.orient_polygons(shapes), kept)
        done = 0
        for shapes, columns in package.batches():
            table = {"id": np.arange(done + 1, done + 1 + len(shapes)), **columns}
            done += len(shapes)
            package.write("footprints", "Polygon", shapes, table)
            high = columns["height_m"] > 0
            tops = columns["height_m"][high] / unit
            blocks = np.empty(len(tops), dtype=object)
            for i, (shape, top) in enumerate(zip(shapes[high], tops, strict=True)):
                blocks[i] = block(shape, float(top))
            raised = {name: column[high] for name, column in table.items()}
            package.write("blocks", "MultiPolygon Z", blocks, raised)
        package.write_styles({"footprints": footprints_style(), "blocks": blocks_style()})
        return package.publish()


def buildings_of_folder(
    folder: RasterName, out: RasterName | None = None, **settings: Any
) -> list[Path]:
    """Make buildings of all maps in a folder.

    Args:
        folder: Folder of `NAME_landcover.tif` and `NAME_height.tif`.
        out: Folder for `NAME_buildings.gpkg`; by default the same.
        **settings: Further arguments of :func:`buildings`.

    Returns:
        The files, sorted by name. Maps without heights are passed over.

    Raises:
        InputError: If there is no pair of maps, or one cannot be used.

    Example:
        >>> from shutil import copy
        >>> folder = Path("maps")
        >>> folder.mkdir()
        >>> for name in ("landcover", "height"):
        ...     _ = copy(f"{name}.tif", folder / f"roof_{name}.tif")
        >>> [file.name for file in buildings_of_folder(folder, building=1)]
        ['roof_buildings.gpkg']
    """
    source = Path(folder)
    with path_errors(source):
        if not source.is_dir():
            raise InputError(source, "is not a folder", "name the folder of the maps")
    pairs = [
        (path, heights, path.name.removesuffix("_landcover.tif"))
        for path in sorted(source.glob("*_landcover.tif"))
        if (heights := path.with_name(path.name.replace("_landcover.tif", "_height.tif"))).exists()
    ]
    if not pairs:
        fault = "has no NAME_landcover.tif with a NAME_height.tif beside it"
        raise InputError(source, fault, "map an orthophoto into it first")
    target = source if out is None else output_path(out)
    return [
        buildings(path, heights, target / f"{name}_buildings.gpkg", **settings)
        for path, heights, name in pairs
    ]


def _statistics(samples: Samples, count: int, pixel_area: float) -> dict[str, Any]:
    """Compute statistics of heights by area, independent of the order of the pixels."""
    order = np.lexsort((samples.height, samples.area))
    heights = samples.height[order].astype(np.float64)
    ends = np.searchsorted(samples.area[order], np.arange(count + 1))
    columns = {name: np.full(count, np.nan) for name in ("height_m", "height_p95_m", "volume_m3")}
    for number in range(count):
        own = heights[ends[number] : ends[number + 1]]
        if len(own):
            columns["height_m"][number], columns["height_p95_m"][number] = np.percentile(
                own, (50, 95)
            )
            columns["volume_m3"][number] = own.sum() * pixel_area
    return columns
