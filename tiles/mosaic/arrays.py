"""Maps of images in memory, one window at a time, with the tiles of the mosaicker."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tiles.grid import PixelGrid
from tiles.maps.layers import Layer, ProbabilityMap, band_count
from tiles.maps.panel_store import PanelProgress
from tiles.mosaic.batches import PixelSource
from tiles.mosaic.blend_weights import DEFAULT_BLEND, find_blend_weights
from tiles.mosaic.networks import Network
from tiles.mosaic.panels import MosaicJob, WorkerContext, map_panel
from tiles.mosaic.tiling import TilingPlan
from tiles.reading.array_raster import known_values
from tiles.reading.raster import grid_at_gsd
from tiles.types import BoolArray, Span


@dataclass(frozen=True, eq=False)
class ArraySource:
    """An image in memory, or a part of one, that is read like a raster.

    Attributes:
        name: Name of the image in error messages.
        grid: Grid of the whole image.
        values: Array [C, H, W] of numpy or dask with the part.
        nodata: Value of unknown pixels, besides NaN and what is beyond 1e30.
        origin: First row and column of the part in the image.
    """

    name: str
    grid: PixelGrid
    values: Any
    nodata: float | None = None
    origin: tuple[int, int] = (0, 0)

    @property
    def bands(self) -> tuple[int, ...]:
        """Numbers of the bands, from 1."""
        return tuple(range(1, len(self.values) + 1))

    def grid_at(self, gsd: float | None) -> PixelGrid:
        """Return the grid of the input of a network.

        Args:
            gsd: Ground sampling distance of the network in metres. The grid is that of the image
                if it is None or differs by less than 1 %.

        Raises:
            InputError: If the CRS of the image has no metres.
        """
        return grid_at_gsd(self.name, self.grid, gsd)

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read one window.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Values [C, H, W] as they are, and a mask of known pixels, bool [H, W]. As in a raster,
            integer pixels are unknown if all bands are nodata, and float pixels if any band is.
        """
        (top, bottom), (left, right) = rows, columns
        first, start = self.origin
        part = self.values[:, top - first : bottom - first, left - start : right - start]
        values = np.array(part, part.dtype.newbyteorder("="))  # a copy, which may be written to
        return values, known_values(values, self.nodata)


def read_window(plan: TilingPlan) -> tuple[Span, Span]:
    """Return the rows and columns of the source grid from which a window is mapped.

    Args:
        plan: Layout of the tiles, with a window that lies in one panel.
    """
    (panel,) = plan.panels
    last = plan.rows[plan.tile_rows[-1]], plan.columns[panel.tiles[-1]]
    rows = plan.rows[plan.tile_rows[0]], min(last[0] + plan.tile, plan.network.height)
    columns = plan.columns[panel.tiles[0]], min(last[1] + plan.tile, plan.network.width)
    if plan.input_needs_resampling:
        rows, columns = (
            plan.to_network[0].source_range(*rows),
            plan.to_network[1].source_range(*columns),
        )
    if plan.output_needs_resampling:
        columns = min(columns[0], panel.start), max(columns[1], panel.stop)
    return rows, columns


def map_window(
    source: PixelSource,
    plan: TilingPlan,
    network: Network,
    layers: Sequence[Layer],
    fill: Sequence[float],
    batch_size: int = 4,
) -> dict[str, npt.NDArray[Any]]:
    """Map the window of a plan; a pixel is the same in every window that holds it.

    Args:
        source: The image, or the part that :func:`read_window` names; or an open raster.
        plan: Tiles of the whole image, and a window that lies in one panel.
        network: The network, as for :func:`tiles.mosaic.mosaic`.
        layers: The maps.
        fill: Values of unknown pixels for the network, one per band.
        batch_size: Largest number of tiles per batch.

    Returns:
        Pixels of the window by layer name, nodata where they are unknown: [H, W], or
        [bands, H, W] of a map of several bands.
    """
    height, width = plan.map_grid.height, plan.map_grid.width
    maps: dict[str, npt.NDArray[Any]] = {
        layer.name: np.empty((height, band_count(layer) * width), layer.dtype) for layer in layers
    }
    job = MosaicJob(
        rasters=(),
        bands=None,
        crs=None,
        plan=plan,
        layers=layers,
        panel_files=[{name: _ArrayPanel(pixels) for name, pixels in maps.items()}],
        batch_size=plan.batch_size(batch_size),
        fill=np.asarray(fill, np.float32),
        blend_weights=find_blend_weights(DEFAULT_BLEND, plan.tile),
        run_file=Path(),
    )
    with ThreadPoolExecutor(1) as reader:
        map_panel(job, 0, WorkerContext(source, reader), network)
    for layer in layers:
        if isinstance(layer, ProbabilityMap):
            rows = maps[layer.name].reshape(height, band_count(layer), width)
            maps[layer.name] = rows.transpose(1, 0, 2)
    return maps


class _ArrayPanel:
    """Array in place of a :class:`tiles.maps.panel_file.PanelFile`; it keeps no progress."""

    def __init__(self, pixels: npt.NDArray[Any]) -> None:
        self.history: list[PanelProgress] = []
        self._pixels = pixels

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def truncate(self, count: int = 0) -> None:
        """Do nothing: there is no earlier run."""

    def write(self, values: npt.NDArray[Any], row: int, column: int) -> None:
        """Write a window."""
        self._pixels[row : row + values.shape[0], column : column + values.shape[1]] = values

    def record(self, progress: PanelProgress) -> None:
        """Do nothing: there is no later run."""

    def last_progress(self) -> PanelProgress | None:
        """Return None: no other process asks."""
        return None
