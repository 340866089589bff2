"""Rasters laid over one another on one grid."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tiles.errors import InputError
from tiles.grid import PixelGrid
from tiles.reading.raster import Raster
from tiles.types import BoolArray, Span

# Files that are open at once: a process may not open many more than a thousand.
OPEN_FILES = 64


@dataclass(frozen=True)
class Cover:
    """What covers a part of a grid.

    Attributes:
        rows: Rows (start, stop) of the grid that it covers.
        columns: Columns likewise.
        read: From rows and columns of the grid within these, to values and known pixels.
    """

    rows: Span
    columns: Span
    read: Callable[[Span, Span], tuple[Any, BoolArray]]


class Overlay:
    """Rasters laid over one another: the first that knows a pixel has its say.

    Args:
        name: What it is called in errors.
        grid: The grid of all.
        bands: Numbers of the bands that are read, C of them.
        dtype: Type of the values.
        covers: The rasters, the uppermost first.

    Attributes:
        name: As above; so are `grid`, `bands` and `dtype`.
    """

    def __init__(
        self,
        name: str,
        grid: PixelGrid,
        bands: tuple[int, ...],
        dtype: np.dtype[Any],
        covers: Sequence[Cover],
    ) -> None:
        self.name, self.grid, self.bands, self.dtype = name, grid, bands, dtype
        self._covers = covers
        self._spans = np.array([(*cover.rows, *cover.columns) for cover in covers])

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read one window, as a `Raster` does; of all covers only those that lie in it."""
        shape = rows[1] - rows[0], columns[1] - columns[0]
        top, bottom, left, right = self._spans.T
        hit = (top < rows[1]) & (bottom > rows[0]) & (left < columns[1]) & (right > columns[0])
        touched = [self._covers[number] for number in np.flatnonzero(hit).tolist()]
        values: Any = None
        known = np.zeros(shape, bool)
        for cover in touched:
            high, wide = _shared(cover.rows, rows), _shared(cover.columns, columns)
            part = (
                slice(high[0] - rows[0], high[1] - rows[0]),
                slice(wide[0] - columns[0], wide[1] - columns[0]),
            )
            missing = ~known[part]
            if not missing.any():
                continue
            found, there = cover.read(high, wide)
            if values is None:
                if there.shape == shape and (len(touched) == 1 or there.all()):
                    return found, there
                values = np.zeros((len(self.bands), *shape), self.dtype)
            np.copyto(values[:, *part], found, where=missing & there)
            known[part] |= there
        if values is None:
            values = np.zeros((len(self.bands), *shape), self.dtype)
        return values, known


def _shared(one: Span, other: Span) -> Span:
    return max(one[0], other[0]), min(one[1], other[1])


@dataclass(frozen=True, eq=False)
class Piece:
    """One of several files.

    Attributes:
        name: Its name.
        bands: Numbers of the bands to read.
        dtype: Type of their values.
        grid: Its own grid.
    """

    name: str
    bands: tuple[int, ...]
    dtype: np.dtype[Any]
    grid: PixelGrid

    def cover(self, shelf: Shelf, rows: Span, columns: Span) -> Cover:
        """Its pixels as they are, as pixels of a grid that it is part of."""
        (top, _), (left, _) = rows, columns

        def read(high: Span, wide: Span) -> tuple[Any, BoolArray]:
            moved = (high[0] - top, high[1] - top), (wide[0] - left, wide[1] - left)
            return shelf.take(self).read(*moved)

        return Cover(rows, columns, read)


class Shelf:
    """Files that are opened when they are read, only so many at a time."""

    def __init__(self) -> None:
        self._open: OrderedDict[Piece, Raster] = OrderedDict()

    def take(self, piece: Piece) -> Raster:
        """The file, open.

        Raises:
            InputError: If it is not any more what it was.
        """
        if piece in self._open:
            self._open.move_to_end(piece)
            return self._open[piece]
        if len(self._open) >= OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        try:
            file = Raster(piece.name, piece.bands)
        except InputError as error:
            fault = f"cannot be read any more ({error.fault})"
            raise InputError(piece.name, fault, "put it back") from error
        self._open[piece] = file
        if (file.grid, file.dtype) != (piece.grid, piece.dtype):
            fault = "cannot be read any more (it was replaced)"
            raise InputError(piece.name, fault, "start anew")
        return file

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()
