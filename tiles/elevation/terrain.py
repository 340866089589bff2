"""A terrain model on the grid of a surface model."""

from __future__ import annotations

import math

import numpy as np
import pyproj
from pyproj.exceptions import CRSError, ProjError

from tiles.elevation.holes import FilledElevation
from tiles.elevation.model import Elevation
from tiles.errors import InputError
from tiles.reading.crs import middle_longitude, near_longitude
from tiles.types import Float64Array, Span

# Interval in pixels at which positions are transformed; between them they are interpolated.
LATTICE = 32
# Largest number of terrain pixels that are read at a time.
MOST_TERRAIN_PIXELS = 1 << 23


class Terrain:
    """Terrain model that is resampled bilinearly to the grid and CRS of a surface model.

    A pixel is known where the terrain pixel that covers its centre is. Within half a terrain
    pixel of the model's edge the slope of the outermost pixels goes on, so that a coarse model of
    just the same extent makes no rim (:class:`tiles.reading.WarpedOverlay` repeats these pixels: on
    a slope of 10 %, heights above a terrain model of 10 m would be off by up to 0.5 m).

    Args:
        dtm: The terrain model.
        dsm: The surface model.
    """

    def __init__(self, dtm: Elevation | FilledElevation, dsm: Elevation) -> None:
        self._dtm, self._to = dtm, dsm.grid
        self._middle_longitude = middle_longitude(dtm.grid)
        self._transformer: pyproj.Transformer | None = None
        heights = (dsm.vertical, dtm.vertical)
        if None not in heights and heights[0] != heights[1]:
            names = " and ".join(str(crs.name) for crs in heights if crs is not None)
            fault = f"its heights and those of {dsm.name} refer to {names}"
            raise InputError(dtm.name, fault, "bring both to one height reference")
        if dtm.grid.crs != dsm.grid.crs:
            try:
                # Transform in the plane only: heights stay as they are.
                own, to = (pyproj.CRS.from_user_input(r.grid.crs).to_2d() for r in (dtm, dsm))
                self._transformer = pyproj.Transformer.from_crs(to, own, always_xy=True)
            except (CRSError, ProjError) as error:
                fault = f"cannot be transformed to the CRS of {dsm.name} ({error})"
                raise InputError(dtm.name, fault, "warp it to the same CRS") from error
        if not self._overlaps():
            fault = f"does not overlap {dsm.name}"
            raise InputError(dtm.name, fault, "give the terrain of the same place")

    def _overlaps(self) -> bool:
        grid, to = self._dtm.grid, self._to
        y, x = (np.linspace(0, n - 1, 65) for n in (to.height, to.width))
        row, column = self._positions(y, x)
        row, column = row[np.isfinite(row)], column[np.isfinite(column)]
        return bool(
            row.size
            and column.size
            and row.max() > -0.5
            and column.max() > -0.5
            and row.min() < grid.height - 0.5
            and column.min() < grid.width - 0.5
        )

    def _positions(self, y: Float64Array, x: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Return the positions of pixels on the terrain's grid.

        Args:
            y: float64 [H], rows.
            x: float64 [W], columns.

        Returns:
            Rows and columns there: [H, 1] and [1, W] in one CRS, both [H, W] else.
        """
        t, own = self._to.transform, self._dtm.grid.transform
        east, north = t.c + (x[None, :] + 0.5) * t.a, t.f + (y[:, None] + 0.5) * t.e
        if self._transformer is not None:
            east, north = np.broadcast_arrays(east, north)
            east, north = self._transformer.transform(east, north)
            if self._middle_longitude is not None:
                east = near_longitude(east, self._middle_longitude)
        # Rounded, so that equal grids coincide despite rounding errors of coordinates.
        row = np.round((north - own.f) / own.e - 0.5, 6)
        return row, np.round((east - own.c) / own.a - 0.5, 6)

    def heights(self, rows: Span, columns: Span) -> Float64Array:
        """Return the heights of the terrain in a window of the surface model.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            float64 [H, W] in metres, NaN where unknown.
        """
        y, x = (np.arange(*span, dtype=np.float64) for span in (rows, columns))
        if self._transformer is None:
            row, column = self._positions(y, x)
        else:
            first_y, first_x = rows[0] // LATTICE, columns[0] // LATTICE
            node_y = LATTICE * np.arange(first_y, (rows[1] - 1) // LATTICE + 2, dtype=np.float64)
            node_x = LATTICE * np.arange(first_x, (columns[1] - 1) // LATTICE + 2, dtype=np.float64)
            nodes = self._positions(node_y, node_x)
            at = y[:, None] / LATTICE - first_y, x[None, :] / LATTICE - first_x
            row, column = (np.round(bilinear(node, *at), 6) for node in nodes)
        wanted = self._window(row, column)
        if wanted is None:
            return np.full((len(y), len(x)), np.nan)
        (top, bottom), (left, right) = wanted
        if (bottom - top) * (right - left) > MOST_TERRAIN_PIXELS and len(y) * len(x) > 1:
            return self._halves(rows, columns)
        terrain = self._dtm.heights(*wanted)
        made = bilinear(terrain, row - top, column - left)
        grid = self._dtm.grid
        inside = (row >= -0.5) & (row <= grid.height - 0.5)
        inside = inside & (column >= -0.5) & (column <= grid.width - 0.5)
        made[~inside] = np.nan
        return made

    def _window(self, row: Float64Array, column: Float64Array) -> tuple[Span, Span] | None:
        """Return the terrain pixels for positions: two or more along an axis if possible."""
        spans = []
        for place, size in ((row, self._dtm.grid.height), (column, self._dtm.grid.width)):
            finite = place[np.isfinite(place)]
            if not finite.size or finite.max() < -0.5 or finite.min() > size - 0.5:
                return None
            first = min(max(math.floor(finite.min()), 0), max(size - 2, 0))
            last = max(min(math.floor(finite.max()) + 2, size), first + min(size, 2))
            spans.append((first, last))
        return spans[0], spans[1]

    def _halves(self, rows: Span, columns: Span) -> Float64Array:
        if rows[1] - rows[0] > 1 and rows[1] - rows[0] >= columns[1] - columns[0]:
            middle = sum(rows) // 2
            parts = [self.heights(part, columns) for part in ((rows[0], middle), (middle, rows[1]))]
            return np.concatenate(parts)
        middle = sum(columns) // 2
        spans = ((columns[0], middle), (middle, columns[1]))
        return np.concatenate([self.heights(rows, part) for part in spans], axis=1)


def bilinear(values: Float64Array, row: Float64Array, column: Float64Array) -> Float64Array:
    """Interpolate bilinearly.

    Args:
        values: float64 [H, W], NaN where unknown.
        row: Positions in pixels from the centre of the first, [h, 1] or [h, w].
        column: Columns, [1, w] or [h, w].

    Returns:
        float64 [h, w], NaN where the nearest pixel is unknown; other unknown ones have no weight.
        Beyond the outermost centres the plane through them goes on.
    """
    height, width = values.shape
    row, column = np.nan_to_num(row, nan=-9e9), np.nan_to_num(column, nan=-9e9)
    top = np.clip(np.floor(row), 0, max(height - 2, 0)).astype(np.intp)
    left = np.clip(np.floor(column), 0, max(width - 2, 0)).astype(np.intp)
    # A single row or column is constant.
    down = row - top if height > 1 else np.zeros_like(row)
    along = column - left if width > 1 else np.zeros_like(column)
    down, along = np.clip(down, -0.5, 1.5), np.clip(along, -0.5, 1.5)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    corners = [[values[y, x] for x in (left, right)] for y in (top, bottom)]
    (a, b), (c, d) = corners
    upper = a + (b - a) * along
    made: Float64Array = upper + (c + (d - c) * along - upper) * down
    if np.isnan(made).any():
        down, along = np.clip(down, 0, 1), np.clip(along, 0, 1)
        total, share = np.zeros(made.shape), np.zeros(made.shape)
        for y, part in enumerate(corners):
            for x, corner in enumerate(part):
                weight = (down if y else 1 - down) * (along if x else 1 - along)
                weight = np.where(np.isnan(corner), 0.0, weight)
                total += weight * np.nan_to_num(corner)
                share += weight
        nearest = values[np.where(down > 0.5, bottom, top), np.where(along > 0.5, right, left)]
        gaps = np.isnan(made)
        usable = gaps & ~np.isnan(nearest)
        made[usable] = total[usable] / share[usable]
        made[np.isnan(np.broadcast_to(nearest, made.shape))] = np.nan
    return made
