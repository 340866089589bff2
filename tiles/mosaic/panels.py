"""Work on one panel of a map, in whatever process it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import rasterio
import torch

from tiles.maps.layers import Layer
from tiles.maps.panel_store import PanelProgress, PanelStore, resume
from tiles.mosaic.batches import Batch, PixelSource, RowBlock, TileBatches, prefetch
from tiles.mosaic.blend_weights import BlendWeights
from tiles.mosaic.blending import RollingBlend
from tiles.mosaic.networks import Network, PendingScores
from tiles.mosaic.tiling import TilingPlan
from tiles.reading.area import Area
from tiles.reading.raster import GDAL_CACHE
from tiles.reading.source import Source
from tiles.types import Float32Array


@dataclass(frozen=True)
class WorkerContext:
    """Resources of a process that works on panels.

    Attributes:
        source: The rasters, opened.
        reader: The thread that reads them.
    """

    source: PixelSource
    reader: Executor


@dataclass(frozen=True, eq=False, kw_only=True)
class MosaicJob:
    """Everything that the work on a panel needs in any process; it can be pickled.

    Attributes:
        rasters: Names of the rasters.
        bands: Bands that are read.
        crs: CRS in which they are read.
        plan: Layout of the tiles.
        layers: The maps.
        panel_files: Files of the finished rows by layer name, for each panel.
        batch_size: Tiles per batch.
        fill: float32 [C], values of unknown pixels for the network.
        blend_weights: float64 [tile], weights by which tiles are blended.
        run_file: File in which a run on a cluster shows that it still goes on.
        area: Part of the target grid that the map has; all if None.
        network_area: Part of the network's grid from which that is made.
        threads: Number of threads of torch, the same in all processes: with another number,
            convolutions round differently.
    """

    rasters: Sequence[str | PathLike[str]]
    bands: Sequence[int | str] | None
    crs: str | None
    plan: TilingPlan
    layers: Sequence[Layer]
    panel_files: Sequence[dict[str, PanelStore]]
    batch_size: int
    fill: Float32Array
    blend_weights: BlendWeights
    run_file: Path
    area: Area | None = None
    network_area: Area | None = None
    threads: int = field(default_factory=torch.get_num_threads)

    def open(self, stack: ExitStack) -> WorkerContext:
        """Open the rasters in another process, until the stack is closed."""
        torch.set_num_threads(self.threads)
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE, GDAL_NUM_THREADS="ALL_CPUS"))
        source = stack.enter_context(Source(self.rasters, self.bands, self.crs))
        return WorkerContext(source, stack.enter_context(ThreadPoolExecutor(1)))

    @property
    def total(self) -> int:
        """Number of pixels of the map."""
        return self.plan.map_grid.width * self.plan.map_grid.height

    def pixels(self, number: int) -> int:
        """Return the number of pixels of a panel."""
        panel = self.plan.panels[number]
        return (panel.stop - panel.start) * self.plan.map_grid.height

    def finished_pixels(self, number: int) -> int:
        """Return the number of finished pixels of a panel, according to its files."""
        every = [file.last_progress() for file in self.panel_files[number].values()]
        panel, top = self.plan.panels[number], self.plan.extent[0][0]
        return min((panel.stop - panel.start) * (last.row - top if last else 0) for last in every)


def map_panel(
    job: MosaicJob,
    number: int,
    context: WorkerContext,
    network: Network,
    progress: Callable[[int], None] | None = None,
) -> bool:
    """Map one panel, from where an earlier run has stopped.

    Args:
        job: The map.
        number: Number of the panel.
        context: Resources of this process.
        network: The network.
        progress: Function that is called with the number of finished pixels of the panel.

    Returns:
        Whether any tile was predicted, in this run or an earlier one.
    """
    plan, panel = job.plan, job.plan.panels[number]
    (top, bottom), width = plan.extent[0], panel.stop - panel.start
    inside = None if job.area is None else job.area.inside
    network_inside = None if job.network_area is None else job.network_area.inside
    with ExitStack() as stack:
        files = {name: stack.enter_context(file) for name, file in job.panel_files[number].items()}
        history = resume(list(files.values()))
        first = PanelProgress(top, (plan.tile_rows[0], panel.tiles[0]))
        start = history[-1] if history else first
        if start.row == bottom:
            return start.predicted
        blend = RollingBlend(plan, panel, start, job.layers, files, job.blend_weights)
        batches = TileBatches(
            context.source,
            plan,
            panel,
            job.batch_size,
            job.fill,
            start.tile,
            inside=inside,
            network_inside=network_inside,
        )
        # Closed before the raster is, for the thread reads from it.
        items = stack.enter_context(closing(prefetch(iter(batches), context.reader)))
        done = width * (start.row - top)
        predicted = [layer for layer in job.layers if layer.channels]
        # A GPU predicts a batch while the one before it is blended and written.
        before: tuple[Batch, PendingScores] | None = None
        with torch.no_grad():
            for item in items:
                if isinstance(item, RowBlock):
                    blend.add_known(item)
                    if progress is not None:
                        progress(done)  # May end the work, even where all pixels are unknown.
                    continue
                started = PendingScores(network(item.images), predicted, item.images)
                if before is not None:
                    _blend(*before, blend)
                before = item, started
                if started.is_ready:
                    _blend(*before, blend)
                    before = None
                if progress is not None:
                    row, column = item.tiles[-1]
                    row, column = row - plan.tile_rows[0], column - panel.tiles[0]
                    tiles = len(plan.tile_rows) * len(panel.tiles)
                    part = job.pixels(number) * (row * len(panel.tiles) + column + 1) // tiles
                    done = max(done, part)
                    progress(done)
            if before is not None:
                _blend(*before, blend)
            blend.finish()
        return blend.progress.predicted


def _blend(batch: Batch, pending: PendingScores, blend: RollingBlend) -> None:
    """Add the tiles of a batch to the sums."""
    scores = pending.wait()
    blend.begin_batch(batch.tiles)
    for number, (row, column) in enumerate(batch.tiles):
        blend.add({name: tensor[number] for name, tensor in scores.items()}, row, column)
