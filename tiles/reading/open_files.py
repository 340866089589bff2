"""Raster files of an overlay, of which a limited number are open at a time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from tiles.errors import InputError
from tiles.files import Closeable
from tiles.grid import PixelGrid
from tiles.reading.overlay import Placement
from tiles.reading.raster import Raster
from tiles.types import BoolArray, RasterName, Span

# Files that are open at once: a process may not open many more than a thousand.
MAX_OPEN_FILES = 64


@dataclass(frozen=True, eq=False)
class SourceFile:
    """One of several raster files.

    Attributes:
        path: Path of the file, or what else GDAL opens.
        name: Name in error messages.
        bands: Numbers of the bands to read.
        dtype: Type of their values.
        grid: The file's own grid.
        nodata: Value of unknown pixels, besides the one that the file declares.
    """

    path: RasterName
    name: str
    bands: tuple[int, ...]
    dtype: np.dtype[Any]
    grid: PixelGrid
    nodata: float | None = None

    def placement(self, files: OpenFiles, rows: Span, columns: Span) -> Placement:
        """Place the file's pixels, as they are, on a grid whose pixels they are.

        Args:
            files: Files from which to read.
            rows: Rows of the grid that the file has.
            columns: Columns of the grid that the file has.
        """
        top, left = rows[0], columns[0]

        def read(rows: Span, columns: Span) -> tuple[Any, BoolArray]:
            own_rows = rows[0] - top, rows[1] - top
            own_columns = columns[0] - left, columns[1] - left
            return files.get(self).read(own_rows, own_columns)

        return Placement(rows, columns, read)


class OpenFiles(Closeable):
    """Files that are opened when they are read; the least recently read ones are closed."""

    def __init__(self) -> None:
        self._open: OrderedDict[SourceFile, Raster] = OrderedDict()

    def get(self, source: SourceFile) -> Raster:
        """Return a file, open.

        Raises:
            InputError: If it has changed since it was inspected.
        """
        if source in self._open:
            self._open.move_to_end(source)
            return self._open[source]
        if len(self._open) >= MAX_OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        try:
            file = Raster(source.path, source.bands, source.nodata)
        except InputError as error:
            fault = f"cannot be read any more ({error.fault})"
            raise type(error)(source.name, fault, "put it back") from error
        if (file.grid, file.dtype) != (source.grid, source.dtype):
            file.close()
            fault = "cannot be read any more (it was replaced)"
            raise InputError(source.name, fault, "start again")
        self._open[source] = file
        return file

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()
