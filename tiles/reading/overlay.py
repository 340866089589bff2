"""Rasters laid over one another on one grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tiles.grid import PixelGrid
from tiles.types import BoolArray, Span


@dataclass(frozen=True)
class Placement:
    """A part of a grid and the function that reads it.

    Attributes:
        rows: Rows of the grid that are covered.
        columns: Columns of the grid that are covered.
        read: Function from rows and columns of the grid, within these, to values [C, H, W] and
            known pixels [H, W].

    Example:
        >>> import numpy as np
        >>> def zeros(rows, columns):
        ...     shape = rows[1] - rows[0], columns[1] - columns[0]
        ...     return np.zeros((1, *shape)), np.ones(shape, bool)
        >>> placement = Placement((0, 96), (0, 48), zeros)
    """

    rows: Span
    columns: Span
    read: Callable[[Span, Span], tuple[Any, BoolArray]]


class Overlay:
    """Rasters laid over one another: the uppermost that knows a pixel gives its value.

    Args:
        name: Name in error messages.
        grid: The grid of all rasters.
        bands: Numbers of the C bands that are read.
        dtype: Type of the values.
        placements: The rasters, the uppermost first.

    Attributes:
        name: Name in error messages.
        grid: The grid of all rasters.
        bands: Numbers of the C bands that are read.
        dtype: Type of the values.

    Example:
        >>> from tiles.reading import Raster
        >>> with Raster("ortho.tif") as ortho:
        ...     west = Placement((0, 96), (0, 48), ortho.read)
        ...     overlay = Overlay("west", ortho.grid, ortho.bands, ortho.dtype, [west])
        ...     values, known = overlay.read((0, 96), (0, 96))
        >>> values.shape, int(known.sum())
        ((3, 96, 96), 4608)
    """

    def __init__(
        self,
        name: str,
        grid: PixelGrid,
        bands: tuple[int, ...],
        dtype: np.dtype[Any],
        placements: Sequence[Placement],
    ) -> None:
        self.name, self.grid, self.bands, self.dtype = name, grid, bands, dtype
        self._placements = placements
        self._spans = np.array([(*part.rows, *part.columns) for part in placements])

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read a window from those rasters only that lie in it.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Values [C, H, W], 0 where no raster lies, and which pixels are known, bool [H, W].
        """
        shape = rows[1] - rows[0], columns[1] - columns[0]
        top, bottom, left, right = self._spans.T
        hit = (top < rows[1]) & (bottom > rows[0]) & (left < columns[1]) & (right > columns[0])
        placements = [self._placements[number] for number in np.flatnonzero(hit).tolist()]
        values: Any = None
        known = np.zeros(shape, bool)
        for placement in placements:
            shared_rows = _intersection(placement.rows, rows)
            shared_columns = _intersection(placement.columns, columns)
            part = (
                slice(shared_rows[0] - rows[0], shared_rows[1] - rows[0]),
                slice(shared_columns[0] - columns[0], shared_columns[1] - columns[0]),
            )
            missing = ~known[part]
            if not missing.any():
                continue
            part_values, part_known = placement.read(shared_rows, shared_columns)
            if values is None:
                if part_known.shape == shape and (len(placements) == 1 or part_known.all()):
                    return part_values, part_known
                values = np.zeros((len(self.bands), *shape), self.dtype)
            np.copyto(values[:, *part], part_values, where=missing & part_known)
            known[part] |= part_known
        if values is None:
            values = np.zeros((len(self.bands), *shape), self.dtype)
        return values, known


def _intersection(one: Span, other: Span) -> Span:
    return max(one[0], other[0]), min(one[1], other[1])
