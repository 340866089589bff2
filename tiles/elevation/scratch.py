"""Temporary rasters between two steps of work that may be too large for memory."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tiles.errors import input_errors
from tiles.types import Float64Array, Span


class ScratchRaster:
    """Raster in an unnamed temporary file, which is deleted with the process.

    Args:
        shape: Rows and columns.
        kind: Type of the values.
        folder: Folder of the file.
    """

    def __init__(self, shape: tuple[int, int], kind: str, folder: Path) -> None:
        self._width, self._kind, self._folder = shape[1], np.dtype(kind), folder
        with self._write_errors():
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by Ground

    def _write_errors(self) -> AbstractContextManager[None]:
        remedy = "choose a writable folder with enough free space"
        return input_errors(self._folder, "cannot hold temporary files", remedy)

    def write(self, values: npt.NDArray[Any], window: tuple[Span, Span]) -> None:
        """Write a window [H, W]."""
        (top, _), (left, _) = window
        with self._write_errors():
            for row, line in enumerate(values.astype(self._kind), top):
                self._file.seek((row * self._width + left) * self._kind.itemsize)
                self._file.write(line.tobytes())
            self._file.flush()

    def read(self, window: tuple[Span, Span]) -> Float64Array:
        """Read a window, float64 [H, W]."""
        (top, bottom), (left, right) = window
        values = np.empty((bottom - top, right - left), self._kind)
        for row, line in enumerate(values, top):
            self._file.seek((row * self._width + left) * self._kind.itemsize)
            self._file.readinto(line)
        return values.astype(np.float64)

    def close(self) -> None:
        """Delete the file."""
        with suppress(OSError):  # The error of the write was raised before.
            self._file.close()
