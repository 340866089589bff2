"""Holes of terrain models, such as those that laser scanning leaves under buildings."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from rasterio.fill import fillnodata

from tiles.elevation.model import Elevation
from tiles.errors import InvalidValueError
from tiles.settings import check_range
from tiles.types import BoolArray, Float64Array, Int64Array, Span

WIDEST_HOLE: Final = 1024
"""Width of the widest holes in pixels: windows are read with so much around them."""


class FilledElevation:
    """An elevation model whose holes are filled up to a width.

    A pixel is filled if the unknown pixels of its row, or those of its column, end at known ground
    on both sides and are no longer than the width. Its height is the average of the nearest
    known pixels in four quadrants, weighted by inverse distance (``rasterio.fill.fillnodata``).
    Wider holes, and what lies beyond the edge of the model, stay unknown. No pixel depends on the
    window in which it is read.

    Args:
        model: The elevation model; the caller closes it.
        width: Width of the widest hole that is filled, in metres; 0 fills none.

    Attributes:
        name: Name in error messages.
        grid: Grid of the model.
        vertical: Vertical CRS of the model, if it is known.

    Raises:
        InvalidValueError: If `width` is negative, not finite, or more than 1024 pixels.
        InputError: If `width` is positive, and pixels have no size in metres.

    Example:
        >>> from tiles.elevation.model import Elevation
        >>> with Elevation("dtm.tif") as model:
        ...     filled = FilledElevation(model, width=100)
        ...     filled.heights((0, 2), (0, 3))
        array([[50., 50., 50.],
               [50., 50., 50.]])
    """

    def __init__(self, model: Elevation, width: float) -> None:
        check_range("width of holes", width, 0)
        self._model = model
        self.name, self.grid, self.vertical = model.name, model.grid, model.vertical
        self._reach = (0, 0)
        if width > 0:
            across, down = (math.floor(width / side + 1e-6) for side in model.pixel_size)
            self._reach = down, across
            if max(self._reach) > WIDEST_HOLE:
                fault = f"{width:g} m are {max(self._reach)} px of {model.name}"
                widest = WIDEST_HOLE * min(model.pixel_size)
                raise InvalidValueError("width of holes", fault, f"give at most {widest:g} m")

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
        made = self._model.heights(rows, columns)
        if max(self._reach) == 0 or not np.isnan(made).any():
            return made
        wide = tuple(
            (max(start - reach, 0), min(stop + reach, size))
            for (start, stop), reach, size in zip(
                (rows, columns),
                # fillnodata searches a circle, in pixels.
                (max(self._reach), max(self._reach)),
                (self.grid.height, self.grid.width),
                strict=True,
            )
        )
        inner = tuple(
            slice(start - first, stop - first)
            for (start, stop), (first, _) in zip((rows, columns), wide, strict=True)
        )
        around = self._model.heights(wide[0], wide[1])
        known = ~np.isnan(around)
        holes = (_enclosed(known, self._reach[1]) | _enclosed(known.T, self._reach[0]).T)[inner]
        if holes.any():
            filled = fillnodata(
                np.where(known, around, 0).astype(np.float32),
                mask=known.astype(np.uint8),
                max_search_distance=max(self._reach),
            )
            made[holes] = filled[inner][holes]
        return made


def _enclosed(known: BoolArray, reach: int) -> BoolArray:
    """Return which unknown pixels [H, W] lie in a gap of their row of at most `reach` pixels."""
    size = known.shape[1]
    index: Int64Array = np.arange(size)
    # A gap without an end on one side counts as longer than any other.
    before = np.maximum.accumulate(np.where(known, index, -size - reach), axis=1)
    after = np.minimum.accumulate(np.where(known, index, 3 * size + reach)[:, ::-1], axis=1)
    enclosed: BoolArray = ~known & (after[:, ::-1] - before - 1 <= reach)
    return enclosed
