"""Temporary rasters between two steps of work that may be too large for memory."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tiles.errors import InputError
from tiles.types import Float64Array, Span


class Plane:
    """One value per cell in an unnamed file, which is deleted with the process.

    Args:
        shape: Rows and columns.
        kind: Type of the values.
        folder: Folder of the file.
    """

    def __init__(self, shape: tuple[int, int], kind: str, folder: Path) -> None:
        self._width, self._kind, self._folder = shape[1], np.dtype(kind), folder
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by Ground
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> InputError:
        fault = f"cannot hold what is worked on ({error.strerror})"
        return InputError(self._folder, fault, "choose a writable folder with enough free space")

    def write(self, values: npt.NDArray[Any], window: tuple[Span, Span]) -> None:
        """Write a window [H, W]."""
        (top, _), (left, _) = window
        try:
            for row, line in enumerate(values.astype(self._kind), top):
                self._file.seek((row * self._width + left) * self._kind.itemsize)
                self._file.write(line.tobytes())
            self._file.flush()
        except OSError as error:
            raise self._fault(error) from error

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
