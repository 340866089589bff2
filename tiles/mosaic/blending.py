"""Blending of tiles: the rows of one panel that are still unfinished."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from tiles.maps.layers import Layer, ProbabilityMap, band_count, encode
from tiles.maps.panel_store import PanelProgress, PanelStore
from tiles.mosaic.batches import RowBlock
from tiles.mosaic.blend_weights import BlendWeights, axis_weights
from tiles.mosaic.tiling import Panel, TilingPlan
from tiles.reading.resampling import resample
from tiles.types import BoolArray, Span

CHUNK: Final = 64
"""Rows that are finished at a time: few, so that they stay in the cache of the processor."""


class KnownRows:
    """Rows of booleans by their number in the raster; new rows are appended below."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[int, BoolArray]] = deque()

    def put(self, start: int, rows: BoolArray) -> None:
        """Append rows [h, width] below the last ones."""
        if len(rows):
            self._pieces.append((start, rows))

    def get(self, start: int, stop: int) -> BoolArray:
        """Return the rows [start, stop)."""
        parts = [
            rows[max(start - first, 0) : stop - first]
            for first, rows in self._pieces
            if first < stop and first + len(rows) > start
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def drop(self, start: int) -> None:
        """Drop pieces that lie above the row `start`."""
        while self._pieces and self._pieces[0][0] + len(self._pieces[0][1]) <= start:
            self._pieces.popleft()


class RollingBlend:
    """Sums of the tiles of one panel; rows are written as soon as no further tile reaches them.

    Args:
        plan: Layout of the tiles.
        panel: The panel.
        progress: Progress from which to continue.
        layers: The maps.
        panel_files: Files of the finished rows by layer name.
        window: float64 [tile], weights by which tiles are blended.

    Attributes:
        progress: Progress of the work.
    """

    def __init__(
        self,
        plan: TilingPlan,
        panel: Panel,
        progress: PanelProgress,
        layers: Sequence[Layer],
        panel_files: Mapping[str, PanelStore],
        window: BlendWeights,
    ) -> None:
        self.progress = progress
        self._plan, self._panel, self._layers, self._panel_files = plan, panel, layers, panel_files
        grid, self._width = plan.network, panel.stop - panel.start
        self._first, self._end = plan.extent[0]  # Rows of the map.
        self._row_weights = torch.from_numpy(axis_weights(plan.rows, window, grid.height))
        self._column_weights = torch.from_numpy(axis_weights(plan.columns, window, grid.width))
        # Resampling needs the last rows again for the next ones.
        history = len(plan.to_target[0].index) + 1 if plan.output_needs_resampling else 0
        size = (min(plan.tile, grid.height) + history, panel.network[1] - panel.network[0])
        self._sums = {
            layer.name: torch.zeros(layer.channels, *size) for layer in layers if layer.channels
        }
        self._blocks: dict[str, npt.NDArray[Any]] = {
            layer.name: np.empty((plan.block, band_count(layer) * self._width), layer.dtype)
            for layer in layers
        }
        self._known, self._network_known = KnownRows(), KnownRows()
        self._row = progress.tile[0]  # Row of tiles that is being added.
        self._top = plan.rows[self._row]  # First row of the network's grid in the sums.
        self._done = progress.row  # Rows of the map that are finished.
        # First tile of the batch that holds the first tile of a row, by row.
        self._batches: dict[int, tuple[int, int]] = {}

    def add_known(self, block: RowBlock) -> None:
        """Add the mask of known pixels of the next rows."""
        self._known.put(block.start[0], block.known)
        if self._plan.output_needs_resampling:
            self._network_known.put(block.start[1], block.network_known)

    def begin_batch(self, tiles: Sequence[tuple[int, int]]) -> None:
        """Announce a batch before its tiles (row, column) are added."""
        self.progress = replace(self.progress, predicted=True)
        for row, _ in tiles:
            self._batches.setdefault(row, tiles[0])

    def add(self, scores: Mapping[str, torch.Tensor], row: int, column: int) -> None:
        """Add the scores of a tile; tiles come row by row.

        Args:
            scores: float32 [K, S, S] by layer name.
            row: Row of the tile in the plan.
            column: Column of the tile in the plan.
        """
        while self._row < row:
            self._row += 1
            self._finish(self._plan.rows[self._row])
        plan, (left, right) = self._plan, self._panel.network
        start = plan.columns[column]
        x = slice(max(left - start, 0), min(right - start, plan.tile))
        height = min(plan.tile, plan.network.height)
        row_weights = self._row_weights[row, :height]
        column_weights = self._column_weights[column, x]
        top, first = plan.rows[row] - self._top, start + x.start - left
        inner, *frame = _pieces(row_weights, column_weights)
        weights = [torch.outer(row_weights[y], column_weights[z]) for y, z in frame]
        for name, sums in self._sums.items():
            of_tile = scores[name][:, :height, x]
            target = sums[:, top : top + height, first : first + len(column_weights)]
            target[:, *inner] = of_tile[:, *inner]
            for (y, z), weight in zip(frame, weights, strict=True):
                for score, total in zip(of_tile[:, y, z], target[:, y, z], strict=True):
                    # addcmul rounds differently at the ends of vectors, hence with other panels.
                    total += score * weight

    def finish(self) -> None:
        """Write all remaining rows."""
        for number in range(self._row + 1, self._plan.tile_rows.stop):
            self._finish(self._plan.rows[number])
        self._finish(self._plan.network.height)

    def _finish(self, limit: int) -> None:
        """Write the rows that need only network rows above `limit`, then roll the sums there."""
        plan, stop, keep = self._plan, limit, limit
        if plan.output_needs_resampling:
            weights = plan.to_target[0]
            stop = int(np.searchsorted(weights.stop, limit, side="right"))
        stop = min(stop, self._end)
        while self._done < stop:
            end = min(stop, self._done + CHUNK, self._first_of_block(self._done) + plan.block)
            self._encode(self._done, end)
            self._done = end
        self._known.drop(self._done)
        if plan.output_needs_resampling:
            if self._done < self._end:
                keep = min(limit, int(weights.first[self._done]))
            self._network_known.drop(keep)
        for sums in self._sums.values():
            _roll(sums, keep - self._top)
        self._top = keep

    def _encode(self, start: int, stop: int) -> None:
        """Finish the rows [start, stop) of the map, which lie in one row of blocks."""
        first = self._first_of_block(start)
        rows = slice(start - first, stop - first)
        known = self._known.get(start, stop)
        unknown = torch.from_numpy(~known)
        values: dict[str, torch.Tensor] = {}
        for layer in self._layers:
            target = self._blocks[layer.name]
            if not known.any():
                target[rows] = layer.nodata
            else:
                name = layer.of or layer.name
                if name not in values:
                    values[name] = self._on_target(self._sums[name], start, stop)
                pixels = torch.from_numpy(target[rows])
                if isinstance(layer, ProbabilityMap):
                    pixels = pixels.view(stop - start, band_count(layer), self._width)
                encode(layer, values[name], unknown, pixels)
        if stop == min(first + self._plan.block, self._end):
            for layer in self._layers:
                target = self._blocks[layer.name][: stop - first]
                self._panel_files[layer.name].write(target, first - self._first, 0)
            self.progress = replace(self.progress, row=stop, tile=self._first_tile(stop))
            for panel_file in self._panel_files.values():
                panel_file.record(self.progress)

    def _first_of_block(self, row: int) -> int:
        """Return the first row of the block that holds a row of the map."""
        return row - (row - self._first) % self._plan.block

    def _first_tile(self, start: int) -> tuple[int, int]:
        """Return the tile to continue with for the rows of the map from `start` on."""
        if start == self._end:
            return self._plan.tile_rows[-1], self._panel.tiles[-1]
        row = self._plan.tile_row(start)
        self._batches = {number: tile for number, tile in self._batches.items() if number >= row}
        # Rows of tiles without known pixels have no batch.
        return min(self._batches.values(), default=(row, self._panel.tiles[0]))

    def _on_target(self, sums: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Return blended scores [K, stop - start, width] on the grid of the map."""
        plan, panel = self._plan, self._panel
        if not plan.output_needs_resampling:
            return sums[:, start - self._top : stop - self._top]
        rows, columns = plan.to_target
        first, end = rows.source_range(start, stop)
        known = self._network_known.get(first, end).copy()
        resampled, _ = resample(
            sums[:, first - self._top : end - self._top],
            torch.from_numpy(known),
            rows.local(start, stop, first, end - first),
            columns.local(panel.start, panel.stop, panel.network[0], known.shape[1]),
        )
        return resampled


def _pieces(rows: torch.Tensor, columns: torch.Tensor) -> list[tuple[slice, slice]]:
    """Divide a tile into the part that no other tile shares, and what surrounds it.

    Args:
        rows: Weights of the rows of the tile, 1 where it is the only one.
        columns: Weights of the columns.

    Returns:
        Rows and columns of the inner part, which may be empty, and of those above, below, to the
        left and to the right of it.
    """
    top, bottom = _alone(rows)
    left, right = _alone(columns)
    return [
        (slice(top, bottom), slice(left, right)),
        (slice(0, top), slice(0, len(columns))),
        (slice(bottom, len(rows)), slice(0, len(columns))),
        (slice(top, bottom), slice(0, left)),
        (slice(top, bottom), slice(right, len(columns))),
    ]


def _alone(weights: torch.Tensor) -> Span:
    """Return the range of pixels along an axis that have a weight of 1."""
    found = torch.nonzero(weights == 1)
    return (int(found[0]), int(found[-1]) + 1) if len(found) else (0, 0)


def _roll(sums: torch.Tensor, rows: int) -> None:
    """Move all rows up by a number of rows, in place, and clear those at the bottom."""
    height = sums.shape[1]
    if rows == 0:
        return
    for start in range(rows, height, rows):  # Pieces must not overlap their targets.
        stop = min(start + rows, height)
        sums[:, start - rows : stop - rows] = sums[:, start:stop]
    sums[:, max(height - rows, 0) :] = 0
