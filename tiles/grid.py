"""Pixel grids: arithmetic only, no file is touched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyproj
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

from tiles.errors import InputError

# Maps are written in square blocks of this many pixels; panels begin at block borders.
BLOCK = 512


def tile_starts(length: int, tile: int, overlap: int) -> tuple[int, ...]:
    """Starts of overlapping tiles along one axis.

    Args:
        length: Pixels along the axis.
        tile: Pixels along a tile.
        overlap: Pixels that neighbours share at least.

    Returns:
        Ascending starts. The last tile is shifted inside so that it ends with the axis; an axis
        that is no longer than a tile has one tile at 0, which overhangs.

    Raises:
        InputError: Tile or overlap make no sense.
    """
    if length < 1:
        raise ValueError(f"an axis has at least one pixel, not {length}")
    if tile < 1:
        raise InputError("tile", f"{tile} px is no size", "give 1 px or more")
    if not 0 <= overlap < tile:
        fault = f"{overlap} px do not fit tiles of {tile} px"
        raise InputError("overlap", fault, f"give 0 to {tile - 1} px")
    if length <= tile:
        return (0,)
    last = length - tile
    return (*range(0, last, tile - overlap), last)


@dataclass(frozen=True)
class PixelGrid:
    """Where the pixels of a raster lie on the ground.

    Attributes:
        crs: Coordinate reference system.
        transform: From (column, row) to coordinates; without rotation.
        width: Columns.
        height: Rows.
    """

    crs: CRS
    transform: Affine
    width: int
    height: int

    def __post_init__(self) -> None:
        """Check that the grid has pixels and that they stand upright."""
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a grid of {self.width} x {self.height} pixels is empty")
        t = self.transform
        if t.a == 0 or t.e == 0 or abs(t.b) > 1e-9 * abs(t.a) or abs(t.d) > 1e-9 * abs(t.e):
            raise InputError(
                "geotransform", "is rotated or degenerate", "warp the raster to a north-up grid"
            )

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Extent (west, south, east, north) in units of the CRS."""
        x = (self.transform.c, self.transform.c + self.width * self.transform.a)
        y = (self.transform.f, self.transform.f + self.height * self.transform.e)
        return min(x), min(y), max(x), max(y)

    @cached_property
    def pixel_size(self) -> tuple[float, float]:
        """Width and height of a pixel in metres; of the central one in a geographic CRS."""
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
                "does not say how long its unit is",
                "assign a projected one",
            ) from error
        scale_x, scale_y = self._scale()
        return width * factor / scale_x, height * factor / scale_y

    def _scale(self) -> tuple[float, float]:
        """How many times too long the projection draws the ground, eastward and northward."""
        west, south, east, north = self.bounds
        proj = pyproj.Proj(pyproj.CRS.from_user_input(self.crs))
        factors = proj.get_factors(*proj((west + east) / 2, (south + north) / 2, inverse=True))
        scales = float(factors.parallel_scale), float(factors.meridional_scale)
        # A survey grid's scale stays within a few percent of 1 and is meant to be taken for 1; that
        # of Web Mercator is 1.6 in Germany. Without a place on earth there is none.
        surveyed = any(not 0 < scale < float("inf") for scale in scales) or all(
            abs(scale - 1) < 0.05 for scale in scales
        )
        return (1.0, 1.0) if surveyed else scales

    @property
    def gsd(self) -> float:
        """Ground sampling distance in metres: side of a square of a pixel's area."""
        width, height = self.pixel_size
        return float((width * height) ** 0.5)

    def has_gsd(self, gsd: float, tolerance: float = 0.01) -> bool:
        """Whether pixels are `gsd` metres wide and high, up to a relative tolerance."""
        return all(abs(gsd / size - 1) <= tolerance for size in self.pixel_size)

    def resampled(self, gsd: float) -> PixelGrid:
        """The grid of the very same extent whose pixels come nearest to another size.

        Args:
            gsd: Ground sampling distance wanted, in metres.

        Returns:
            A grid with a whole number of pixels over this grid's extent; pixels differ from `gsd`
            by half a pixel over the whole width at most.
        """
        if not 0 < gsd < float("inf"):
            raise InputError("gsd", f"{gsd} m is no ground sampling distance", "give metres > 0")
        size = self.pixel_size
        width = max(1, round(self.width * size[0] / gsd))
        height = max(1, round(self.height * size[1] / gsd))
        t, x, y = self.transform, self.width / width, self.height / height
        return PixelGrid(
            self.crs, Affine(t.a * x, t.b * y, t.c, t.d * x, t.e * y, t.f), width, height
        )

    def window(self, column: int, row: int, width: int, height: int) -> PixelGrid:
        """The grid of a window, which may reach beyond this grid."""
        t = self.transform
        x, y = t.c + column * t.a + row * t.b, t.f + column * t.d + row * t.e
        return PixelGrid(self.crs, Affine(t.a, t.b, x, t.d, t.e, y), width, height)
