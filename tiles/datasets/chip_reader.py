"""Reading of GeoTIFFs in chips of one ground sampling distance; small files are resampled once."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tiles.grid import PixelGrid
from tiles.reading.resampling import ResamplingWeights, resample, weights_at
from tiles.reading.source import Source
from tiles.types import BoolArray, Span

CHIP_TOLERANCE = 1e-3
"""Places of chips that differ by less than this part of a pixel are the same. It is finer than that
of rasters: a chip of a thousand pixels must not shift within itself."""

OPEN_FILES = 64
"""Files that one reader holds open: a process may not open many more than a thousand."""

CACHE_BYTES = 512 * 2**20
"""Bytes of resampled pixels that one reader may keep."""

STRIP = 512
"""Rows of a file that are resampled at a time, which bounds memory."""

Pixels = tuple[NDArray[Any], BoolArray]
"""Values ``[bands, H, W]``, and which are known, bool ``[H, W]``."""


@dataclass(frozen=True)
class FileInfo:
    """Grid and data type of a file.

    Attributes:
        grid: The file's own pixels, in the CRS of the reader.
        dtype: Type of its values.
    """

    grid: PixelGrid
    dtype: np.dtype[Any]


class ChipAxis:
    """Rows (or columns) of a chip whose centres lie in a file.

    Args:
        start: Start of the chip in its pixels, from the first corner of the file.
        count: Number of rows of the chip.
        extent: Number of rows of the file, in pixels of the chip.
        size: Number of rows of the file, in pixels of its own.

    Attributes:
        on_pixels: Whether it starts a whole number of rows from the file's corner.
        inside: The rows that the file has.
    """

    def __init__(self, start: float, count: int, extent: float, size: int) -> None:
        self.on_pixels = abs(start - round(start)) < CHIP_TOLERANCE
        self._start = start = round(start) if self.on_pixels else start
        self._size, self._step = size, size / extent
        first = max(0, math.ceil(-start - 0.5))
        self.inside = slice(first, max(first, min(count, math.floor(extent - start + 0.5))))

    @property
    def first(self) -> float:
        """Return the start of the first row that the file has, from the corner of the file."""
        return self._start + self.inside.start

    @property
    def count(self) -> int:
        """Return the number of rows that the file has."""
        return int(self.inside.stop - self.inside.start)

    @property
    def own(self) -> Span | None:
        """Return the file's rows that equal the chip's; None if they need resampling."""
        first = self.first * self._step
        if (
            abs(self._step - 1) * self.count < CHIP_TOLERANCE
            and abs(first - round(first)) < CHIP_TOLERANCE
        ):
            return round(first), round(first) + self.count
        return None

    def weights(self) -> ResamplingWeights:
        """Return the weights with which rows of the chip are computed from those of the file."""
        return weights_at(self._size, self.first * self._step, self._step, self.count)


class ChipReader:
    """Reads chips of GeoTIFFs, resampled by the rule of the mosaicker.

    A network's ground sampling distance is often several times a file's, so that a chip needs many
    more file pixels than it has. A file is therefore resampled as a whole once, if all files, at
    its size, fit into `CACHE_BYTES`. Chips aligned with these pixels are cut from them; others are
    read from the file.

    Args:
        crs: The CRS to read in.
        res: Pixel size in it, of x and y.
        bands: Band numbers, from 1.
        files: Number of files.
        classes: Whether values are classes, of which the most frequent one counts.
    """

    def __init__(
        self,
        crs: Any,
        res: tuple[float, float],
        bands: Sequence[int],
        files: int,
        classes: bool = False,
    ) -> None:
        self.crs = crs
        self.res = res
        self.bands = list(bands)
        self.files = files
        self.classes = classes
        self._process = os.getpid()
        self._facts: dict[str, FileInfo] = {}
        self._open_files: dict[str, Source] = {}
        self._kept: dict[str, Pixels | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Open files and pixels stay in the process that read them."""
        return {**self.__dict__, "_open_files": {}, "_kept": {}}

    def dtype(self, path: str) -> np.dtype[Any]:
        """Return the type of a file's values, which chips may have as float32."""
        return self._look_up(path).dtype

    def read(self, path: str, x: slice, y: slice) -> Pixels:
        """Read a chip of one file.

        Args:
            path: The file.
            x: From where to where, in the CRS.
            y: Range of y, like `x`.

        Returns:
            Values ``[bands, H, W]``, float32 where they are resampled and in the file's type where
            not; and which pixels the file has and knows, bool ``[H, W]``: those whose centres lie
            in it.

        Raises:
            InputError: If it cannot be read.
        """
        if os.getpid() != self._process:
            # After a fork, reads from a shared file would move the position of the other process.
            self._process, self._open_files = os.getpid(), {}
        xres, yres = self.res
        height, width = round((y.stop - y.start) / yres), round((x.stop - x.start) / xres)
        west, south, east, north = self._look_up(path).grid.bounds
        rows = self._axis(path, (north - y.stop) / yres, height, (north - south) / yres, "height")
        columns = self._axis(path, (x.start - west) / xres, width, (east - west) / xres, "width")
        kept = self._whole_file(path) if rows.on_pixels and columns.on_pixels else None
        if kept is None:
            values, known = self._resampled(path, rows, columns)
        else:
            top, left = int(rows.first), int(columns.first)
            part = slice(top, top + rows.count), slice(left, left + columns.count)
            values, known = kept[0][:, *part], kept[1][part]
        chip = np.zeros((len(self.bands), height, width), values.dtype)
        chip_known = np.zeros((height, width), bool)
        chip[:, rows.inside, columns.inside] = values
        chip_known[rows.inside, columns.inside] = known
        return chip, chip_known

    def _axis(self, path: str, start: float, count: int, extent: float, side: str) -> ChipAxis:
        return ChipAxis(start, count, extent, getattr(self._look_up(path).grid, side))

    def _look_up(self, path: str) -> FileInfo:
        if path not in self._facts:
            source = self._open(path)
            self._facts[path] = FileInfo(source.grid, source.dtype)
        return self._facts[path]

    def _open(self, path: str) -> Source:
        if path not in self._open_files:
            if len(self._open_files) >= OPEN_FILES:
                self._open_files.pop(next(iter(self._open_files))).close()
            self._open_files[path] = Source(path, self.bands, self.crs, classes=self.classes)
        return self._open_files[path]

    def _whole_file(self, path: str) -> Pixels | None:
        """Return all pixels of a file, resampled, if there is room to keep them."""
        if path not in self._kept:
            xres, yres = self.res
            west, south, east, north = self._look_up(path).grid.bounds
            height, width = (north - south) / yres, (east - west) / xres
            rows = self._axis(path, 0, math.ceil(height), height, "height")
            columns = self._axis(path, 0, math.ceil(width), width, "width")
            as_stored = rows.own is not None and columns.own is not None
            each = len(self.bands) * (self.dtype(path).itemsize if as_stored else 4) + 1
            room = rows.inside.stop * columns.inside.stop * each * self.files <= CACHE_BYTES
            self._kept[path] = self._resampled(path, rows, columns) if room else None
        return self._kept[path]

    def _resampled(self, path: str, rows: ChipAxis, columns: ChipAxis) -> Pixels:
        """Read and resample the rows and columns of a chip that a file has."""
        source, of_rows, of_columns = self._open(path), rows.own, columns.own
        if of_rows is not None and of_columns is not None:
            return source.read(of_rows, of_columns)
        row_weights, column_weights = rows.weights(), columns.weights()
        shape = row_weights.first.size, column_weights.first.size
        values = np.zeros((len(self.bands), *shape), np.float32)
        known = np.zeros(shape, bool)
        if not known.size:
            return values, known
        span = column_weights.source_range(0, shape[1])
        local = column_weights.local(0, shape[1], span[0], span[1] - span[0])
        step = max(1, int(STRIP * shape[0] / (row_weights.stop[-1] - row_weights.first[0])))
        for top in range(0, shape[0], step):
            end = min(top + step, shape[0])
            first, stop = row_weights.source_range(top, end)
            read, read_known = source.read((first, stop), span)
            strip = row_weights.local(top, end, first, stop - first)
            values[:, top:end], known[top:end] = (majority if self.classes else average)(
                read, read_known, strip, local
            )
        return values, known


def average(
    values: NDArray[Any], known: BoolArray, rows: ResamplingWeights, columns: ResamplingWeights
) -> Pixels:
    """Resample values ``[bands, H, W]`` from known pixels ``[H, W]``, as for the mosaicker."""
    layers, mask = torch.from_numpy(values.astype(np.float32)), torch.from_numpy(known.copy())
    resampled, resampled_known = resample(layers, mask, rows, columns)
    return resampled.numpy(), resampled_known.numpy()


def majority(
    values: NDArray[Any], known: BoolArray, rows: ResamplingWeights, columns: ResamplingWeights
) -> Pixels:
    """Return the class ``[1, H, W]`` with the largest weight of known pixels in each new pixel."""
    classes = np.unique(values[0][known])
    if not classes.size:
        shape = rows.first.size, columns.first.size
        return np.zeros((1, *shape), np.float32), np.zeros(shape, bool)
    shares, resampled_known = average(values == classes[:, None, None], known, rows, columns)
    return classes[shares.argmax(axis=0)][None], resampled_known
