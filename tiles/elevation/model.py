"""Elevation models as rasters: heights in metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike

import numpy as np
import pyproj

from tiles.errors import InputError, errors_of
from tiles.grid import MOST_PIXELS
from tiles.reading.raster import Raster
from tiles.reading.source import Source
from tiles.types import LOWEST_HEIGHT, BandSelection, Float64Array, RasterName, Span

HIGHEST = 9500.0
"""No ground on Earth is higher in metres, or lower than :data:`LOWEST_HEIGHT`; other values are an
undeclared nodata."""

METRES = ("", "m", "metre", "metres", "meter", "meters")
"""Names of the metre as a unit of heights; a file without a unit counts as one in metres."""


class Elevation(Source):
    """An elevation model opened for reading: one band of heights.

    Args:
        rasters: One or more files that GDAL reads; several form one model.
        bands: Number or name of the band, as a list; by default the only one except alpha.
        scale: Metres per unit. None reads it and the offset from each file, whose unit must be the
            metre.
        nodata: Value that means unknown, in addition to the nodata that files declare.

    Attributes:
        vertical: Vertical CRS of the heights, if it is known.
    """

    def __init__(
        self,
        rasters: RasterName | Sequence[RasterName],
        bands: BandSelection | None = None,
        scale: float | None = None,
        nodata: float | None = None,
    ) -> None:
        super().__init__(rasters, bands, nodata=nodata)
        try:
            if len(self.bands) != 1:
                fault = f"has {len(self.bands)} bands, but heights are one"
                raise InputError(self.name, fault, "give a file with the heights alone")
            if self.grid.width * self.grid.height > MOST_PIXELS:
                fault = f"has {self.grid.width} x {self.grid.height} px, which are too many"
                raise InputError(self.name, fault, "cut it, with gdal_translate for example")
            self._scale, self._offset = 1.0, 0.0
            names = [rasters] if isinstance(rasters, str | PathLike) else list(rasters)
            units = band_units(names, bands)
            self.vertical = self._vertical(units[2] if scale is None else "", scale is None)
            self._scale, self._offset = units[:2] if scale is None else (scale, 0.0)
        except BaseException:
            self.close()
            raise

    def _vertical(self, unit: str, in_metres: bool) -> pyproj.CRS | None:
        """Return the vertical CRS if it is known; its unit must be the metre."""
        crs = pyproj.CRS.from_user_input(self.grid.crs)
        vertical = crs.sub_crs_list[-1] if crs.is_compound else None
        units = [unit] + [axis.unit_name for axis in crs.axis_info[2:] if in_metres]
        for name in units:
            if name.strip().lower() not in METRES:
                fault = f"its heights are in {name!r}"
                raise InputError(self.name, fault, "convert them to metres")
        return vertical

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Width and height of a pixel in metres.

        Raises:
            InputError: If pixels have no size in metres.
        """
        with errors_of(self.name):
            size = self.grid.pixel_size
        if not all(0 < side < math.inf for side in size):
            fault = "has coordinates outside the domain of its CRS"
            raise InputError(self.name, fault, "assign the right one")
        return size

    def heights(self, rows: Span, columns: Span) -> Float64Array:
        """Read the heights of a window.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            float64 [H, W] in metres, NaN where unknown.

        Raises:
            InputError: If the file is damaged, or holds heights that are impossible.
        """
        values, known = self.read(rows, columns)
        made: Float64Array = values[0].astype(np.float64) * self._scale + self._offset
        known = known & np.isfinite(made)
        outside = known & ((made < LOWEST_HEIGHT) | (made > HIGHEST))
        if outside.any():
            fault = f"holds heights of {made[outside][0]:g} m (rows {rows[0]} to {rows[1] - 1})"
            remedy = "declare the value that means unknown, for example with gdal_edit -a_nodata"
            raise InputError(self.name, fault, remedy)
        made[~known] = np.nan
        return made


def band_units(
    names: Sequence[RasterName], bands: BandSelection | None = None
) -> tuple[float, float, str]:
    """Read the coding of heights, which several files of one model must share.

    Args:
        names: The files.
        bands: The band of heights by number or name, which is looked up in each file; the only one
            except alpha if None.

    Returns:
        Scale, offset, and the name of the unit.

    Raises:
        InputError: If the files differ.
    """
    found: tuple[float, float, str] | None = None
    for name in names:
        with Raster(name, bands) as raster:
            units = raster.coding
        if found is not None and units != found:
            fault = f"its scale, offset and unit {units} are not those of {names[0]}, {found}"
            raise InputError(str(name), fault, "convert the files to one coding")
        found = units
    return found or (1.0, 0.0, "")
