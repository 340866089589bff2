"""Reading of GeoTIFFs in chips of one ground sampling distance; small files are resampled once."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.coords import BoundingBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from tiles.errors import InputError
from tiles.reading.raster import all_known, known_pixels
from tiles.reading.vrt import warped_vrt
from tiles.types import BoolArray

TOUCH = 1e-3
"""Places that differ by less than this part of a pixel are the same."""

OPEN_FILES = 64
"""Files that one reader holds open: a process may not open many more than a thousand."""

KEPT = 128 * 2**20
"""Bytes of resampled pixels that one reader may keep."""

Pixels = tuple[NDArray[Any], BoolArray]
"""Values ``[bands, H, W]`` in a file's type, and which are known, bool ``[H, W]``."""


@dataclass(frozen=True)
class ResampledFile:
    """Whole pixels of a resampled file, counted from its first corner."""

    bounds: BoundingBox
    pixels: Pixels


class ChipAxis:
    """Rows (or columns) of a chip that a file has.

    Args:
        start: Start of the chip in its pixels, from the first corner of the file.
        count: Number of rows of the chip.
        extent: Number of rows of the file, in pixels of the chip.

    Attributes:
        start: See above; without errors of rounding.
        extent: See above.
        on_pixels: Whether its rows are those that are counted from the file's corner.
        centres: Those whose centres lie in the file.
        whole: Those that lie in it as a whole.
    """

    def __init__(self, start: float, count: int, extent: float) -> None:
        self.on_pixels = abs(start - round(start)) < TOUCH
        self.start = start = round(start) if self.on_pixels else start
        self.extent = extent
        first, end = math.ceil(-start - 0.5), math.floor(extent - start + 0.5)
        self.centres = slice(max(0, first), min(count, end))
        first, end = math.ceil(-start - TOUCH), math.floor(extent + TOUCH - start)
        self.whole = slice(max(0, first), max(0, first, min(count, end)))

    @property
    def first(self) -> float:
        """First row of the file that lies in the chip as a whole."""
        return self.start + self.whole.start

    @property
    def length(self) -> int:
        """Number of rows that lie in the file as a whole."""
        return int(self.whole.stop - self.whole.start)

    def to_read(self) -> tuple[float, int, slice]:
        """Start and number of the rows to read, and the slice of whole ones among them.

        GDAL skips sub-pixel averaging for one-pixel reads, so two are read and one is kept.
        """
        if self.length == 1 and self.first + 2 <= self.extent + TOUCH:
            return self.first, 2, slice(0, 1)
        if self.length == 1 and self.first >= 1:
            return self.first - 1, 2, slice(1, 2)
        return self.first, self.length, slice(None)

    @property
    def edges(self) -> tuple[int, int]:
        """Number of rows whose centres lie in the file, but not all of the row."""
        return self.whole.start - self.centres.start, self.centres.stop - self.whole.stop


class ChipReader:
    """Reads chips of GeoTIFFs, averaged or interpolated as suits.

    A network's ground sampling distance is often several times a file's, so that a chip's pixels
    are a fraction of those that must be read. A file is therefore read as a whole once, if it need
    not be warped, and if as many of its size as there are files take no more than `KEPT`. Chips
    that lie on its pixels, counted from its first corner, are cut from it, and any others read.

    Args:
        crs: The CRS to read in.
        res: Pixel size in it, of x and y.
        bands: Band numbers, from 1.
        files: Number of files.
        finer: Resampling to smaller pixels.
        coarser: And to larger ones.
    """

    def __init__(
        self,
        crs: Any,
        res: tuple[float, float],
        bands: Sequence[int],
        files: int,
        finer: Resampling,
        coarser: Resampling,
    ) -> None:
        self.crs = crs
        self.res = res
        self.bands = list(bands)
        self.files = files
        self.finer, self.coarser = finer, coarser
        self._process = os.getpid()
        self._open_files: dict[str, Any] = {}
        self._kept: dict[str, ResampledFile | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Open files and pixels stay in the process that read them."""
        return {**self.__dict__, "_open_files": {}, "_kept": {}}

    def read(self, path: str, x: slice, y: slice) -> Pixels:
        """Read a chip of one file.

        Args:
            path: The file.
            x: From where to where, in the CRS.
            y: Range of y, like `x`.

        Returns:
            Values ``[bands, H, W]`` in the file's type, NaN of floats among them; and which pixels
            the file has and knows, bool ``[H, W]``: those whose centres lie in it, if the chip has
            at least one that lies in it as a whole.

        Raises:
            InputError: If it cannot be read.
        """
        if os.getpid() != self._process:
            # After a fork, reads from a shared file would move the position of the other process.
            self._process, self._open_files = os.getpid(), {}
        xres, yres = self.res
        height, width = round((y.stop - y.start) / yres), round((x.stop - x.start) / xres)
        kept = self._kept.get(path)
        bounds = kept.bounds if kept else self._open(path).bounds
        file_height, file_width = self._extent(bounds)
        rows = ChipAxis((bounds.top - y.stop) / yres, height, file_height)
        columns = ChipAxis((x.start - bounds.left) / xres, width, file_width)
        values, known = self._whole_pixels(path, rows, columns)
        chip = np.zeros((len(self.bands), height, width), values.dtype)
        chip_known = np.zeros((height, width), bool)
        if known.size:
            # The nearest whole pixel fills one that lies only partly in the file.
            edges = rows.edges, columns.edges
            if np.any(edges):
                values = np.pad(values, ((0, 0), *edges), mode="edge")
                known = np.pad(known, edges, mode="edge")
            chip[:, rows.centres, columns.centres] = values
            chip_known[rows.centres, columns.centres] = known
        return chip, chip_known

    def _open(self, path: str) -> Any:
        if path not in self._open_files:
            if len(self._open_files) >= OPEN_FILES:
                self._open_files.pop(next(iter(self._open_files))).close()
            try:
                source = rasterio.open(path)
            except RasterioError as error:
                raise _unreadable(path, error) from error
            if source.crs != self.crs:
                source = warped_vrt(source, crs=self.crs, resampling=self.finer)
            self._open_files[path] = source
        return self._open_files[path]

    def _extent(self, bounds: BoundingBox) -> tuple[float, float]:
        """Return the rows and columns of a file at the reader's resolution, with fractions."""
        xres, yres = self.res
        return (bounds.top - bounds.bottom) / yres, (bounds.right - bounds.left) / xres

    def _whole_pixels(self, path: str, rows: ChipAxis, columns: ChipAxis) -> Pixels:
        """Return the pixels of a chip that lie in the file as a whole."""
        kept = self._whole_file(path) if rows.on_pixels and columns.on_pixels else None
        if kept is None:
            (top, height, high), (left, width, wide) = rows.to_read(), columns.to_read()
            values, known = self._resampled(path, (top, left), (height, width))
            return values[:, high, wide], known[high, wide]
        above, before = int(rows.first), int(columns.first)
        inside = slice(above, above + rows.length), slice(before, before + columns.length)
        values, known = kept.pixels
        return values[:, *inside], known[inside]

    def _whole_file(self, path: str) -> ResampledFile | None:
        """Return the cached array of a file, if there is one."""
        if path not in self._kept:
            source = self._open(path)
            rows, columns = (int(extent + TOUCH) for extent in self._extent(source.bounds))
            each = len(self.bands) * np.dtype(source.dtypes[0]).itemsize + 1
            kept = None
            # GDAL warps a whole file to the requested size at once, without averaging.
            as_stored = not isinstance(source, WarpedVRT)
            if as_stored and rows * columns * each * self.files <= KEPT:
                kept = ResampledFile(source.bounds, self._resampled(path, (0, 0), (rows, columns)))
            self._kept[path] = kept
        return self._kept[path]

    def _resampled(self, path: str, first: tuple[float, float], shape: tuple[int, int]) -> Pixels:
        """Resample the first rows and columns of a file; all lie in it as a whole."""
        source, bands = self._open(path), self.bands
        if not math.prod(shape):
            return np.zeros((len(bands), *shape), source.dtypes[0]), np.zeros(shape, bool)
        step_x, step_y = self.res[0] / source.res[0], self.res[1] / source.res[1]
        top, height = _window(first[0] * step_y, shape[0] * step_y, source.height)
        left, width = _window(first[1] * step_x, shape[1] * step_x, source.width)
        window = Window(left, top, width, height)
        resampling = self.coarser if max(step_x, step_y) > 1 else self.finer
        try:
            values = source.read(
                bands, window=window, out_shape=(len(bands), *shape), resampling=resampling
            )
            if all_known(source):
                return values, np.ones(shape, bool)
            return values, known_pixels(source, bands, window=window, out_shape=shape)
        except RasterioError as error:
            raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> InputError:
    return InputError(path, f"cannot be read ({error})", "replace the file")


def _window(start: float, length: float, end: int) -> tuple[float, float]:
    """Return start and length of a window in pixels of a file, without rounding errors.

    They would take it out of the file; and where a mask is read at twice its pixel size, they would
    decide which pixel is the nearest.
    """
    start = max(0.0, round(start, 6))
    return start, min(round(length, 6), end - start)
