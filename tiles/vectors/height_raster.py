"""Reading of heights on the grid of a map of classes."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from tiles.errors import InputError, unmarked_nodata
from tiles.grid import PIXEL_TOLERANCE, PixelGrid
from tiles.reading.raster import Raster
from tiles.types import LOWEST_HEIGHT, RasterName, Span
from tiles.vectors.class_raster import ClassRaster


@contextmanager
def heights_on(path: RasterName, source: ClassRaster) -> Generator[Any, None, None]:
    """Open heights that lie on the grid of a map.

    Yields:
        A function from rows and columns to float32 [H, W], NaN where unknown.

    Raises:
        InputError: There are several bands, or the grids differ.
    """
    with Raster(path) as raster:
        if len(raster.bands) != 1:
            fault = f"has {len(raster.bands)} bands, but a map of heights has one"
            raise InputError(raster.name, fault, "give one band of heights in metres")
        if difference := _difference(raster.grid, source.grid):
            fault = f"{difference} than {source.name}"
            raise InputError(raster.name, fault, "warp it to the very same grid")

        def read(rows: Span, columns: Span) -> npt.NDArray[np.float32]:
            values, known = raster.read(rows, columns)
            heights: npt.NDArray[np.float32] = values[0].astype(np.float32)
            lowest = float(heights[known].min(initial=0))
            if lowest < LOWEST_HEIGHT:
                faulty = unmarked_nodata(f"heights of {lowest:g} m", lowest)
                raise InputError(raster.name, *faulty)
            return np.where(known, heights, np.float32(np.nan))

        yield read


def _difference(one: PixelGrid, other: PixelGrid) -> str | None:
    """Describe the difference of two grids, if there is one."""
    if one.crs != other.crs:
        return "has another coordinate reference system"
    if (one.width, one.height) != (other.width, other.height):
        return f"has another size ({one.width} x {one.height} px)"
    ends = zip(_ends(one), _ends(other), 2 * (other.transform.a, other.transform.e), strict=True)
    if any(abs(a - b) > PIXEL_TOLERANCE * abs(size) for a, b, size in ends):
        return "has its pixels at other places"
    return None


def _ends(grid: PixelGrid) -> tuple[float, float, float, float]:
    """Return the coordinates of the outer corners of the first and of the last pixel."""
    t = grid.transform
    return t.c, t.f, t.c + grid.width * t.a, t.f + grid.height * t.e
