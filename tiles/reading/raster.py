"""One raster opened for reading: its grid, its bands, and which of its pixels are known."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from os import fspath
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from tiles.errors import InputError, InvalidValueError, MissingFileError, errors_of, input_errors
from tiles.files import Closeable, path_errors
from tiles.grid import PixelGrid
from tiles.reading.band_names import band_numbers
from tiles.reading.virtual_raster import display_name
from tiles.types import BandSelection, BoolArray, RasterName, Span

# Megabytes of GDAL's block cache; by default it takes a share of the machine's memory.
GDAL_CACHE = 128

LOWEST_COLOUR: Final = -0.5
HIGHEST_COLOUR: Final = 1.5
"""Valid range of floating-point images; reflectances may slightly exceed 0 to 1."""

LONGEST_SIDE: Final = 2**25
"""Largest number of rows or columns of a raster: 5 cm pixels over 1700 km."""

UNKNOWN_MAGNITUDE: Final = 1e30
"""Floats of this magnitude or more, infinity included, are unknown: files often have -3.4e38 where
nothing was measured, without declaring it."""

FileStats = tuple[str, int, int]
"""Path, bytes and modification time (ns) of a file."""


def known_pixels(source: Any, bands: Sequence[int], **window: Any) -> BoolArray:
    """Read which pixels of an open raster are known, by its nodata value, mask or alpha band.

    A pixel of integers is unknown if all bands are nodata, because 0 may be both a dark colour and
    nodata. A pixel of floats is unknown if any band is nodata. A band that is read as a colour is
    not used as a mask: GDAL takes the infrared band of many files for alpha.

    Args:
        source: The open raster (``rasterio.DatasetReader``).
        bands: Numbers of the bands that are read.
        **window: The part to read, as ``source.read_masks`` takes it.

    Returns:
        bool [H, W].
    """
    alphas = [i for i, color in enumerate(source.colorinterp, 1) if color == ColorInterp.alpha]
    floats = np.dtype(source.dtypes[bands[0] - 1]).kind == "f"
    if set(alphas) & set(bands):
        nodata = np.nan if source.nodata is None else source.nodata
        valued = source.read(list(bands), **window) != nodata
        known = valued.all(axis=0) if floats else valued.any(axis=0)
    elif floats:
        known = (source.read_masks(list(bands), **window) > 0).all(axis=0)
    else:
        known = source.dataset_mask(**window) > 0
    # GDAL uses alpha as a mask only if it is the second of two bands or the fourth of four.
    for alpha in set(alphas) - set(bands):
        known = known & (source.read(alpha, **window) > 0)
    return np.asarray(known)


def all_known(source: Any) -> bool:
    """Return whether every pixel of an open raster is known, except NaN, without reading masks."""
    unmasked = all(flags == [MaskFlags.all_valid] for flags in source.mask_flag_enums)
    return unmasked and ColorInterp.alpha not in source.colorinterp


def grid_at_gsd(name: str, grid: PixelGrid, gsd: float | None) -> PixelGrid:
    """Return a raster's grid at another ground sampling distance; see :meth:`Raster.grid_at`."""
    try:
        if gsd is None or grid.has_gsd(gsd):
            return grid
        return grid.resampled(gsd)
    except InputError as error:
        raise type(error)(f"{name}: {error.source}", error.fault, error.remedy) from error


class Raster(Closeable):
    """A raster file opened for reading.

    Args:
        path: Path of the file, or anything else that GDAL opens.
        bands: Numbers of the bands wanted, from 1, or their names; by default all except alpha.
        nodata: Value of unknown pixels, besides the one that the file declares. A pixel is unknown
            if any band has it.

    Attributes:
        name: Name of the raster in error messages.
        grid: Grid of the raster.
        bands: Numbers of the bands that are read, in this order.
        dtype: Type of their values.

    Raises:
        MissingFileError: If the file does not exist.
        InvalidValueError: If it lacks one of the bands.
        InputError: If it cannot be read as a georeferenced raster.

    Example:
        >>> with Raster("ortho.tif", bands=["red"]) as ortho:
        ...     values, known = ortho.read((0, 32), (0, 64))
        >>> ortho.bands, ortho.dtype, values.shape
        ((2,), dtype('uint8'), (1, 32, 64))
    """

    def __init__(
        self, path: RasterName, bands: BandSelection | None = None, nodata: float | None = None
    ) -> None:
        self.name, self._path = display_name(path), fspath(path)
        virtual = "://" in self._path or self._path.startswith("/vsi") or ":" in self._path[2:]
        if not virtual and not self._path.lstrip().startswith("<"):
            with path_errors(self.name):
                if Path(self.name).is_dir():
                    raise InputError(self.name, "is a folder", "name a raster file")
                if not Path(self.name).exists():
                    raise MissingFileError(self.name)
        with ExitStack() as stack:
            remedy = "give a file that GDAL reads"
            with input_errors(self.name, "cannot be read as a raster", remedy, RasterioError):
                # Entering its context would tie it to this thread, and another may close it.
                self._file: Any = rasterio.open(self._path)
            stack.callback(self._file.close)
            self._check_mask_file()
            self.grid = self._read_grid()
            self._masked = not all_known(self._file)
            self.bands = self._select(bands)
            self.dtype = self._common_dtype()
            self._undeclared = nodata
            if nodata is not None and self.dtype.kind == "f":  # the file holds it rounded
                self._undeclared = float(np.asarray(nodata).astype(self.dtype))
            stack.pop_all()

    def _check_mask_file(self) -> None:
        """Raise an error for a `.msk` file that GDAL cannot read and would ignore."""
        mask = f"{self._path}.msk"
        if not os.path.isfile(mask):  # noqa: PTH113 - any name, also one that no path can have
            return
        with rasterio.Env():  # keeps GDAL from printing its message
            flags = self._file.mask_flag_enums
        if [MaskFlags.all_valid] in flags:
            raise InputError(mask, "cannot be read as a mask", "repair or remove it")

    def _read_grid(self) -> PixelGrid:
        file = self._file
        if file.count == 0:
            raise InputError(self.name, "has no bands of its own", "name one of its subdatasets")
        if file.crs is None:
            raise InputError(
                self.name,
                "has no coordinate reference system",
                "assign one, for example with gdal_edit -a_srs",
            )
        if file.transform.is_identity:  # rasterio's transform of a file without one
            remedy = "georeference it, for example with a world file beside it"
            raise InputError(self.name, "has no geotransform", remedy)
        if max(file.shape) > LONGEST_SIDE:
            fault = f"has {file.width} x {file.height} px, which are too many"
            raise InputError(self.name, fault, "cut it, with gdal_translate for example")
        if any(np.dtype(dtype).kind == "c" for dtype in file.dtypes):
            raise InputError(self.name, "has complex values", "convert them to real ones")
        with errors_of(self.name):
            return PixelGrid.of(file)

    def _select(self, bands: BandSelection | None) -> tuple[int, ...]:
        file = self._file
        if bands is None:
            pairs = zip(file.indexes, file.colorinterp, strict=True)
            numbers = [band for band, color in pairs if color != ColorInterp.alpha]
        else:
            numbers = band_numbers(file, self.name, bands)
        missing = [str(band) for band in numbers if band not in file.indexes]
        if missing or not numbers:
            requested = f"band {', '.join(missing)}" if missing else "no band"
            fault = f"has {file.count} bands, but {requested} is requested"
            raise InvalidValueError(self.name, fault, "choose bands that it has, counted from 1")
        return tuple(numbers)

    def _common_dtype(self) -> np.dtype[Any]:
        dtypes = {band: self._file.dtypes[band - 1] for band in self.bands}
        if len(set(dtypes.values())) > 1:
            each = ", ".join(f"{band} {dtype}" for band, dtype in dtypes.items())
            fault = f"its bands differ in type ({each})"
            raise InputError(self.name, fault, "choose bands of one type")
        dtype: np.dtype[Any] = np.dtype(dtypes[self.bands[0]])
        return dtype

    def file_stats(self) -> list[FileStats]:
        """Return path, bytes and modification time of each file that the raster consists of."""
        found = [(self._path, 0, 0)]
        for name in self._file.files:
            with suppress(OSError, ValueError):  # not every one is a file of this machine
                stat = Path(name).stat()
                found.append((name, stat.st_size, stat.st_mtime_ns))
        return found

    @property
    def nodata(self) -> float | None:
        """Value of unknown pixels in the first band; None if there is none."""
        value: float | None = self._file.nodatavals[self.bands[0] - 1]
        return value

    @property
    def coding(self) -> tuple[float, float, str]:
        """Scale, offset and unit of the values of the first band."""
        index, file = self.bands[0] - 1, self._file
        return file.scales[index], file.offsets[index], file.units[index] or ""

    def grid_at(self, gsd: float | None) -> PixelGrid:
        """Return the grid over the same extent at another ground sampling distance.

        Args:
            gsd: Ground sampling distance in metres. None, and a value within 1 % of the raster's,
                give the raster's own grid.

        Raises:
            InvalidValueError: If `gsd` is not > 0.
            InputError: If the size of the raster's pixels in metres is unknown.
        """
        return grid_at_gsd(self.name, self.grid, gsd)

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read a window.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Values [C, H, W] as stored, and which pixels are known, bool [H, W].

        Raises:
            InputError: If the file is damaged.
        """
        (top, bottom), (left, right) = rows, columns
        window = Window(left, top, right - left, bottom - top)
        # A broadcast array takes no memory.
        known: BoolArray = np.broadcast_to(np.True_, (bottom - top, right - left))
        try:
            values = self._file.read(self.bands, window=window)
            if self._masked:
                known = known_pixels(self._file, self.bands, window=window)
        except RasterioError as error:
            # Rasterio's own message only refers to its cause.
            fault = f"cannot be read in rows {top} to {bottom - 1} ({error.__cause__ or error})"
            raise InputError(self.name, fault, "check that the file is complete") from error
        if self.dtype.kind == "f":
            known = known & (np.abs(values) < UNKNOWN_MAGNITUDE).all(axis=0)  # also false for NaN
        if self._undeclared is not None:
            known = known & (values != self._undeclared).all(axis=0)
        return values, known

    def close(self) -> None:
        """Close the file."""
        self._file.close()
