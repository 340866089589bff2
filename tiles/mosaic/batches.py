"""What the network is fed: strips of rows, full batches of tiles, and what of them is known."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, wait
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from tiles.grid import PixelGrid
from tiles.mosaic.tiling import Panel, Plan
from tiles.reading.resample import resample
from tiles.types import BoolArray, Span

T = TypeVar("T")


class PixelSource(Protocol):
    """What tiles are cut from: a raster, several as if they were one, or an array."""

    @property
    def grid(self) -> PixelGrid:
        """Grid of the pixels."""

    @property
    def bands(self) -> Sequence[int]:
        """Numbers of the bands that are read."""

    def grid_at(self, gsd: float | None) -> PixelGrid:
        """Return the grid that a network of some ground sampling distance sees."""

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Return values [C, H, W] of a window, and which pixels are known, bool [H, W]."""


@dataclass(frozen=True, eq=False)
class Strip:
    """Rows that were read for the next row of tiles.

    Attributes:
        known: bool [h, panel], pixels of the panel that the map knows, in new rows of the target.
        work: bool [H, work columns of the panel], those known in new rows of the work grid.
        start: First of the new rows of the target, and of the work grid.
    """

    known: BoolArray
    work: BoolArray
    start: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Batch:
    """Tiles for the network.

    Attributes:
        images: float32 [B, C, S, S], channels last in memory.
        tiles: Row number and column number of each tile in the plan; fewer than images where the
            last batch of a panel was filled up, so that the network sees one shape only.
    """

    images: torch.Tensor
    tiles: tuple[tuple[int, int], ...]


Choice = Callable[[tuple[int, int], tuple[int, int]], BoolArray]
"""From rows (start, stop) and columns (start, stop) to bool [H, W]: which pixels are wanted."""


class Feed:
    """Strips and batches of one panel, in the order in which they are needed.

    Args:
        source: The rasters.
        plan: Its plan.
        panel: The panel to read.
        size: Tiles per batch.
        fill: float32 [C], what the network is shown instead of unknown pixels.
        first: Row number and column number of the tile to begin with; by default the panel's first.
        inside: Which pixels of the target grid the map shows; by default all.
        near: Which pixels of the work grid those are made from, and perhaps some more.
    """

    def __init__(
        self,
        source: PixelSource,
        plan: Plan,
        panel: Panel,
        size: int,
        fill: npt.NDArray[np.float32],
        first: tuple[int, int] | None = None,
        inside: Choice | None = None,
        near: Choice | None = None,
    ) -> None:
        self._source, self._plan, self._panel, self._size = source, plan, panel, size
        self._first = first or (plan.tile_rows[0], panel.tiles[0])
        self._inside, self._near = inside, near
        self._fill = torch.from_numpy(fill.copy())[:, None, None]
        last = min(plan.columns[panel.tiles[-1]] + plan.tile, plan.work.width)
        self._columns = (plan.columns[panel.tiles[0]], last)

    def __iter__(self) -> Iterator[Strip | Batch]:
        """Yield each strip before the tiles that end in it; all batches are full."""
        plan, (left, right) = self._plan, self._columns
        waiting: list[tuple[torch.Tensor, tuple[int, int]]] = []
        values: Any = None
        known: BoolArray = np.zeros((0, right - left), bool)
        top = bottom = seen = plan.rows[self._first[0]]
        if plan.returns:
            seen = plan.into_work[0].source_range(top, top + 1)[0]
        for row in range(self._first[0], plan.tile_rows.stop):
            start = plan.rows[row]
            end = min(start + plan.tile, plan.work.height)
            fresh, strip_known, strip, seen = self._strip(bottom, end, seen)
            yield strip
            # The rows that this row of tiles shares with the one above stay.
            kept = slice(start - top, bottom - top)
            values = fresh if values is None else np.concatenate([values[:, kept], fresh], axis=1)
            known = np.concatenate([known[kept], strip_known])
            top, bottom = start, end
            for column in self._panel.tiles:
                at = plan.columns[column]
                part = known[:, at - left : at - left + plan.tile]
                if (row, column) >= self._first and self._wanted(part, (start, end), at):
                    image = self._image(values[:, :, at - left : at - left + plan.tile], part)
                    waiting.append((image, (row, column)))
                if len(waiting) == self._size:
                    yield self._batch(waiting)
                    waiting = []
        if waiting:
            yield self._batch(waiting)

    def _wanted(self, known: BoolArray, rows: tuple[int, int], column: int) -> bool:
        """Whether any pixel of the map is made from a tile of which these pixels are known."""
        if self._near is None:
            return bool(known.any())
        near = self._near(rows, (column, column + known.shape[1]))
        return bool((known & near).any())

    def _strip(self, start: int, stop: int, seen: int) -> tuple[Any, BoolArray, Strip, int]:
        """Read the work rows [start, stop), where target rows above `seen` were handed out."""
        plan, panel, (left, right) = self._plan, self._panel, self._columns
        rows, columns = (start, stop), (left, right)
        if plan.resamples:
            rows = plan.into_work[0].source_range(start, stop)
            columns = plan.into_work[1].source_range(left, right)
        if plan.returns:
            columns = min(columns[0], panel.start), max(columns[1], panel.stop)
        values, source = self._source.read(rows, columns)
        known = source
        if plan.resamples:
            height, width = source.shape
            made, found = resample(
                torch.from_numpy(values.astype(np.float32)),
                torch.from_numpy(source.copy()),
                plan.into_work[0].local(start, stop, rows[0], height),
                plan.into_work[1].local(left, right, columns[0], width),
            )
            values, known = made.numpy(), found.numpy()
        work = known[:, panel.work[0] - left : panel.work[1] - left]
        end, handed = stop, work
        if plan.returns:
            end, of_panel = rows[1], slice(panel.start - columns[0], panel.stop - columns[0])
            handed = source[seen - rows[0] :, of_panel]
        if self._inside is not None:
            handed = handed & self._inside((seen, end), (panel.start, panel.stop))
        if not handed.any():  # long stretches without data are held without memory
            handed = np.broadcast_to(np.False_, handed.shape)
            work = work if work.any() else np.broadcast_to(np.False_, work.shape)
        # Copied, lest a view keep the whole strip.
        return values, known, Strip(_own(handed), _own(work), (seen, start)), end

    def _image(self, values: Any, known: BoolArray) -> torch.Tensor:
        """One tile, [C, S, S], of the raster's type where nothing had to be put in."""
        image = torch.from_numpy(values)
        if not known.all():
            image = torch.where(torch.from_numpy(known), image.to(torch.float32), self._fill)
        height, width = known.shape
        if (height, width) != (self._plan.tile, self._plan.tile):
            overhang = ((0, 0), (0, self._plan.tile - height), (0, self._plan.tile - width))
            image = torch.from_numpy(np.pad(image.numpy(), overhang, mode="reflect"))
        return image

    def _batch(self, waiting: list[tuple[torch.Tensor, tuple[int, int]]]) -> Batch:
        first, _ = waiting[0]
        # Channels last: a convolution of few channels is up to 27 times as fast on a CPU.
        images = torch.empty(self._size, *first.shape, memory_format=torch.channels_last)
        for number, target in enumerate(images):
            image, _ = waiting[min(number, len(waiting) - 1)]
            target.copy_(image)
        return Batch(images, tuple(tile for _, tile in waiting))


def _own(known: BoolArray) -> BoolArray:
    return known if known.strides == (0, 0) else known.copy()


def ahead(items: Iterator[T], pool: Executor) -> Generator[T, None, None]:
    """Make the next item in a background thread while this one is used.

    Args:
        items: Where they come from.
        pool: The thread. One for all panels: each new one would keep memory of its own.
    """
    end = object()
    following = pool.submit(next, items, end)
    try:
        while (item := following.result()) is not end:
            following = pool.submit(next, items, end)
            yield item  # type: ignore[misc]
    finally:
        if not following.cancel():
            wait([following])  # it reads from what may be closed next
