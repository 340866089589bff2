"""Input of the network: blocks of rows as they are read, and full batches of tiles."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, wait
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from tiles.grid import PixelGrid
from tiles.mosaic.tiling import Panel, TilingPlan
from tiles.reading.resampling import resample
from tiles.types import BoolArray, Span

T = TypeVar("T")


class PixelSource(Protocol):
    """Pixels that tiles are cut from: a raster, several as if they were one, or an array."""

    @property
    def grid(self) -> PixelGrid:
        """Grid of the pixels."""

    @property
    def bands(self) -> Sequence[int]:
        """Numbers of the bands that are read."""

    def grid_at(self, gsd: float | None) -> PixelGrid:
        """Return the grid of the input of a network with a ground sampling distance in metres."""

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Return the values [C, H, W] of a window, and a mask of known pixels, bool [H, W]."""


@dataclass(frozen=True, eq=False)
class RowBlock:
    """Rows that were read for the next row of tiles.

    Attributes:
        known: bool [h, width of the panel], known pixels in new rows of the target grid.
        network_known: bool [H, network columns of the panel], known pixels in new rows of the
            network's grid.
        start: First of the new rows of the target grid, and of the network's grid.
    """

    known: BoolArray
    network_known: BoolArray
    start: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Batch:
    """Tiles for the network.

    Attributes:
        images: float32 [B, C, S, S], channels last in memory.
        tiles: Row number and column number of each tile in the plan. The last batch of a panel may
            have fewer tiles than images: it is filled up, so that all batches have one shape.
    """

    images: torch.Tensor
    tiles: tuple[tuple[int, int], ...]


PixelMask = Callable[[Span, Span], BoolArray]
"""Function from rows (start, stop) and columns (start, stop) to a mask of pixels, bool [H, W]."""


class TileBatches:
    """Blocks of rows and batches of tiles of one panel, in the order in which they are needed.

    Args:
        source: The raster.
        plan: Layout of the tiles.
        panel: The panel to read.
        size: Tiles per batch.
        fill: float32 [C], values of unknown pixels for the network.
        first: Row number and column number of the first tile; by default that of the panel.
        inside: Mask of pixels of the target grid that the map has; all by default.
        network_inside: Mask of pixels of the network's grid from which these are made; it may
            hold more.
    """

    def __init__(
        self,
        source: PixelSource,
        plan: TilingPlan,
        panel: Panel,
        size: int,
        fill: npt.NDArray[np.float32],
        first: tuple[int, int] | None = None,
        inside: PixelMask | None = None,
        network_inside: PixelMask | None = None,
    ) -> None:
        self._source, self._plan, self._panel, self._size = source, plan, panel, size
        self._first = first or (plan.tile_rows[0], panel.tiles[0])
        self._inside, self._network_inside = inside, network_inside
        self._fill = fill[:, None, None]
        last = min(plan.columns[panel.tiles[-1]] + plan.tile, plan.network.width)
        self._columns = (plan.columns[panel.tiles[0]], last)

    def __iter__(self) -> Iterator[RowBlock | Batch]:
        """Yield each block of rows before the tiles that end in it; all batches are full."""
        plan, (left, right) = self._plan, self._columns
        waiting: list[tuple[npt.NDArray[Any], tuple[int, int]]] = []
        values: Any = None
        known: BoolArray = np.zeros((0, right - left), bool)
        top = bottom = seen = plan.rows[self._first[0]]
        if plan.output_needs_resampling:
            seen = plan.to_network[0].source_range(top, top + 1)[0]
        for row in range(self._first[0], plan.tile_rows.stop):
            start = plan.rows[row]
            end = min(start + plan.tile, plan.network.height)
            new_values, new_known, block, seen = self._read(bottom, end, seen)
            yield block
            # Keep the rows that this row of tiles shares with the one above.
            shared = slice(start - top, bottom - top)
            if values is not None:
                new_values = np.concatenate([values[:, shared], new_values], axis=1)
            values, known = new_values, np.concatenate([known[shared], new_known])
            top, bottom = start, end
            for column in self._panel.tiles:
                first = plan.columns[column]
                of_tile = slice(first - left, first - left + plan.tile)
                part = known[:, of_tile]
                if (row, column) >= self._first and self._is_needed(part, (start, end), first):
                    image = self._image(values[:, :, of_tile], part)
                    waiting.append((image, (row, column)))
                if len(waiting) == self._size:
                    yield self._batch(waiting)
                    waiting = []
        if waiting:
            yield self._batch(waiting)

    def _is_needed(self, known: BoolArray, rows: Span, column: int) -> bool:
        """Return whether any pixel of the map is made from a tile with these known pixels."""
        if self._network_inside is None:
            return bool(known.any())
        inside = self._network_inside(rows, (column, column + known.shape[1]))
        return bool((known & inside).any())

    def _read(self, start: int, stop: int, seen: int) -> tuple[Any, BoolArray, RowBlock, int]:
        """Read rows [start, stop) of the network's grid; target rows above `seen` are done."""
        plan, panel, (left, right) = self._plan, self._panel, self._columns
        rows, columns = (start, stop), (left, right)
        if plan.input_needs_resampling:
            rows = plan.to_network[0].source_range(start, stop)
            columns = plan.to_network[1].source_range(left, right)
        if plan.output_needs_resampling:
            columns = min(columns[0], panel.start), max(columns[1], panel.stop)
        values, source = self._source.read(rows, columns)
        known = source
        if plan.input_needs_resampling:
            height, width = source.shape
            resampled, found = resample(
                torch.from_numpy(values.astype(np.float32)),
                torch.from_numpy(source.copy()),
                plan.to_network[0].local(start, stop, rows[0], height),
                plan.to_network[1].local(left, right, columns[0], width),
            )
            values, known = resampled.numpy(), found.numpy()
        network_known = known[:, panel.network[0] - left : panel.network[1] - left]
        end, target_known = stop, network_known
        if plan.output_needs_resampling:
            end, of_panel = rows[1], slice(panel.start - columns[0], panel.stop - columns[0])
            target_known = source[seen - rows[0] :, of_panel]
        if self._inside is not None:
            target_known = target_known & self._inside((seen, end), (panel.start, panel.stop))
        if not target_known.any():  # Long stretches without data take no memory.
            target_known = np.broadcast_to(np.False_, target_known.shape)
            if not network_known.any():
                network_known = np.broadcast_to(np.False_, network_known.shape)
        # Copies: a view would keep all rows that were read in memory.
        block = RowBlock(_copy(target_known), _copy(network_known), (seen, start))
        return values, known, block, end

    def _image(self, values: npt.NDArray[Any], known: BoolArray) -> npt.NDArray[Any]:
        """Return a tile [C, S, S], in the type of the raster if all of it is known."""
        image = values if known.all() else np.where(known, values, self._fill)
        height, width = known.shape
        if (height, width) != (self._plan.tile, self._plan.tile):
            overhang = ((0, 0), (0, self._plan.tile - height), (0, self._plan.tile - width))
            image = np.pad(image, overhang, mode="reflect")
        return image

    def _batch(self, waiting: list[tuple[npt.NDArray[Any], tuple[int, int]]]) -> Batch:
        first, _ = waiting[0]
        # A convolution of few channels is up to 27 times as fast on a CPU with channels last.
        images = torch.empty(self._size, *first.shape, memory_format=torch.channels_last)
        # PyTorch would copy with several threads, which slow down those of the network. NumPy
        # copies channel by channel in a third of the time, since the target has its channels last.
        for number, target in enumerate(images.numpy()):
            image, _ = waiting[min(number, len(waiting) - 1)]
            for channel, pixels in zip(target, image, strict=True):
                channel[:] = pixels
        return Batch(images, tuple(tile for _, tile in waiting))


def _copy(known: BoolArray) -> BoolArray:
    return known if known.strides == (0, 0) else known.copy()


def prefetch(items: Iterator[T], pool: Executor) -> Generator[T, None, None]:
    """Make the next item in a background thread while this one is used.

    Args:
        items: The items.
        pool: The thread, one for all panels: each new thread would keep memory of its own.
    """
    end = object()
    following = pool.submit(next, items, end)
    try:
        while (item := following.result()) is not end:
            following = pool.submit(next, items, end)
            yield item  # type: ignore[misc]
    finally:
        if not following.cancel():
            wait([following])  # It reads from a file that may be closed next.
