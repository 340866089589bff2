"""The plan of overlapping tiles over a pixel grid, in panels: arithmetic only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tiles.errors import InputError
from tiles.grid import BLOCK, PixelGrid, tile_starts
from tiles.reading.resample import ResamplingWeights, resampling_weights

# Columns of a panel unless something else is asked for.
PANEL = 8192


@dataclass(frozen=True)
class Panel:
    """A range of columns of the map that is worked on from top to bottom.

    Attributes:
        number: Its number, from the left.
        start: First column on the target grid.
        stop: One past the last.
        work: Columns (start, stop) of the work grid that these need.
        tiles: Numbers of the tile columns that touch those.
    """

    number: int
    start: int
    stop: int
    work: tuple[int, int]
    tiles: range


@dataclass(frozen=True, eq=False)
class Plan:
    """Which tiles make the map, and in which panels.

    Tiles are laid over the whole work grid; panels and the window only choose among them. So a
    pixel is the same however the map is cut, only tiles that touch two panels are predicted twice.

    Attributes:
        source: Grid of the raster.
        work: Grid that the network sees, of the same extent.
        tile: Pixels along a tile.
        overlap: Pixels that neighbours share at least.
        panel: Greatest width of a panel, rounded up to whole blocks.
        block: Pixels along a block of the map.
        target: Grid in which the map lies: one of the two above; by default the source's.
        window: Rows (start, stop) and columns (start, stop) of the target grid that the map shows;
            all of them by default.
    """

    source: PixelGrid
    work: PixelGrid
    tile: int
    overlap: int
    panel: int = PANEL
    block: int = BLOCK
    target: PixelGrid | None = None
    window: tuple[tuple[int, int], tuple[int, int]] | None = None

    def __post_init__(self) -> None:
        """Check the settings before anything is read."""
        if self.panel < 1:
            raise InputError("panel", f"{self.panel} px is no width", "give 1 px or more")
        _ = self.rows, self.columns

    @cached_property
    def whole(self) -> PixelGrid:
        """The target grid, of which the map shows a window."""
        return self.target or self.source

    @cached_property
    def span(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows (start, stop) and columns (start, stop) of the target grid that the map shows."""
        return self.window or ((0, self.whole.height), (0, self.whole.width))

    @cached_property
    def map(self) -> PixelGrid:
        """Grid of the map."""
        (top, bottom), (left, right) = self.span
        return self.whole.window(left, top, right - left, bottom - top)

    @property
    def resamples(self) -> bool:
        """Whether the network sees another grid than the raster's."""
        return _size(self.source) != _size(self.work)

    @property
    def returns(self) -> bool:
        """Whether the map lies on another grid than the network's."""
        return _size(self.whole) != _size(self.work)

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """First rows of the tiles."""
        return tile_starts(self.work.height, self.tile, self.overlap)

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """First columns of the tiles."""
        return tile_starts(self.work.width, self.tile, self.overlap)

    @cached_property
    def into_work(self) -> tuple[ResamplingWeights, ResamplingWeights]:
        """Taps (rows, columns) from the source grid to the work grid."""
        source, work = self.source, self.work
        return resampling_weights(source.height, work.height), resampling_weights(
            source.width, work.width
        )

    @cached_property
    def onto_target(self) -> tuple[ResamplingWeights, ResamplingWeights]:
        """Taps (rows, columns) from the work grid to the target grid."""
        target, work = self.whole, self.work
        return resampling_weights(work.height, target.height), resampling_weights(
            work.width, target.width
        )

    def tile_row(self, row: int) -> int:
        """Number of the first row of tiles that a row of the target grid needs."""
        needed = int(self.onto_target[0].first[row]) if self.returns else row
        return bisect_right(self.rows, needed - self.tile)

    @cached_property
    def tile_rows(self) -> range:
        """Numbers of the rows of tiles that the map needs."""
        top, bottom = self.span[0]
        end = self.onto_target[0].source_range(top, bottom)[1] if self.returns else bottom
        return range(self.tile_row(top), bisect_right(self.rows, end - 1))

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """The panels from left to right."""
        return tuple(self._panels())

    def _panels(self) -> Iterator[Panel]:
        step = -(-self.panel // self.block) * self.block
        left, right = self.span[1]
        for number, start in enumerate(range(left, right, step)):
            stop = min(start + step, right)
            work = self.onto_target[1].source_range(start, stop) if self.returns else (start, stop)
            touching = [
                number
                for number, first in enumerate(self.columns)
                if first < work[1] and first + self.tile > work[0]
            ]
            yield Panel(number, start, stop, work, range(touching[0], touching[-1] + 1))

    @property
    def count(self) -> int:
        """Tiles to go through, those of two panels counted twice."""
        return len(self.tile_rows) * sum(len(panel.tiles) for panel in self.panels)


def _size(grid: PixelGrid) -> tuple[int, int]:
    return grid.width, grid.height
