"""Rasters of archives, whose georeference may be missing or lie in a file beside them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from tiles.errors import InputError, errors_of, input_errors
from tiles.files import Closeable
from tiles.grid import PixelGrid
from tiles.types import BoolArray, Span

MAX_MISSING_ROWS: Final = 1
"""Number of rows or columns that a raster may have less than the orthophoto it belongs to."""


class RawRaster(Closeable):
    """Bands of a raster as they are stored: alpha and nodata are not interpreted.

    Args:
        path: The file.
        name: Name of the file in messages.
        bands: Numbers of the bands to read, from 1; all bands if None.

    Attributes:
        name: Name of the file in messages.
        bands: Numbers of the bands that are read.
        count: Number of bands in the file.
        height: Number of rows.
        width: Number of columns.
        dtype: Type of the values.
        nodata: Value that the file declares as nodata, if any.

    Raises:
        InputError: If the file cannot be read or lacks one of the bands.
    """

    def __init__(self, path: Path, name: str, bands: Sequence[int] | None = None) -> None:
        self.name = name
        # GDAL would prefer a world file beside a TIFF; `find_grid` decides between the two.
        is_tiff = path.suffix.lower() in (".tif", ".tiff")
        options = {"GEOREF_SOURCES": "INTERNAL"} if is_tiff else {}
        with (
            warnings.catch_warnings(),
            input_errors(name, "cannot be read as a raster", "download it again", RasterioError),
        ):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            self._file: Any = rasterio.open(path, **options)
        self.bands = list(bands or self._file.indexes)
        self.count: int = self._file.count
        if not self.bands or max(self.bands) > self.count:
            self._file.close()
            fault = f"has {self.count} bands, but band {max(self.bands, default=1)} is needed"
            raise InputError(name, fault, "download it again")
        self.height, self.width = self._file.height, self._file.width
        self.dtype: np.dtype[Any] = np.dtype(self._file.dtypes[self.bands[0] - 1])
        self.nodata: float | None = self._file.nodata

    @property
    def transform(self) -> Affine | None:
        """Geotransform that the file itself contains, if any."""
        transform = self._file.transform
        return None if transform.is_identity else transform

    def select_bands(self, bands: Sequence[int]) -> None:
        """Read these bands from now on, in this order."""
        self.bands = list(bands)

    def check_size(self, height: int, width: int, orthophoto: str) -> None:
        """Check that the raster has the size of its orthophoto, except for a missing row or column.

        Args:
            height: Number of rows of the orthophoto.
            width: Number of columns of the orthophoto.
            orthophoto: Name of the orthophoto in messages.

        Raises:
            InputError: If the size is another one.
        """
        missing = height - self.height, width - self.width
        if not all(0 <= rows <= MAX_MISSING_ROWS for rows in missing):
            fault = (
                f"has {self.width} x {self.height} px, but {orthophoto} has {width} x {height} px"
            )
            raise InputError(self.name, fault, "download both again, from one source")

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read a window, which may extend beyond the last row and column.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Values [C, H, W], and which pixels the file contains, bool [H, W]; values of the others
            are 0.

        Raises:
            InputError: If the file is damaged.
        """
        (top, bottom), (left, right) = rows, columns
        height = max(0, min(bottom, self.height) - top)
        width = max(0, min(right, self.width) - left)
        values = np.zeros((len(self.bands), bottom - top, right - left), self.dtype)
        inside = np.zeros(values.shape[1:], bool)
        if height and width:
            window = Window(left, top, width, height)
            try:
                values[:, :height, :width] = self._file.read(self.bands, window=window)
            except RasterioError as error:
                # Rasterio's own message only refers to its cause.
                fault = f"cannot be read in rows {top} to {bottom - 1} ({error.__cause__ or error})"
                raise InputError(self.name, fault, "download it again") from error
            inside[:height, :width] = True
        return values, inside

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def find_grid(
    orthophoto: RawRaster, world_file: tuple[Path, str] | None, crs: CRS
) -> PixelGrid | None:
    """Determine the pixel grid of an orthophoto from its own tags, or else from a world file.

    Args:
        orthophoto: The orthophoto.
        world_file: Path of the world file, and its name in messages.
        crs: Coordinate reference system of the coordinates.

    Returns:
        The grid, or None if there is neither.

    Raises:
        InputError: If the world file or the geotransform is not valid.
    """
    transform = orthophoto.transform
    if transform is None:
        if world_file is None:
            return None
        transform = read_world_file(*world_file)
    with errors_of(orthophoto.name):
        return PixelGrid(crs, transform, orthophoto.width, orthophoto.height)


def read_world_file(path: Path, name: str) -> Affine:
    """Read the geotransform of a world file.

    Its six lines are the pixel's width, two rotations, its height (negative), and x and y of the
    centre of the top left pixel; a geotransform has the corner of that pixel instead.

    Args:
        path: The world file.
        name: Name of the file in messages.

    Raises:
        InputError: If it does not consist of six numbers.
    """
    with input_errors(name, "must hold six numbers", "download it again", ValueError):
        a, d, b, e, c, f = map(float, path.read_text(encoding="ascii").split())
    return Affine(a, b, c - (a + b) / 2, d, e, f - (d + e) / 2)
