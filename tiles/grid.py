"""Pixel grids and the plan of overlapping tiles over them: arithmetic only, no file is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pyproj
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

from tiles.errors import InputError
from tiles.resample import Taps, make_taps

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


@dataclass(frozen=True)
class Panel:
    """A range of columns of the map that is worked on from top to bottom.

    Attributes:
        start: First column on the source grid.
        stop: One past the last.
        work: Columns (start, stop) of the work grid that these need.
        tiles: Numbers of the tile columns that touch those.
    """

    start: int
    stop: int
    work: tuple[int, int]
    tiles: range


@dataclass(frozen=True, eq=False)
class Plan:
    """Which tiles make the map, and in which panels.

    Tiles are laid over the whole work grid; panels only choose among them. So a pixel is the same
    however wide the panels are, only tiles that touch two panels are predicted twice.

    Attributes:
        source: Grid of the raster and of the map.
        work: Grid that the network sees, of the same extent.
        tile: Pixels along a tile.
        overlap: Pixels that neighbours share at least.
        panel: Greatest width of a panel on the source grid, rounded up to whole blocks.
        block: Pixels along a block of the map.
    """

    source: PixelGrid
    work: PixelGrid
    tile: int
    overlap: int
    panel: int = 8192
    block: int = BLOCK

    def __post_init__(self) -> None:
        """Check the settings before anything is read."""
        if self.panel < 1:
            raise InputError("panel", f"{self.panel} px is no width", "give 1 px or more")
        _ = self.rows, self.columns

    @property
    def resamples(self) -> bool:
        """Whether the network sees another grid than the raster's."""
        return (self.source.width, self.source.height) != (self.work.width, self.work.height)

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """First rows of the tiles."""
        return tile_starts(self.work.height, self.tile, self.overlap)

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """First columns of the tiles."""
        return tile_starts(self.work.width, self.tile, self.overlap)

    @cached_property
    def into_work(self) -> tuple[Taps, Taps]:
        """Taps (rows, columns) from the source grid to the work grid."""
        source, work = self.source, self.work
        return make_taps(source.height, work.height), make_taps(source.width, work.width)

    @cached_property
    def onto_source(self) -> tuple[Taps, Taps]:
        """Taps (rows, columns) from the work grid back to the source grid."""
        source, work = self.source, self.work
        return make_taps(work.height, source.height), make_taps(work.width, source.width)

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """The panels from left to right."""
        return tuple(self._panels())

    def _panels(self) -> Iterator[Panel]:
        step = -(-self.panel // self.block) * self.block
        for start in range(0, self.source.width, step):
            stop = min(start + step, self.source.width)
            work = self.onto_source[1].reach(start, stop) if self.resamples else (start, stop)
            touching = [
                number
                for number, first in enumerate(self.columns)
                if first < work[1] and first + self.tile > work[0]
            ]
            yield Panel(start, stop, work, range(touching[0], touching[-1] + 1))

    @property
    def count(self) -> int:
        """Tiles to go through, those of two panels counted twice."""
        return len(self.rows) * sum(len(panel.tiles) for panel in self.panels)
