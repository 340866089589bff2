"""Elevation models as rasters: heights in metres."""

from __future__ import annotations

from os import PathLike

import numpy as np
import pyproj

from tiles.errors import InputError
from tiles.reading.raster import Raster
from tiles.types import Float64Array, Span

# No ground on Earth lies outside; other values are undeclared nodata.
LOWEST, HIGHEST = -1000.0, 9500.0


class Elevation(Raster):
    """An elevation model opened for reading: one band of heights.

    Args:
        path: Anything that GDAL reads.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(path)
        try:
            if len(self.bands) != 1:
                fault = f"has {len(self.bands)} bands, but heights are one"
                raise InputError(self.name, fault, "give a file with the heights alone")
            band = self.bands[0] - 1
            self._scale, self._offset = self._file.scales[band], self._file.offsets[band]
            self.vertical = self._vertical(self._file.units[band] or "")
        except BaseException:
            self._file.close()
            raise

    def _vertical(self, unit: str) -> pyproj.CRS | None:
        """Return the vertical CRS if it is known; its unit must be the metre."""
        crs = pyproj.CRS.from_user_input(self.grid.crs)
        vertical = crs.sub_crs_list[-1] if crs.is_compound else None
        units = [unit] + [axis.unit_name for axis in crs.axis_info[2:]]
        for name in units:
            if name.strip().lower() not in ("", "m", "metre", "metres", "meter", "meters"):
                fault = f"its heights are in {name!r}"
                raise InputError(self.name, fault, "convert them to metres")
        return vertical

    def heights(self, rows: Span, columns: Span) -> Float64Array:
        """Read the heights of a window.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            float64 [H, W] in metres, NaN where unknown.
        """
        values, known = self.read(rows, columns)
        made: Float64Array = values[0].astype(np.float64) * self._scale + self._offset
        known = known & np.isfinite(made)
        outside = known & ((made < LOWEST) | (made > HIGHEST))
        if outside.any():
            fault = f"holds heights of {made[outside][0]:g} m (rows {rows[0]} to {rows[1] - 1})"
            remedy = "declare the value that means unknown, for example with gdal_edit -a_nodata"
            raise InputError(self.name, fault, remedy)
        made[~known] = np.nan
        return made
