"""The plan of overlapping tiles over a pixel grid, in panels: arithmetic only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tiles.errors import InputError
from tiles.grid import BLOCK, PixelGrid, tile_starts
from tiles.resample import Taps, make_taps


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
