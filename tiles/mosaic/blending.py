"""The rolling band: the rows of one panel that are still being blended."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tiles.maps.layers import Layer, PercentMap, encode
from tiles.maps.panel_store import PanelProgress, PanelStore
from tiles.mosaic.batches import Strip
from tiles.mosaic.tiling import Panel, Plan
from tiles.reading.resample import resample
from tiles.types import BoolArray

# Rows that are finished at a time: few, so that they stay in the processor's cache.
CHUNK = 64


class KnownRows:
    """Rows of booleans by their number in the raster, put on below and taken off above."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[int, BoolArray]] = deque()

    def put(self, start: int, rows: BoolArray) -> None:
        """Put rows [h, width] below the last ones."""
        if len(rows):
            self._pieces.append((start, rows))

    def get(self, start: int, stop: int) -> BoolArray:
        """The rows [start, stop)."""
        found = [
            rows[max(start - at, 0) : stop - at]
            for at, rows in self._pieces
            if at < stop and at + len(rows) > start
        ]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def drop(self, start: int) -> None:
        """Forget whole pieces above the row `start`."""
        while self._pieces and self._pieces[0][0] + len(self._pieces[0][1]) <= start:
            self._pieces.popleft()


class Band:
    """Blends the tiles of one panel, and writes rows as soon as no further tile reaches them.

    Args:
        plan: The plan.
        panel: The panel of it.
        mark: Where to go on.
        layers: The maps.
        sheets: Where their rows go.

    Attributes:
        mark: How far the work has come.
    """

    def __init__(
        self,
        plan: Plan,
        panel: Panel,
        mark: PanelProgress,
        layers: Sequence[Layer],
        sheets: Mapping[str, PanelStore],
    ) -> None:
        self.mark = mark
        self._plan, self._panel, self._layers, self._sheets = plan, panel, layers, sheets
        work, self._width = plan.work, panel.stop - panel.start
        self._first, self._end = plan.span[0]  # rows of the map
        self._row_weights = torch.from_numpy(axis_weights(plan.rows, plan.tile, work.height))
        self._column_weights = torch.from_numpy(axis_weights(plan.columns, plan.tile, work.width))
        # When resampling, the last rows stay for the next ones' sake.
        history = len(plan.onto_target[0].index) + 1 if plan.returns else 0
        size = (min(plan.tile, work.height) + history, panel.work[1] - panel.work[0])
        self._sums = {
            layer.name: torch.zeros(layer.channels, *size) for layer in layers if layer.channels
        }
        self._blocks: dict[str, npt.NDArray[Any]] = {
            layer.name: np.empty((plan.block, self._width), layer.dtype) for layer in layers
        }
        self._known, self._work_known = KnownRows(), KnownRows()
        self._row = mark.tile[0]  # row of tiles that is being added
        self._top = plan.rows[self._row]  # row of the work grid that is the band's first
        self._done = mark.row  # rows of the map that are finished
        # By rows of tiles, the tile that the batch of the row's first tile begins with.
        self._batches: dict[int, tuple[int, int]] = {}

    def learn(self, strip: Strip) -> None:
        """Take note of what is known in rows to come."""
        self._known.put(strip.start[0], strip.known)
        if self._plan.returns:
            self._work_known.put(strip.start[1], strip.work)

    def expect(self, tiles: Sequence[tuple[int, int]]) -> None:
        """Take note of a batch, before its tiles (row, column) are added."""
        self.mark = replace(self.mark, predicted=True)
        for row, _ in tiles:
            self._batches.setdefault(row, tiles[0])

    def add(self, scores: Mapping[str, torch.Tensor], row: int, column: int) -> None:
        """Add one predicted tile; tiles come by rows.

        Args:
            scores: float32 [K, S, S] for each layer.
            row: The tile's row in the plan.
            column: Its column in the plan.
        """
        while self._row < row:
            self._row += 1
            self._finish(self._plan.rows[self._row])
        plan, (left, right) = self._plan, self._panel.work
        start = plan.columns[column]
        x = slice(max(left - start, 0), min(right - start, plan.tile))
        height = min(plan.tile, plan.work.height)
        weight = torch.outer(self._row_weights[row, :height], self._column_weights[column, x])
        top, at = plan.rows[row] - self._top, start + x.start - left
        scratch = torch.empty_like(weight)
        for name, sums in self._sums.items():
            target = sums[:, top : top + height, at : at + weight.shape[1]]
            for score, total in zip(scores[name], target, strict=True):
                # Not fused: that rounds differently in vector tails, hence with the panel's cut.
                torch.mul(score[:height, x], weight, out=scratch)
                total += scratch

    def finish(self) -> None:
        """Write all rows that are left."""
        for number in range(self._row + 1, self._plan.tile_rows.stop):
            self._finish(self._plan.rows[number])
        self._finish(self._plan.work.height)

    def _finish(self, limit: int) -> None:
        """Write what can be made of the work rows above `limit`, then roll the band there."""
        plan, stop, keep = self._plan, limit, limit
        if plan.returns:
            taps = plan.onto_target[0]
            stop = int(np.searchsorted(taps.stop, limit, side="right"))
        stop = min(stop, self._end)
        while self._done < stop:
            end = min(stop, self._done + CHUNK, self._block(self._done) + plan.block)
            self._encode(self._done, end)
            self._done = end
        self._known.drop(self._done)
        if plan.returns:
            if self._done < self._end:
                keep = min(limit, int(taps.first[self._done]))
            self._work_known.drop(keep)
        for sums in self._sums.values():
            _roll(sums, keep - self._top)
        self._top = keep

    def _encode(self, start: int, stop: int) -> None:
        """Finish the rows [start, stop) of the map, which lie in one row of blocks."""
        at = self._block(start)
        rows = slice(start - at, stop - at)
        known = self._known.get(start, stop)
        unknown = torch.from_numpy(~known)
        values: dict[str, torch.Tensor] = {}
        for layer in self._layers:
            target = self._blocks[layer.name]
            if not known.any():
                target[rows] = layer.nodata
            else:
                name = (layer.of if isinstance(layer, PercentMap) else None) or layer.name
                if name not in values:
                    values[name] = self._on_target(self._sums[name], start, stop)
                encode(layer, values[name], unknown, torch.from_numpy(target[rows]))
        if stop == min(at + self._plan.block, self._end):
            for layer in self._layers:
                target = self._blocks[layer.name][: stop - at]
                self._sheets[layer.name].write(target, at - self._first, 0)
            self.mark = replace(self.mark, row=stop, tile=self._first_tile(stop))
            for sheet in self._sheets.values():
                sheet.record(self.mark)

    def _block(self, row: int) -> int:
        """First row of the block that a row of the map lies in."""
        return row - (row - self._first) % self._plan.block

    def _first_tile(self, start: int) -> tuple[int, int]:
        """The tile to go on with if the rows of the map from `start` on are to be made."""
        if start == self._end:
            return self._plan.tile_rows[-1], self._panel.tiles[-1]
        row = self._plan.tile_row(start)
        self._batches = {at: tile for at, tile in self._batches.items() if at >= row}
        # Rows without any known tile have no batch.
        return min(self._batches.values(), default=(row, self._panel.tiles[0]))

    def _on_target(self, sums: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Blended scores [K, stop - start, width] on the map's grid."""
        plan, panel = self._plan, self._panel
        if not plan.returns:
            return sums[:, start - self._top : stop - self._top]
        rows, columns = plan.onto_target
        first, end = rows.source_range(start, stop)
        known = self._work_known.get(first, end).copy()
        made, _ = resample(
            sums[:, first - self._top : end - self._top],
            torch.from_numpy(known),
            rows.local(start, stop, first, end - first),
            columns.local(panel.start, panel.stop, panel.work[0], known.shape[1]),
        )
        return made


def _roll(sums: torch.Tensor, rows: int) -> None:
    """Move all rows up by so many, in place, and clear those that come free below."""
    height = sums.shape[1]
    if rows == 0:
        return
    for start in range(rows, height, rows):  # pieces that do not overlap their targets
        stop = min(start + rows, height)
        sums[:, start - rows : stop - rows] = sums[:, start:stop]
    sums[:, max(height - rows, 0) :] = 0


def bell(tile: int) -> npt.NDArray[np.float64]:
    """A raised cosine over one tile, nowhere zero.

    Args:
        tile: Pixels along the tile.

    Returns:
        float64 [tile], symmetric; at 50 % overlap neighbours add up to 1.
    """
    weight: npt.NDArray[np.float64] = np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2
    return weight


def axis_weights(starts: Sequence[int], tile: int, length: int) -> npt.NDArray[np.float32]:
    """Weights of all tiles along one axis, which sum to 1 in every pixel.

    Args:
        starts: First pixels of the tiles, which leave no pixel out.
        tile: Pixels along a tile.
        length: Pixels along the axis; a tile may overhang.

    Returns:
        float32 [len(starts), tile]; exactly 1 where a pixel lies in one tile only.
    """
    weight = bell(tile)
    total = np.zeros(max(length, max(starts) + tile))
    for start in starts:
        total[start : start + tile] += weight
    return np.stack([weight / total[start : start + tile] for start in starts]).astype(np.float32)
