"""Statistics of the rasters of one layer: images, or labels of one task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from shapely import Polygon, box, prepare, unary_union
from shapely.geometry.base import BaseGeometry

from tiles.errors import InputError, errors_of
from tiles.grid import MOST_PIXELS, PixelGrid
from tiles.reading.crs import extent_in, transformer
from tiles.reading.raster import UNKNOWN_MAGNITUDE, Raster
from tiles.types import BandSelection

ROWS: Final = 256
"""Rows that are read at a time, of rasters that are not very wide."""

BLOCK_PIXELS: Final = 2**24
"""Largest number of pixels that are read at a time."""

SAMPLE: Final = 20_000
"""Known values that are kept of each file, evenly spread, for percentiles."""


@dataclass(frozen=True)
class FileStatistics:
    """Statistics of one raster.

    Attributes:
        path: The file.
        dtype: Type of its values.
        grid: Grid of its pixels.
        pixels: Number of pixels that were read.
        known: Number of them that are known.
        beyond: Number of pixels with a value of 1e30 or more in magnitude, or infinity; 0 if the
            declared nodata value is such a value.
        low: Smallest known value.
        high: Largest known value.
        sample: Known values, float32 ``[n, bands]``, evenly spread over those that were read.
    """

    path: Path
    dtype: np.dtype[np.generic]
    grid: PixelGrid
    pixels: int
    known: int
    beyond: int
    low: float
    high: float
    sample: NDArray[np.float32]

    @property
    def bands(self) -> int:
        """Number of bands that were read."""
        return int(self.sample.shape[1])

    @property
    def hectares(self) -> float:
        """Area of the raster, from the size of its pixels in metres."""
        with errors_of(str(self.path)):
            width, height = self.grid.pixel_size
        return self.grid.width * width * self.grid.height * height / 1e4


@dataclass(frozen=True)
class LayerStatistics:
    """Statistics of all rasters of a layer.

    Attributes:
        files: Statistics of each file.

    Example:
        >>> layer = LayerStatistics((read_file(Path("height.tif")),))
        >>> layer.unknown_share, layer.percentiles(50, 99)
        (0.0, [[0.0, 6.0]])
    """

    files: tuple[FileStatistics, ...]

    @property
    def sample(self) -> NDArray[np.float32]:
        """Known values of all files, ``[n, bands]``."""
        return np.concatenate([file.sample for file in self.files])

    @property
    def unknown_share(self) -> float:
        """Share of unknown pixels."""
        return 1 - sum(f.known for f in self.files) / max(1, sum(f.pixels for f in self.files))

    @property
    def hectares(self) -> float:
        """Area of all files; overlaps count twice."""
        return sum(file.hectares for file in self.files)

    def percentiles(self, *shares: float) -> list[list[float]]:
        """Return percentiles of known values, for each band; none if no pixel is known."""
        sample = self.sample
        if not len(sample):
            return []
        return [[float(v) for v in np.percentile(band, shares)] for band in sample.T]

    def class_shares(self) -> dict[int, float]:
        """Return the share of known pixels of each value, in ascending order."""
        values, counts = np.unique(self.sample[:, 0], return_counts=True)
        return {int(v): float(n) / counts.sum() for v, n in zip(values, counts, strict=True)}


def read_file(
    path: Path, bands: BandSelection | None = None, rows: int | None = None
) -> FileStatistics:
    """Read the statistics of a raster.

    Args:
        path: The file.
        bands: Bands, from 1; all except alpha if None.
        rows: Number of rows to read, in blocks spread evenly; all of them if None.

    Raises:
        InputError: If the file cannot be read, or has too many pixels.

    Example:
        >>> found = read_file(Path("data/city_b/train/height/city_b_train_000.tif"))
        >>> found.dtype, found.known == found.pixels == 96 * 96
        (dtype('float32'), True)
    """
    with Raster(path, bands) as raster:
        height, width = raster.grid.height, raster.grid.width
        if height * width > MOST_PIXELS:
            fault = f"has {width} x {height} px, which are too many for a scene"
            raise InputError(path, fault, "cut it into scenes")
        block = max(1, min(ROWS, BLOCK_PIXELS // width))
        starts = [*range(0, height, block)]
        if rows is not None and rows < height:
            count = max(1, rows // block)
            starts = [starts[len(starts) * number // count] for number in range(count)]
        step = max(1, len(starts) * block * width // SAMPLE)
        pixels = known = beyond = 0
        tagged = raster.nodata is not None and not abs(raster.nodata) < UNKNOWN_MAGNITUDE
        low, high = np.inf, -np.inf
        sample = []
        for top in starts:
            values, mask = raster.read((top, min(top + block, height)), (0, width))
            found = values[:, mask].astype(np.float32)
            pixels, known = pixels + mask.size, known + found.shape[1]
            if raster.dtype.kind == "f" and not tagged:
                beyond += int((np.abs(values) >= UNKNOWN_MAGNITUDE).any(axis=0).sum())
            if found.size:
                low, high = min(low, float(found.min())), max(high, float(found.max()))
                sample.append(found[:, ::step].T)
        empty = np.zeros((0, len(raster.bands)), np.float32)
        return FileStatistics(
            path,
            raster.dtype,
            raster.grid,
            pixels,
            known,
            beyond,
            low,
            high,
            np.concatenate([empty, *sample]),
        )


def _extent(grid: PixelGrid, crs: CRS) -> BaseGeometry:
    """Return the extent of a grid in a CRS; an empty shape if it is not defined there."""
    try:
        to_crs = transformer("", grid.crs, crs)
    except InputError:
        return Polygon()
    return box(*grid.bounds) if to_crs is None else extent_in(grid.bounds, to_crs)


class Extents:
    """Extents of the files of a layer.

    Args:
        layer: The layer.
    """

    def __init__(self, layer: LayerStatistics) -> None:
        self._grids = [file.grid for file in layer.files]
        self._unions: dict[str, BaseGeometry] = {}

    def share_of(self, grid: PixelGrid) -> float:
        """Return the share of a raster's extent that they cover."""
        crs = grid.crs.to_wkt()
        if crs not in self._unions:
            # Files of places that this CRS does not know are empty, and overlap no other.
            self._unions[crs] = unary_union([_extent(own, grid.crs) for own in self._grids])
            prepare(self._unions[crs])
        extent = box(*grid.bounds)
        return float(self._unions[crs].intersection(extent).area / extent.area)
