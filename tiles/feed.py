"""What the network is fed: strips of rows, full batches of tiles, and what of them is known."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from tiles.plan import Panel, Plan
from tiles.raster import Bools, Raster
from tiles.resample import resample

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Strip:
    """Rows that were read for the next row of tiles.

    Attributes:
        known: bool [h, panel], known pixels of the panel in new rows of the source.
        work: bool [H, work columns of the panel], those in new rows of the work grid.
        start: First of the new rows of the source, and of the work grid.
    """

    known: Bools
    work: Bools
    start: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Batch:
    """Tiles for the network.

    Attributes:
        images: float32 [B, C, S, S].
        tiles: Row number and column number of each tile in the plan.
    """

    images: torch.Tensor
    tiles: tuple[tuple[int, int], ...]


class Feed:
    """Strips and batches of one panel, in the order in which they are needed.

    Args:
        raster: The raster.
        plan: Its plan.
        panel: The panel to read.
        size: Tiles per batch.
        fill: float32 [C], what the network is shown instead of unknown pixels.
        first: Row number and column number of the tile to begin with.
    """

    def __init__(
        self,
        raster: Raster,
        plan: Plan,
        panel: Panel,
        size: int,
        fill: npt.NDArray[np.float32],
        first: tuple[int, int] = (0, 0),
    ) -> None:
        self._raster, self._plan, self._panel, self._size = raster, plan, panel, size
        self._first = first
        self._fill = torch.from_numpy(fill.copy())[:, None, None]
        last = min(plan.columns[panel.tiles[-1]] + plan.tile, plan.work.width)
        self._columns = (plan.columns[panel.tiles[0]], last)

    def __iter__(self) -> Iterator[Strip | Batch]:
        """Yield each strip before the tiles that end in it; all batches but the last are full."""
        plan, (left, right) = self._plan, self._columns
        waiting: list[tuple[torch.Tensor, tuple[int, int]]] = []
        values: Any = None
        known: Bools = np.zeros((0, right - left), bool)
        top = bottom = seen = plan.rows[self._first[0]]
        if plan.resamples:
            seen = plan.into_work[0].reach(top, top + 1)[0]
        for row, start in enumerate(plan.rows[self._first[0] :], self._first[0]):
            end = min(start + plan.tile, plan.work.height)
            fresh, strip_known, strip, seen = self._strip(bottom, end, seen)
            yield strip
            # The rows that this row of tiles shares with the one above stay.
            kept = slice(start - top, bottom - top)
            values = fresh if values is None else np.concatenate([values[:, kept], fresh], axis=1)
            known = np.concatenate([known[kept], strip_known])
            top, bottom = start, end
            for column in self._panel.tiles:
                at = plan.columns[column] - left
                part = known[:, at : at + plan.tile]
                if part.any() and (row, column) >= self._first:
                    image = self._image(values[:, :, at : at + plan.tile], part)
                    waiting.append((image, (row, column)))
                if len(waiting) == self._size:
                    yield self._batch(waiting)
                    waiting = []
        if waiting:
            yield self._batch(waiting)

    def _strip(self, start: int, stop: int, seen: int) -> tuple[Any, Bools, Strip, int]:
        """Read the work rows [start, stop), where source rows above `seen` were handed out."""
        plan, panel, (left, right) = self._plan, self._panel, self._columns
        rows, columns = (start, stop), (left, right)
        if plan.resamples:
            rows = plan.into_work[0].reach(start, stop)
            reach = plan.into_work[1].reach(left, right)
            columns = min(reach[0], panel.start), max(reach[1], panel.stop)
        values, source = self._raster.read(rows, columns)
        handed = source[seen - rows[0] :, panel.start - columns[0] : panel.stop - columns[0]]
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
        if not handed.any():  # long stretches without data are held without memory
            handed = np.broadcast_to(np.False_, handed.shape)
            work = work if work.any() else np.broadcast_to(np.False_, work.shape)
        # Copied, lest a view keep the whole strip.
        return values, known, Strip(_own(handed), _own(work), (seen, start)), rows[1]

    def _image(self, values: Any, known: Bools) -> torch.Tensor:
        """One tile, [C, S, S], of the raster's type where nothing had to be put in."""
        image = torch.from_numpy(values)
        if not known.all():
            image = torch.where(torch.from_numpy(known), image.to(torch.float32), self._fill)
        height, width = known.shape
        if (height, width) != (self._plan.tile, self._plan.tile):
            overhang = ((0, 0), (0, self._plan.tile - height), (0, self._plan.tile - width))
            image = torch.from_numpy(np.pad(image.numpy(), overhang, mode="reflect"))
        return image

    @staticmethod
    def _batch(waiting: list[tuple[torch.Tensor, tuple[int, int]]]) -> Batch:
        first, _ = waiting[0]
        # Channels last: a convolution of few channels is up to 27 times as fast on a CPU.
        images = torch.empty(len(waiting), *first.shape, memory_format=torch.channels_last)
        for target, (image, _) in zip(images, waiting, strict=True):
            target.copy_(image)
        return Batch(images, tuple(tile for _, tile in waiting))


def _own(known: Bools) -> Bools:
    return known if known.strides == (0, 0) else known.copy()


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Make the next item in a background thread while this one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, items, end)
        while (item := following.result()) is not end:
            following = pool.submit(next, items, end)
            yield item  # type: ignore[misc]
