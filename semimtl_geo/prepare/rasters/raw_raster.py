"""Rasters of archives, opened for reading, whatever they say or do not say of their place."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from tiles.errors import InputError
from tiles.files import Closing
from tiles.grid import PixelGrid
from tiles.types import BoolArray, Span

MISSING = 1
"""A raster may be so many columns or rows smaller than the orthophoto that it belongs to."""


class Picture(Closing):
    """Bands of a raster as they are stored: neither alpha nor nodata is looked at.

    Args:
        path: The file.
        shown: What it is called in errors.
        bands: Numbers of its bands, from 1; all if None.

    Attributes:
        height: Rows.
        width: Columns.
        dtype: Type of the values.
        nodata: The value that it declares to mean unknown.

    Raises:
        InputError: It cannot be read, or has not these bands.
    """

    def __init__(self, path: Path, shown: str, bands: Sequence[int] | None = None) -> None:
        self.name = shown
        # A world file beside it is read by us, wherever it lies.
        tiff = path.suffix.lower() in (".tif", ".tiff")
        options = {"GEOREF_SOURCES": "INTERNAL"} if tiff else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            try:
                self._file: Any = rasterio.open(path, **options)
            except RasterioError as error:
                fault = f"cannot be read as a raster ({error.__cause__ or error})"
                raise InputError(shown, fault, "fetch it anew") from error
        self.bands = list(bands or self._file.indexes)
        if not self.bands or max(self.bands) > self._file.count:
            fault = f"has {self._file.count} bands, but band {max(self.bands, default=1)} is needed"
            self._file.close()
            raise InputError(shown, fault, "fetch it anew")
        self.height, self.width = self._file.height, self._file.width
        self.count: int = self._file.count
        self.dtype: np.dtype[Any] = np.dtype(self._file.dtypes[self.bands[0] - 1])
        self.nodata: float | None = self._file.nodata

    @property
    def transform(self) -> Affine | None:
        """Where its corner is and how large its pixels are, if it has a tag that says so."""
        transform = self._file.transform
        return None if transform.is_identity else transform

    def choose(self, bands: Sequence[int]) -> None:
        """Read these bands from now on, in this order."""
        self.bands = list(bands)

    def check_size(self, height: int, width: int, of: str) -> None:
        """Check that it shows what an orthophoto shows, but for a missing row or column.

        Raises:
            InputError: Its size is another.
        """
        if not (0 <= height - self.height <= MISSING and 0 <= width - self.width <= MISSING):
            fault = f"has {self.width} x {self.height} px, but {of} has {width} x {height} px"
            raise InputError(self.name, fault, "fetch both anew, from one source")

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read a window, which may reach beyond the last row and column.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Values [C, H, W], and which of the pixels are in the file, bool [H, W]; where not, the
            values are 0.

        Raises:
            InputError: The file is damaged.
        """
        (top, bottom), (left, right) = rows, columns
        height = max(0, min(bottom, self.height) - top)
        width = max(0, min(right, self.width) - left)
        values = np.zeros((len(self.bands), bottom - top, right - left), self.dtype)
        inside = np.zeros(values.shape[1:], bool)
        if height and width:
            try:
                values[:, :height, :width] = self._file.read(
                    self.bands, window=Window(left, top, width, height)
                )
            except RasterioError as error:
                fault = f"cannot be read in rows {top} to {bottom - 1} ({error.__cause__ or error})"
                raise InputError(self.name, fault, "fetch it anew, it is damaged") from error
            inside[:height, :width] = True
        return values, inside

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def place(picture: Picture, world: tuple[Path, str] | None, crs: CRS) -> PixelGrid | None:
    """Where an orthophoto lies: by its own tag, or else by a world file.

    A GeoTIFF's tag gives the corner of the top left pixel, a world file its centre.

    Args:
        picture: The orthophoto.
        world: The world file, and what it is called in errors.
        crs: What the coordinates are.

    Returns:
        Its grid; None if neither says anything.

    Raises:
        InputError: The world file is none.
    """
    transform = picture.transform
    if transform is None:
        if world is None:
            return None
        transform = read_world_file(*world)
    try:
        return PixelGrid(crs, transform, picture.width, picture.height)
    except InputError as error:
        raise InputError(picture.name, f"its {error.source} {error.fault}", error.remedy) from error


def read_world_file(path: Path, shown: str) -> Affine:
    """The transform of a world file, from corners of pixels as rasterio has it.

    Its six lines are the pixel's width, two rotations, its height (negative), and x and y of the
    centre of the top left pixel.

    Raises:
        InputError: It is no world file.
    """
    try:
        a, d, b, e, c, f = map(float, path.read_text(encoding="ascii").split())
    except (ValueError, OSError) as error:
        raise InputError(shown, "is no world file of six numbers", "fetch it anew") from error
    return Affine(a, b, c - (a + b) / 2, d, e, f - (d + e) / 2)
