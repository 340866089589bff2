"""GeoTIFFs read in chips of one ground sampling distance, each file resampled once if it may be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from tiles.errors import InputError
from tiles.raster import Bools, all_known, known_pixels
from tiles.warp import warped

TOUCH = 1e-3
"""Places that differ by less than this part of a pixel are the same."""

OPEN_FILES = 64
"""Files that one reader holds open: a process may not open many more than a thousand."""

KEPT = 128 * 2**20
"""Bytes of resampled pixels that one reader may keep."""


@dataclass(frozen=True)
class Kept:
    """A whole file at the reader's ground sampling distance.

    Attributes:
        left: Where its first pixel begins, in the CRS.
        top: Likewise.
        values: [bands, H, W].
        known: bool [H, W].
    """

    left: float
    top: float
    values: NDArray[Any]
    known: Bools


class ChipReader:
    """Reads chips of GeoTIFFs in one windowed read each, averaged or interpolated as suits.

    A network's ground sampling distance is often several times a file's, so that a chip's pixels
    are a fraction of those that must be read. Where all files are small enough at that distance,
    each is therefore read as a whole once, and chips that lie on its pixels are cut from it.

    Args:
        crs: The CRS to read in.
        res: Pixel size in it, of x and y.
        bands: Band numbers, from 1.
        files: How many files there are. Whether one is kept must not depend on the order of chips.
        finer: How to resample to smaller pixels.
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
        self._open_files: dict[str, Any] = {}
        self._kept: dict[str, Kept | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Open files and pixels stay in the process that read them."""
        return {**self.__dict__, "_open_files": {}, "_kept": {}}

    def read(self, path: str, x: slice, y: slice) -> tuple[NDArray[Any], Bools]:
        """Read a chip of one file.

        Args:
            path: The file.
            x: From where to where, in the CRS.
            y: Likewise.

        Returns:
            Values ``[bands, H, W]`` as stored, NaN of floats among them; and which pixels the file
            has and knows, bool ``[H, W]``.

        Raises:
            InputError: If it cannot be read.
        """
        xres, yres = self.res
        height, width = round((y.stop - y.start) / yres), round((x.stop - x.start) / xres)
        kept = self._whole(path)
        if kept is not None:
            row, column = (kept.top - y.stop) / yres, (x.start - kept.left) / xres
            top, left = round(row), round(column)
            rows, columns = slice(top, top + height), slice(left, left + width)
            known = kept.known[rows, columns]
            on_pixels = max(abs(row - top), abs(column - left)) < TOUCH
            if on_pixels and min(top, left) >= 0 and known.shape == (height, width):
                return kept.values[:, rows, columns], known
        source = self._open(path)
        # The part of the chip that lies in the file, in whole chip pixels.
        bounds = source.bounds
        first_col = max(0, math.ceil((bounds.left - x.start) / xres - 0.5))
        last_col = min(width, math.floor((bounds.right - x.start) / xres + 0.5))
        first_row = max(0, math.ceil((y.stop - bounds.top) / yres - 0.5))
        last_row = min(height, math.floor((y.stop - bounds.bottom) / yres + 0.5))
        values = np.zeros((len(self.bands), height, width), self._dtype(source))
        known = np.zeros((height, width), bool)
        if last_col <= first_col or last_row <= first_row:
            return values, known
        step_x, step_y = self._steps(source)
        window = Window(
            (x.start - bounds.left) / source.res[0] + first_col * step_x,
            (bounds.top - y.stop) / source.res[1] + first_row * step_y,
            (last_col - first_col) * step_x,
            (last_row - first_row) * step_y,
        )
        inside = slice(first_row, last_row), slice(first_col, last_col)
        shape = (last_row - first_row, last_col - first_col)
        values[:, *inside], known[inside] = self._resampled(path, source, window, shape)
        return values, known

    def _open(self, path: str) -> Any:
        if path not in self._open_files:
            if len(self._open_files) >= OPEN_FILES:
                self._open_files.pop(next(iter(self._open_files))).close()
            try:
                source = rasterio.open(path)
            except RasterioError as error:
                raise _unreadable(path, error) from error
            if source.crs != self.crs:
                source = warped(source, crs=self.crs, resampling=self.finer)
            self._open_files[path] = source
        return self._open_files[path]

    def _whole(self, path: str) -> Kept | None:
        """All whole pixels of a file from its first corner, if they may be kept."""
        if path not in self._kept:
            source = self._open(path)
            step_x, step_y = self._steps(source)
            height, width = int(source.height / step_y + TOUCH), int(source.width / step_x + TOUCH)
            each = len(self.bands) * self._dtype(source).itemsize + 1
            kept = None
            if 0 < height * width * each * self.files <= KEPT:
                window = Window(0, 0, width * step_x, height * step_y)
                pixels = self._resampled(path, source, window, (height, width))
                kept = Kept(source.bounds.left, source.bounds.top, *pixels)
            self._kept[path] = kept
        return self._kept[path]

    def _steps(self, source: Any) -> tuple[float, float]:
        """A chip's pixel, in pixels of the file."""
        return self.res[0] / source.res[0], self.res[1] / source.res[1]

    def _dtype(self, source: Any) -> np.dtype[Any]:
        return np.result_type(*(source.dtypes[band - 1] for band in self.bands))

    def _resampled(
        self, path: str, source: Any, window: Window, shape: tuple[int, int]
    ) -> tuple[NDArray[Any], Bools]:
        window = _inside(window, source.width, source.height)
        resampling = self.coarser if max(self._steps(source)) > 1 else self.finer
        bands = self.bands
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


def _inside(window: Window, width: int, height: int) -> Window:
    """Cut off the rounding errors by which a window leaves its file."""
    left, top = max(0.0, window.col_off), max(0.0, window.row_off)
    right = min(float(width), window.col_off + window.width)
    bottom = min(float(height), window.row_off + window.height)
    return Window(left, top, right - left, bottom - top)
