"""Heights above ground (nDSM): surface model minus terrain model or filtered ground."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from os import PathLike
from pathlib import Path

import numpy as np
import rasterio

from tiles.elevation.ground import Ground, GroundFilter
from tiles.elevation.height_reference import HeightReferenceCheck
from tiles.elevation.holes import FilledElevation
from tiles.elevation.model import Elevation
from tiles.elevation.terrain import Terrain
from tiles.errors import InputError, InvalidValueError
from tiles.files import output_path
from tiles.grid import BLOCK, PixelGrid
from tiles.maps.layers import ValueMap
from tiles.maps.writer import MapWriter, check_target
from tiles.reading.addresses import public_name
from tiles.reading.raster import GDAL_CACHE
from tiles.settings import check_range
from tiles.types import Float64Array, ProgressCallback, Span

HEIGHT = ValueMap("height", unit="m", description="height above ground", high=30.0)
# If hardly any of the surface is this near to its terrain, they may be of different references,
# such as heights above the ellipsoid and above the geoid: or all is forest.
NEAR_GROUND, LEAST_GROUND = 5.0, 0.02


def heights_above_ground(
    dsm: str | PathLike[str],
    out: str | PathLike[str],
    *,
    dtm: str | PathLike[str] | None = None,
    holes: float = 0.0,
    building: float = 40.0,
    slope: float = 0.15,
    threshold: float = 0.5,
    scaling: float = 1.25,
    cell: float = 1.0,
    block: int = BLOCK,
    progress: ProgressCallback | None = None,
) -> Path:
    """Make heights above ground of a surface model of any size.

    With a terrain model, heights are DSM - DTM; its grid, pixel size and CRS may differ (bilinear).
    Without one, the ground is found by the simple morphological filter (Pingel, Clarke, McBride
    2013, see `tiles.elevation.smrf`), and what stands no higher than `threshold` + `scaling` x
    slope over it is ground, height 0.

    Heights below 0 become 0: the bottom of a pit counts as ground. Pixels that are unknown in the
    surface model (nodata, mask, NaN) or in the terrain model are nodata in the result. Both models
    must give metres above the same vertical datum.

    Args:
        dsm: Surface model of one band, anything that GDAL reads.
        out: The file to make, a Cloud Optimized GeoTIFF on the surface model's grid.
        dtm: Terrain model of one band. The settings of the filter have no meaning then.
        holes: Width of the widest holes of the terrain model that are filled, in metres, as
            :class:`tiles.elevation.FilledElevation` does: laser scanning leaves them under
            buildings.
        building: Width of the widest building, in metres. Wider ones stay in the ground, and
            wider hilltops are safe from being taken for one.
        slope: Steepest ground, rise over run.
        threshold: Height over the ground up to which all is ground, in metres.
        scaling: Metres that are added to the threshold per unit of the ground's slope.
        cell: Side of the cells in which the ground is sought, in metres.
        block: Cells along a block that is worked on at a time; the result does not depend on it.
        progress: Called with the number of steps done and the number of all steps.

    Returns:
        The file.

    Raises:
        InputError: If an input or argument cannot be used; no file is made.

    Example:
        >>> heights_above_ground("dsm.tif", "heights.tif", dtm="dtm.tif")
        PosixPath('heights.tif')
        >>> import rasterio
        >>> with rasterio.open("heights.tif") as heights:
        ...     float(heights.read(1).max())
        6.0
    """
    file, settings = output_path(out), GroundFilter(building, slope, threshold, scaling, cell)
    check_range("block", block, 1)
    if dtm is None and holes:
        fault = "are filled in terrain models only, and none is given"
        raise InvalidValueError("holes", fault, "give dtm, or leave holes out")
    with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE, GDAL_NUM_THREADS="ALL_CPUS"), ExitStack() as stack:
        surface = stack.enter_context(Elevation(dsm))
        check_target(file, [dsm] if dtm is None else [dsm, dtm])
        tags = {"ELEVATION_DSM": public_name(dsm)}
        windows = list(_windows(surface.grid))
        if dtm is None:
            tags |= settings.tags()
            ground = stack.enter_context(Ground(surface, settings, file.parent, block))
            step = _steps(ground.steps + len(windows), progress)
            ground.prepare(step)
            below: Callable[[Span, Span], tuple[Float64Array, Float64Array | float]] = ground.at
        else:
            tags |= {
                "ELEVATION_METHOD": "DSM minus DTM, bilinear",
                "ELEVATION_DTM": public_name(dtm),
            }
            model = FilledElevation(stack.enter_context(Elevation(dtm)), holes)
            tags |= {"ELEVATION_HOLES": f"{holes:g}"} if holes else {}
            terrain = Terrain(model, surface)
            step = _steps(len(windows), progress)

            def below(rows: Span, columns: Span) -> tuple[Float64Array, Float64Array | float]:
                return terrain.heights(rows, columns), 0.0

        writer = stack.enter_context(MapWriter(file, HEIGHT, surface.grid, tags))
        panel_file = stack.enter_context(writer.work_folder.panel_file(0))
        reference, low = HeightReferenceCheck(), 0
        for rows, columns in windows:
            ground_heights, tolerance = below(rows, columns)
            heights = surface.heights(rows, columns) - ground_heights
            found = ~np.isnan(heights)
            reference.add(heights)
            low += int((heights < NEAR_GROUND).sum())
            heights[heights <= tolerance] = 0.0
            heights[~found] = HEIGHT.nodata
            panel_file.write(heights.astype(np.float32), rows[0], columns[0])
            step()
        _check_result(surface, dtm, reference, low)
        return writer.finish()


def _windows(grid: PixelGrid) -> Iterator[tuple[Span, Span]]:
    """Yield flat windows of whole blocks of the map, for many rasters are stored in rows."""
    for row in range(0, grid.height, BLOCK):
        for column in range(0, grid.width, 8 * BLOCK):
            ends = min(row + BLOCK, grid.height), min(column + 8 * BLOCK, grid.width)
            yield (row, ends[0]), (column, ends[1])


def _steps(total: int, progress: ProgressCallback | None) -> Callable[[], None]:
    """Return a callback that reports the steps one after the other to `progress`."""
    done = count(1)

    def step() -> None:
        number = next(done)
        if progress is not None:
            progress(number, total)

    return step


def _check_result(
    surface: Elevation,
    dtm: str | PathLike[str] | None,
    reference: HeightReferenceCheck,
    low: int,
) -> None:
    """Check that there is a result, and that the models have one height reference."""
    known = reference.known
    if known == 0 and dtm is None:
        raise InputError(surface.name, "has no known pixel", "check its nodata value or mask")
    if known == 0:
        raise InputError(
            str(dtm), f"has no known pixel in common with {surface.name}", "check both"
        )
    if dtm is None:
        return
    reference.refuse(surface.name, str(dtm))
    if low < LEAST_GROUND * known:
        said = f"lies {NEAR_GROUND:g} m or more below {surface.name} in {1 - low / known:.0%}"
        remedy = "unless all is forest, bring both to one height reference"
        warnings.warn(f"{dtm}: {said} of its pixels; {remedy}", stacklevel=3)
