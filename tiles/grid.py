"""Pixel grids: where the pixels of rasters, tiles and windows lie; no file is read here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyproj
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

from tiles.errors import InputError, InvalidValueError

# Pixels along each side of the square blocks of maps; panels begin at block borders.
BLOCK = 512
# Places that differ by less than this part of a pixel are the same.
PIXEL_TOLERANCE = 0.01
# Bounds of the size of a pixel and of coordinates, in units of any CRS.
SMALLEST, FARTHEST = 1e-10, 1e12
# Bound of the rows and columns of a grid at another ground sampling distance.
LONGEST_EDGE = 2**24
# Bound of the pixels of a raster that is read as a whole: a million rows of a million columns.
MOST_PIXELS = 2**40


def is_rotated(transform: Affine) -> bool:
    """Return whether a geotransform rotates by more than a rounding error.

    Example:
        >>> is_rotated(Affine(0.5, 1e-17, 4e5, 0, -0.5, 5e6)), is_rotated(Affine.rotation(1.0))
        (False, True)
    """
    t = transform
    return not (abs(t.b) <= 1e-9 * abs(t.a) and abs(t.d) <= 1e-9 * abs(t.e))


def tile_starts(length: int, tile: int, overlap: int) -> tuple[int, ...]:
    """Compute where overlapping tiles along one axis start.

    Args:
        length: Pixels along the axis.
        tile: Pixels along a tile.
        overlap: Pixels that neighbouring tiles share at least.

    Returns:
        Starts in ascending order. The last tile is moved so that it ends with the axis. An axis
        that is no longer than a tile has one tile at 0, which may extend beyond the axis.

    Raises:
        InvalidValueError: If `tile` is not >= 1 or `overlap` not in [0, tile).

    Example:
        >>> tile_starts(length=1000, tile=512, overlap=128)
        (0, 384, 488)
    """
    if length < 1:
        raise ValueError(f"length must be >= 1 px, got {length}")
    if tile < 1:
        raise InvalidValueError("tile", f"must be >= 1 px, got {tile}", "give 1 px or more")
    if not 0 <= overlap < tile:
        fault = f"must be >= 0 px and less than the tile of {tile} px, got {overlap}"
        raise InvalidValueError("overlap", fault, f"give 0 to {tile - 1} px")
    if length <= tile:
        return (0,)
    last = length - tile
    return (*range(0, last, tile - overlap), last)


@dataclass(frozen=True)
class PixelGrid:
    """Position of a raster's pixels on the ground.

    Attributes:
        crs: Coordinate reference system.
        transform: Affine transformation from (column, row) to coordinates, without rotation.
        width: Number of columns.
        height: Number of rows.

    Raises:
        InputError: If the transformation rotates or is degenerate.
        ValueError: If the grid has no pixels.

    Example:
        >>> from rasterio.transform import from_origin
        >>> grid = PixelGrid(CRS.from_epsg(25832), from_origin(5e5, 5.8e6, 0.5, 0.5), 96, 96)
        >>> grid.bounds, round(grid.gsd, 3)
        ((500000.0, 5799952.0, 500048.0, 5800000.0), 0.5)
    """

    crs: CRS
    transform: Affine
    width: int
    height: int

    def __post_init__(self) -> None:
        """Check that the grid has pixels and is not rotated."""
        if self.width < 1 or self.height < 1:
            raise ValueError(f"grid of {self.width} x {self.height} pixels is empty")
        t = self.transform
        if t.a == 0 or t.e == 0 or is_rotated(t):
            raise InputError(
                "geotransform", "is rotated or degenerate", "warp the raster to a north-up grid"
            )
        sizes = abs(t.a), abs(t.e)
        places = abs(t.c), abs(t.f)
        if not (all(SMALLEST < size < FARTHEST for size in sizes) and max(places) < FARTHEST):
            fault = "is beyond the earth, or has pixels of no possible size"
            raise InputError("geotransform", fault, "correct it")

    @classmethod
    def of(cls, raster: Any) -> PixelGrid:
        """Return the grid of an open raster (``rasterio.DatasetReader``).

        Raises:
            InputError: If its geotransform rotates or is degenerate.
        """
        return cls(raster.crs, raster.transform, raster.width, raster.height)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Extent (west, south, east, north) in units of the CRS."""
        x = (self.transform.c, self.transform.c + self.width * self.transform.a)
        y = (self.transform.f, self.transform.f + self.height * self.transform.e)
        return min(x), min(y), max(x), max(y)

    @cached_property
    def pixel_size(self) -> tuple[float, float]:
        """Width and height of a pixel in metres, measured at the grid's centre."""
        width, height = abs(self.transform.a), abs(self.transform.e)
        if self.crs.is_geographic:
            west, south, east, north = self.bounds
            x, y = (west + east) / 2, (south + north) / 2
            geod = pyproj.CRS.from_user_input(self.crs).get_geod() or pyproj.Geod(ellps="WGS84")
            eastward = geod.inv(x - width / 2, y, x + width / 2, y)[2]
            northward = geod.inv(x, y - height / 2, x, y + height / 2)[2]
            return float(eastward), float(northward)
        try:
            factor = float(self.crs.linear_units_factor[1])
        except CRSError as error:
            raise InputError(
                "coordinate reference system",
                "does not define the length of its unit",
                "assign a projected one",
            ) from error
        scale_x, scale_y = self._scale()
        return width * factor / scale_x, height * factor / scale_y

    def _scale(self) -> tuple[float, float]:
        """Return the projection's scale factors eastward and northward at the grid's centre."""
        west, south, east, north = self.bounds
        proj = pyproj.Proj(pyproj.CRS.from_user_input(self.crs))
        factors = proj.get_factors(*proj((west + east) / 2, (south + north) / 2, inverse=True))
        scales = float(factors.parallel_scale), float(factors.meridional_scale)
        # The scale of survey grids differs from 1 by a few percent at most, and their coordinates
        # are used as metres; that of Web Mercator is 1.6 in Germany. A local CRS has no scale.
        undefined = any(not 0 < scale < float("inf") for scale in scales)
        survey_grid = all(abs(scale - 1) < 0.05 for scale in scales)
        return (1.0, 1.0) if undefined or survey_grid else scales

    @property
    def gsd(self) -> float:
        """Ground sampling distance in metres: side of a square with a pixel's area."""
        width, height = self.pixel_size
        return float((width * height) ** 0.5)

    def has_gsd(self, gsd: float, tolerance: float = 0.01) -> bool:
        """Return whether pixels are `gsd` metres wide and high, up to a relative tolerance."""
        return all(abs(gsd / size - 1) <= tolerance for size in self.pixel_size)

    def resampled(self, gsd: float) -> PixelGrid:
        """Return the grid over the same extent whose pixels come nearest to another size.

        Args:
            gsd: Ground sampling distance wanted, in metres.

        Returns:
            A grid with a whole number of pixels over this grid's extent. Over the whole width (or
            height), its pixels deviate from `gsd` by half a pixel in total at most.

        Raises:
            InvalidValueError: If `gsd` is not > 0.
            InputError: If pixels have no size in metres, or the grid would have too many.
        """
        if not 0 < gsd < float("inf"):
            raise InvalidValueError("gsd", f"must be > 0 m, got {gsd:g}", "give metres")
        size = self.pixel_size
        if not all(0 < edge < float("inf") for edge in size):
            fault = "gives pixels no size in metres, as beyond a pole"
            raise InputError(
                "geotransform", fault, "correct it, or the coordinate reference system"
            )
        if max(self.width * size[0], self.height * size[1]) > LONGEST_EDGE * gsd:
            fault = f"has pixels of {max(size):.3g} m, which are too many of {gsd:g} m"
            raise InputError("geotransform", fault, "give an image as fine as the network's")
        width = max(1, round(self.width * size[0] / gsd))
        height = max(1, round(self.height * size[1] / gsd))
        t, x, y = self.transform, self.width / width, self.height / height
        return PixelGrid(
            self.crs, Affine(t.a * x, t.b * y, t.c, t.d * x, t.e * y, t.f), width, height
        )

    def window(self, column: int, row: int, width: int, height: int) -> PixelGrid:
        """Return the grid of a window, which may extend beyond this grid.

        Args:
            column: Column of this grid at which the window begins.
            row: Row of this grid at which the window begins.
            width: Columns of the window.
            height: Rows of the window.
        """
        t = self.transform
        x, y = t.c + column * t.a + row * t.b, t.f + column * t.d + row * t.e
        return PixelGrid(self.crs, Affine(t.a, t.b, x, t.d, t.e, y), width, height)
