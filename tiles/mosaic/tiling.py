"""Layout of overlapping tiles over a pixel grid, in panels: arithmetic only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from tiles.errors import InvalidValueError
from tiles.grid import BLOCK, PixelGrid, tile_starts
from tiles.reading.resampling import ResamplingWeights, resampling_weights
from tiles.types import Span

PANEL_COLUMNS: Final = 8192
"""Default width of a panel in pixels."""


@dataclass(frozen=True)
class Panel:
    """Range of columns of the map, which is made from top to bottom.

    Attributes:
        number: Number of the panel, from the left.
        start: First column on the target grid.
        stop: One past the last column.
        network: Columns (start, stop) of the network's grid that the panel needs.
        tiles: Numbers of the tile columns that touch these.
    """

    number: int
    start: int
    stop: int
    network: Span
    tiles: range


@dataclass(frozen=True, eq=False)
class TilingPlan:
    """Tiles and panels of a map.

    Tiles cover the whole grid of the network; panels and the window only choose among them. A
    pixel is therefore the same whatever the panels are; tiles that touch two panels are predicted
    twice.

    Attributes:
        source: Grid of the raster.
        network: Grid of the network's input, of the same extent.
        tile: Edge of a tile in pixels.
        overlap: Least number of pixels that neighbouring tiles share.
        panel: Greatest width of a panel in pixels, rounded up to whole blocks.
        block: Edge of a block of the map in pixels.
        target: Grid of the map: one of the two above; that of the source by default.
        window: Rows (start, stop) and columns (start, stop) of the target grid that the map has;
            all by default.

    Raises:
        InvalidValueError: If panel, tile or overlap have impossible values.
    """

    source: PixelGrid
    network: PixelGrid
    tile: int
    overlap: int
    panel: int = PANEL_COLUMNS
    block: int = BLOCK
    target: PixelGrid | None = None
    window: tuple[Span, Span] | None = None

    def __post_init__(self) -> None:
        """Check the settings before anything is read."""
        if self.panel < 1:
            fault = f"must be >= 1 px, got {self.panel}"
            raise InvalidValueError("panel", fault, "give 1 px or more")
        _ = self.rows, self.columns

    @cached_property
    def target_grid(self) -> PixelGrid:
        """Whole grid of the map, of which it may have a window only."""
        return self.target or self.source

    @cached_property
    def extent(self) -> tuple[Span, Span]:
        """Rows (start, stop) and columns (start, stop) of the target grid that the map has."""
        return self.window or ((0, self.target_grid.height), (0, self.target_grid.width))

    @cached_property
    def map_grid(self) -> PixelGrid:
        """Grid of the map."""
        (top, bottom), (left, right) = self.extent
        return self.target_grid.window(left, top, right - left, bottom - top)

    @property
    def input_needs_resampling(self) -> bool:
        """True if the network's grid differs from that of the raster."""
        return _size(self.source) != _size(self.network)

    @property
    def output_needs_resampling(self) -> bool:
        """True if the grid of the map differs from that of the network."""
        return _size(self.target_grid) != _size(self.network)

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """First rows of the tiles."""
        return tile_starts(self.network.height, self.tile, self.overlap)

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """First columns of the tiles."""
        return tile_starts(self.network.width, self.tile, self.overlap)

    @cached_property
    def to_network(self) -> tuple[ResamplingWeights, ResamplingWeights]:
        """Weights (rows, columns) that resample from the source grid to the network's."""
        return _weights(self.source, self.network)

    @cached_property
    def to_target(self) -> tuple[ResamplingWeights, ResamplingWeights]:
        """Weights (rows, columns) that resample from the network's grid to the target grid."""
        return _weights(self.network, self.target_grid)

    def tile_row(self, row: int) -> int:
        """Return the number of the first row of tiles that a row of the target grid needs."""
        needed = int(self.to_target[0].first[row]) if self.output_needs_resampling else row
        return bisect_right(self.rows, needed - self.tile)

    @cached_property
    def tile_rows(self) -> range:
        """Numbers of the rows of tiles that the map needs."""
        top, bottom = self.extent[0]
        end = (
            self.to_target[0].source_range(top, bottom)[1]
            if self.output_needs_resampling
            else bottom
        )
        return range(self.tile_row(top), bisect_right(self.rows, end - 1))

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """Panels from left to right."""
        return tuple(self._panels())

    def _panels(self) -> Iterator[Panel]:
        step = -(-self.panel // self.block) * self.block
        left, right = self.extent[1]
        for number, start in enumerate(range(left, right, step)):
            stop = min(start + step, right)
            network = (start, stop)
            if self.output_needs_resampling:
                network = self.to_target[1].source_range(start, stop)
            touching = [
                number
                for number, first in enumerate(self.columns)
                if first < network[1] and first + self.tile > network[0]
            ]
            yield Panel(number, start, stop, network, range(touching[0], touching[-1] + 1))

    def batch_size(self, most: int) -> int:
        """Return the number of tiles per batch: as few batches as possible, of nearly one size.

        It depends on neither the panels nor the window, since convolutions may round differently in
        batches of another size.

        Args:
            most: Largest number of tiles per batch.
        """
        count = len(self.rows) * len(self.columns)
        return -(-count // -(-count // most))


def fit_tile(grid: PixelGrid, tile: int | range, overlap: int) -> int:
    """Return the edge of the tiles that cover a grid.

    Args:
        grid: The grid of the network's input.
        tile: The edge, or a range of edges in pixels.
        overlap: Pixels that neighbouring tiles share at least.

    Returns:
        The edge; of a range, the smallest with which there are no more tiles than with the largest.

    Raises:
        InvalidValueError: If a tile or the overlap is impossible.

    Example:
        >>> from rasterio import Affine
        >>> from rasterio.crs import CRS
        >>> grid = PixelGrid(CRS.from_epsg(25832), Affine.identity(), 1100, 1100)
        >>> fit_tile(grid, range(256, 513, 32), overlap=16)  # 3 x 3 tiles, as with 512 px
        384
    """
    if isinstance(tile, int):
        return tile
    if not tile:
        raise InvalidValueError("tile", f"must hold an edge, got {tile}", "give one or more")

    def count(edge: int) -> int:
        rows = tile_starts(grid.height, edge, overlap)
        return len(rows) * len(tile_starts(grid.width, edge, overlap))

    fewest = count(max(tile))
    return min(edge for edge in tile if count(edge) == fewest)


def _weights(source: PixelGrid, target: PixelGrid) -> tuple[ResamplingWeights, ResamplingWeights]:
    rows = resampling_weights(source.height, target.height)
    return rows, resampling_weights(source.width, target.width)


def _size(grid: PixelGrid) -> tuple[int, int]:
    return grid.width, grid.height
