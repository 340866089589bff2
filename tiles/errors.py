"""Errors that a user can fix: one line each, and exit code 2 on the command line."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Final

from rasterio._err import CPLE_BaseError  # warping and copying raise it; it has no public name
from rasterio.errors import RasterioError

GDAL_ERRORS: Final = (RasterioError, CPLE_BaseError)
"""Exceptions that rasterio raises for errors of GDAL."""


class InputError(Exception):
    """Base class of errors that are caused by the user's input.

    The command line prints one line and exits with code 2. Any other exception is a defect of the
    program and keeps its traceback.

    Args:
        source: The file, setting or argument that is at fault.
        fault: Description of the fault.
        remedy: Action that the user can take.

    Attributes:
        source: The file, setting or argument that is at fault, as a string.
        fault: Description of the fault.
        remedy: Action that the user can take.

    Example:
        >>> str(InputError("ortho.tif", "has 2 bands", "give a file with 3"))
        'ortho.tif: has 2 bands; give a file with 3'
    """

    def __init__(self, source: str | PathLike[str], fault: str, remedy: str) -> None:
        super().__init__(str(source), fault, remedy)
        self.source, self.fault, self.remedy = str(source), fault, remedy

    def __str__(self) -> str:
        return " ".join(f"{self.source}: {self.fault}; {self.remedy}".split())

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        return type(self), (self.source, self.fault, self.remedy)


class MissingFileError(InputError, FileNotFoundError):
    """Error about a file or folder that does not exist; also a ``FileNotFoundError``.

    Args:
        source: The path.
        fault: Description of the fault.
        remedy: Action that the user can take.

    Example:
        >>> isinstance(MissingFileError("ortho.tif"), FileNotFoundError)
        True
    """

    def __init__(
        self,
        source: str | PathLike[str],
        fault: str = "does not exist",
        remedy: str = "check the path",
    ) -> None:
        super().__init__(source, fault, remedy)
        self.errno, self.strerror, self.filename = errno.ENOENT, fault, str(source)


class InvalidValueError(InputError, ValueError):
    """Error about an argument or setting with an impossible value; also a ``ValueError``.

    Args:
        source: The argument or setting.
        fault: Description of the fault.
        remedy: Action that the user can take.

    Example:
        >>> str(InvalidValueError("gsd", "must be > 0 m, got 0", "give metres"))
        'gsd: must be > 0 m, got 0; give metres'
    """


@contextmanager
def input_errors(
    source: str | PathLike[str],
    fault: str,
    remedy: str,
    *kinds: type[Exception],
) -> Iterator[None]:
    """Turn errors of the operating system into an :class:`InputError`.

    Args:
        source: The file, setting or argument that is at fault.
        fault: Description of the fault, such as ``cannot be written``; the cause is appended.
        remedy: Action that the user can take.
        kinds: Further exceptions to convert, such as those of a library that reads the file.

    Raises:
        MissingFileError: If the cause is a missing file.
        InputError: If the cause is another error of the operating system, or one of `kinds`.

    Example:
        >>> with input_errors("notes.txt", "cannot be read", "check the path"):
        ...     open("/no/such/folder/notes.txt")
        Traceback (most recent call last):
        tiles.errors.MissingFileError: notes.txt: cannot be read (No such file or directory); \
check the path
    """
    caught: tuple[type[Exception], ...] = (OSError, *kinds)
    try:
        yield
    except InputError:
        raise
    except caught as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        text = f"{fault} ({' '.join(reason.split())[:200]})"
        kind = MissingFileError if isinstance(error, FileNotFoundError) else InputError
        raise kind(source, text, remedy) from error


@contextmanager
def errors_of(name: str) -> Iterator[None]:
    """Raise input errors about a part of a file, such as its geotransform, as errors of the file.

    Args:
        name: Name of the file.

    Example:
        >>> with errors_of("ortho.tif"):
        ...     raise InputError("geotransform", "is rotated", "warp the raster")
        Traceback (most recent call last):
        tiles.errors.InputError: ortho.tif: its geotransform is rotated; warp the raster
    """
    try:
        yield
    except InputError as error:
        fault = f"its {error.source} {error.fault}"
        raise type(error)(name, fault, error.remedy) from error


def unmarked_nodata(values: str, lowest: float) -> tuple[str, str]:
    """Return fault and remedy of a raster with values that stand for unknown pixels.

    Args:
        values: The values in words, such as ``heights of -9999 m``.
        lowest: The value.

    Example:
        >>> unmarked_nodata("heights of -9999 m", -9999)[0]
        'has heights of -9999 m, which no nodata value marks as unknown'
    """
    fault = f"has {values}, which no nodata value marks as unknown"
    return fault, f"mark them, with gdal_edit.py -a_nodata {lowest:g} for example"
