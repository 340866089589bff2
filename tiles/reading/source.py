"""Rasters to be mapped: one file, or several of one place, on one grid and without seams."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from rasterio.crs import CRS

from tiles.errors import InputError, InvalidValueError
from tiles.files import Closeable
from tiles.grid import PixelGrid
from tiles.reading.array_raster import ArrayRaster, RasterImage, as_rasters
from tiles.reading.common_grid import (
    aligned_groups,
    anchor_grid,
    check_same_place,
    covered_window,
    grid_of_window,
    is_aligned,
    union,
    window_in,
)
from tiles.reading.crs import parse_crs
from tiles.reading.open_files import OpenFiles, SourceFile
from tiles.reading.overlay import Overlay, Placement
from tiles.reading.raster import FileStats, Raster, grid_at_gsd
from tiles.reading.warp import WarpedOverlay
from tiles.types import BandSelection, BoolArray, RasterName, Span

SAMPLES: Final = 4
"""Windows along each axis that are sampled."""

SAMPLE_EDGE: Final = 64
"""Edge of a sampled window in pixels."""


class Source(Closeable):
    """Orthophotos opened for reading as if they were one.

    Where files overlap, the first in the list that knows a pixel gives its value. Files whose
    pixels are those of the common grid are read as they are; others are resampled to it.

    Args:
        rasters: One or more files that GDAL reads, also URLs and virtual rasters; or one image that
            xarray holds.
        bands: Numbers of the bands wanted, from 1, or their names; by default all except alpha. A
            name is looked up in each file.
        crs: Coordinate reference system to read in; by default that of the first file.
        classes: Whether values are classes, which are resampled by nearest neighbour.
        nodata: Value of unknown pixels, besides those that the files declare.

    Attributes:
        name: Name in error messages.
        grid: The grid of the first file, over the extent of all files. In another CRS its pixels
            are squares of about the size of the first file's pixels.
        bands: Numbers of the bands that are read from the first file, in this order.
        dtype: Type of the values.

    Raises:
        MissingFileError: If a file does not exist.
        InvalidValueError: If `rasters` is empty, or `crs` is not a usable CRS.
        InputError: If a file cannot be read, lacks a band, or does not match the others.

    Example:
        >>> with Source(["ortho.tif", "ortho.tif"], bands=["red", "green"]) as source:
        ...     values, known = source.read((0, 32), (0, 64))
        >>> source.name, values.shape, known.shape
        ('ortho.tif and 1 more', (2, 32, 64), (32, 64))
    """

    def __init__(
        self,
        rasters: RasterImage | Sequence[RasterImage],
        bands: BandSelection | None = None,
        crs: str | CRS | None = None,
        classes: bool = False,
        nodata: float | None = None,
    ) -> None:
        names = as_rasters(rasters)
        if not names:
            raise InvalidValueError("rasters", "must name at least one file, got none", "name one")
        common_crs = None if crs is None else parse_crs(crs)
        self._files = OpenFiles()
        self._classes, self._nodata = classes, nodata
        self._raster: Raster | Overlay | ArrayRaster
        arrays = [name for name in names if isinstance(name, ArrayRaster)]
        if arrays and len(names) > 1:
            fault = f"must be files, or one image, got {len(names)}"
            raise InvalidValueError("rasters", fault, "merge the images first, by rioxarray.merge")
        first = arrays[0].with_bands(bands) if arrays else Raster(names[0], bands, nodata)
        if isinstance(first, ArrayRaster) and common_crs not in (None, first.grid.crs):
            fault = "does not apply to an image in memory"
            raise InvalidValueError("crs", fault, "reproject it first, by .rio.reproject")
        if arrays and nodata is not None:
            fault = "does not apply to an image in memory"
            raise InvalidValueError("nodata", fault, "set it first, by .rio.write_nodata")
        if isinstance(first, ArrayRaster) or (
            len(names) == 1 and common_crs in (None, first.grid.crs)
        ):
            self._raster, self._file_stats = first, first.file_stats()
        else:
            first.close()
            self._file_stats = []
            self._raster = self._overlay(names, bands, first, common_crs)
        self.name, self.grid = self._raster.name, self._raster.grid
        self.bands, self.dtype = self._raster.bands, self._raster.dtype

    def _overlay(
        self,
        names: Sequence[RasterName],
        bands: BandSelection | None,
        first: Raster,
        crs: CRS | None,
    ) -> Overlay:
        """Lay files over one another on the common grid."""
        files = [self._inspect(name, bands, first) for name in names]
        anchor = anchor_grid(files[0], crs)
        windows = [covered_window(file, anchor) for file in files]
        check_same_place(files, windows, anchor)
        grid = grid_of_window(anchor, union(windows))
        placements: list[Placement] = []
        for group in aligned_groups(files):
            own = group[0].grid
            if is_aligned(own, grid):
                placements += self._place(group, grid)
                continue
            # Files of another grid are joined on that grid first, so that no seam is resampled.
            joined = grid_of_window(own, union([window_in(file.grid, own) for file in group]))
            part = Overlay(
                group[0].name, joined, first.bands, first.dtype, self._place(group, joined)
            )
            covered = union([covered_window(file, grid) for file in group])
            placements.append(Placement(*covered, WarpedOverlay(part, grid, self._classes).read))
        name = first.name if len(names) == 1 else f"{first.name} and {len(names) - 1} more"
        return Overlay(name, grid, first.bands, first.dtype, placements)

    def _place(self, files: Sequence[SourceFile], grid: PixelGrid) -> list[Placement]:
        return [file.placement(self._files, *window_in(file.grid, grid)) for file in files]

    def _inspect(self, path: RasterName, bands: BandSelection | None, first: Raster) -> SourceFile:
        with Raster(path, bands) as file:
            if len(file.bands) != len(first.bands):
                fault = f"has {len(file.bands)} bands, but {first.name} {len(first.bands)}"
                raise InputError(file.name, fault, "choose bands that all files have")
            if file.dtype != first.dtype:
                fault = f"has values of {file.dtype}, but {first.name} of {first.dtype}"
                raise InputError(file.name, fault, "convert them to one type")
            self._file_stats += file.file_stats()
            return SourceFile(path, file.name, file.bands, file.dtype, file.grid, self._nodata)

    def file_stats(self) -> list[FileStats]:
        """Return path, bytes and modification time of each file that is read."""
        return list(self._file_stats)

    def sample_digest(self) -> str:
        """Return a hash of sampled pixels, which tells a change that no file's time shows.

        Files on servers, in archives and behind nested virtual rasters have no time here, and a
        copy may keep the time of another file. Changes outside of the sample stay unseen.
        """
        digest = hashlib.sha256()
        for row in _sample(self.grid.height):
            for column in _sample(self.grid.width):
                values, known = self.read(row, column)
                digest.update(np.ascontiguousarray(values).tobytes())
                digest.update(np.ascontiguousarray(known).tobytes())
        return digest.hexdigest()

    def grid_at(self, gsd: float | None) -> PixelGrid:
        """Return the grid at another ground sampling distance; see :meth:`Raster.grid_at`."""
        return grid_at_gsd(self.name, self.grid, gsd)

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read a window; each pixel is the same whatever window it is read in.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Values [C, H, W] as stored, and which pixels are known, bool [H, W].

        Raises:
            InputError: If a file cannot be read any more.
        """
        return self._raster.read(rows, columns)

    def close(self) -> None:
        """Close all files."""
        self._files.close()
        if isinstance(self._raster, Raster):
            self._raster.close()


def _sample(length: int) -> list[Span]:
    """Return spans that are evenly spread along an axis, from its start to its end."""
    edge = min(SAMPLE_EDGE, length)
    starts = {(length - edge) * number // (SAMPLES - 1) for number in range(SAMPLES)}
    return [(start, start + edge) for start in sorted(starts)]
