"""Work on one panel of a map, wherever it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import torch

from tiles.maps.layers import Layer
from tiles.maps.panel_store import PanelProgress, PanelStore, resume
from tiles.mosaic.batches import Batch, Feed, PixelSource, Strip, ahead
from tiles.mosaic.blending import Band
from tiles.mosaic.tiling import Plan
from tiles.reading.area import Area
from tiles.reading.raster import GDAL_CACHE
from tiles.reading.source import Source

Answer = Mapping[str, torch.Tensor | npt.NDArray[Any]]
Predict = Callable[[torch.Tensor], Answer]


@dataclass(frozen=True)
class Desk:
    """Where panels are worked on: the rasters, opened, and the thread that reads them."""

    source: PixelSource
    reader: Executor


@dataclass(frozen=True, eq=False)
class Job:
    """All that a panel needs, wherever it is worked on; survives pickling.

    Attributes:
        rasters: Where the pixels are.
        bands: Which bands are read.
        crs: In which CRS.
        plan: The tiles.
        layers: The maps.
        sheets: By panel, where the rows of each layer go.
        batch_size: Tiles per batch.
        fill: float32 [C], what the network is shown instead of unknown pixels.
        ticket: A file in which a run on a cluster says that it still goes on.
        area: What of the target grid is wanted.
        near: What of the work grid that is made from.
        threads: Threads that torch uses, the same everywhere: with another number convolutions
            round differently.
    """

    rasters: Sequence[str | PathLike[str]]
    bands: Sequence[int | str] | None
    crs: str | None
    plan: Plan
    layers: Sequence[Layer]
    sheets: Sequence[Mapping[str, PanelStore]]
    batch_size: int
    fill: npt.NDArray[np.float32]
    ticket: Path
    area: Area | None = None
    near: Area | None = None
    threads: int = field(default_factory=torch.get_num_threads)

    def open(self, stack: ExitStack) -> Desk:
        """Open the rasters in another process, until the stack ends."""
        torch.set_num_threads(self.threads)
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE, GDAL_NUM_THREADS="ALL_CPUS"))
        source = stack.enter_context(Source(self.rasters, self.bands, self.crs))
        return Desk(source, stack.enter_context(ThreadPoolExecutor(1)))

    @property
    def total(self) -> int:
        """Pixels of the map."""
        return self.plan.map.width * self.plan.map.height

    def pixels(self, number: int) -> int:
        """Pixels of a panel."""
        panel = self.plan.panels[number]
        return (panel.stop - panel.start) * self.plan.map.height

    def made(self, number: int) -> int:
        """Pixels of a panel that are finished, as its journals say."""
        marks = [sheet.last_progress() for sheet in self.sheets[number].values()]
        panel, top = self.plan.panels[number], self.plan.span[0][0]
        return min((panel.stop - panel.start) * (mark.row - top if mark else 0) for mark in marks)


def work_on(
    job: Job,
    number: int,
    desk: Desk,
    predict: Predict,
    progress: Callable[[int], None] | None = None,
) -> bool:
    """Work on one panel, or go on with it.

    Args:
        job: What is made.
        number: The panel.
        desk: Where.
        predict: The network.
        progress: Called with the pixels of the panel that are done.

    Returns:
        Whether any tile was predicted, now or earlier.
    """
    plan, panel = job.plan, job.plan.panels[number]
    inside = None if job.area is None else job.area.inside
    near = None if job.near is None else job.near.inside
    with ExitStack() as stack:
        sheets = {name: stack.enter_context(sheet) for name, sheet in job.sheets[number].items()}
        marks = resume(list(sheets.values()))
        start = PanelProgress(plan.span[0][0], (plan.tile_rows[0], panel.tiles[0]))
        mark = marks[-1] if marks else start
        if mark.row == plan.span[0][1]:
            return mark.predicted
        band = Band(plan, panel, mark, job.layers, sheets)
        feed = Feed(
            desk.source, plan, panel, job.batch_size, job.fill, mark.tile, inside=inside, near=near
        )
        # Closed before the raster is, for its thread reads from it.
        items = stack.enter_context(closing(ahead(iter(feed), desk.reader)))
        done = (panel.stop - panel.start) * (mark.row - plan.span[0][0])
        with torch.no_grad():
            for item in items:
                if isinstance(item, Strip):
                    band.learn(item)
                    if progress is not None:
                        progress(done)  # which may end the work, also where nothing is known
                    continue
                _add(item, predict, job.layers, band)
                if progress is not None:
                    row, column = item.tiles[-1]
                    row, column = row - plan.tile_rows[0], column - panel.tiles[0]
                    tiles = len(plan.tile_rows) * len(panel.tiles)
                    part = job.pixels(number) * (row * len(panel.tiles) + column + 1) // tiles
                    done = max(done, part)
                    progress(done)
            band.finish()
        return band.mark.predicted


def _add(batch: Batch, predict: Predict, layers: Sequence[Layer], band: Band) -> None:
    """Have a batch predicted and add its tiles to the band."""
    answer = predict(batch.images)
    scores = {
        layer.name: _scores(answer, layer, batch.images) for layer in layers if layer.channels
    }
    band.expect(batch.tiles)
    for number, (row, column) in enumerate(batch.tiles):
        band.add({name: all_[number] for name, all_ in scores.items()}, row, column)


def _scores(answer: Answer, layer: Layer, images: torch.Tensor) -> torch.Tensor:
    """What `predict` answered for one layer, float32 [B, K, S, S] on the CPU."""
    if layer.name not in answer:
        raise ValueError(f"predict answered {sorted(answer)}, not {layer.name!r}")
    scores = torch.as_tensor(answer[layer.name]).to("cpu", torch.float32)
    wanted = (len(images), layer.channels, *images.shape[-2:])
    if scores.shape != wanted:
        raise ValueError(f"predict answered {tuple(scores.shape)} for {layer.name!r}, not {wanted}")
    return scores
