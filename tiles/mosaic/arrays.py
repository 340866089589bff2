"""Maps of images in memory, one window at a time, from the tiles that the mosaicker would lay."""

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
from tiles.maps.layers import Layer
from tiles.maps.panel_store import PanelProgress
from tiles.mosaic.panels import Desk, Job, Predict, work_on
from tiles.mosaic.tiling import Plan
from tiles.reading.raster import grid_at_gsd
from tiles.types import BoolArray, Span


@dataclass(frozen=True, eq=False)
class ArraySource:
    """An image, or a part of one, that is read like a raster.

    Attributes:
        name: What error messages call it.
        grid: Grid of the whole image.
        values: Array [C, H, W] of numpy or dask, the part that is at hand.
        nodata: Value of unknown pixels; NaN is unknown, too.
        origin: Row and column of the image at which the part begins.
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
        """Return the grid that a network of some ground sampling distance sees.

        Args:
            gsd: In metres; None, and within 1 %, gives the image's own grid.

        Raises:
            InputError: If the image's pixels have no size in metres.
        """
        return grid_at_gsd(self.name, self.grid, gsd)

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read one window.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Values [C, H, W] as they are, and which pixels are known, bool [H, W]: like those of a
            raster, pixels of integers are unknown if all bands are nodata, and pixels of floats if
            any band is.
        """
        (top, bottom), (left, right) = rows, columns
        first, start = self.origin
        part = self.values[:, top - first : bottom - first, left - start : right - start]
        values = np.array(part)  # a copy, which may be written to
        known: BoolArray = np.ones(values.shape[1:], bool)
        if self.nodata is not None:
            known = (values != self.nodata).any(axis=0)
        if values.dtype.kind == "f":
            known = ~np.isnan(values).any(axis=0)
            if self.nodata is not None:
                known &= (values != self.nodata).all(axis=0)
        return values, known


def read_window(plan: Plan) -> tuple[Span, Span]:
    """Return the rows and columns of the source grid that the window of a plan is made from.

    Args:
        plan: The plan, whose window lies in one panel.
    """
    (panel,) = plan.panels
    last = plan.rows[plan.tile_rows[-1]], plan.columns[panel.tiles[-1]]
    rows = plan.rows[plan.tile_rows[0]], min(last[0] + plan.tile, plan.work.height)
    columns = plan.columns[panel.tiles[0]], min(last[1] + plan.tile, plan.work.width)
    if plan.resamples:
        rows, columns = (
            plan.into_work[0].source_range(*rows),
            plan.into_work[1].source_range(*columns),
        )
    if plan.returns:
        columns = min(columns[0], panel.start), max(columns[1], panel.stop)
    return rows, columns


def map_window(
    source: ArraySource,
    plan: Plan,
    predict: Predict,
    layers: Sequence[Layer],
    fill: Sequence[float],
    batch_size: int = 4,
) -> dict[str, npt.NDArray[Any]]:
    """Map the window of a plan; each pixel is the same in whatever window it lies.

    Args:
        source: The image, or the part that :func:`read_window` names.
        plan: Tiles of the whole image, and a window that lies in one panel.
        predict: The network, as for :func:`tiles.mosaic.mosaic`.
        layers: The maps.
        fill: What the network is shown instead of unknown pixels, one value per band.
        batch_size: Tiles per batch, at most.

    Returns:
        Pixels of the window by the layer's name, nodata where they are unknown.
    """
    shape = plan.map.height, plan.map.width
    maps = {layer.name: np.empty(shape, layer.dtype) for layer in layers}
    job = Job(
        rasters=(),
        bands=None,
        crs=None,
        plan=plan,
        layers=layers,
        sheets=[{name: _ArrayPanel(pixels) for name, pixels in maps.items()}],
        batch_size=-(-plan.count // -(-plan.count // batch_size)),
        fill=np.asarray(fill, np.float32),
        ticket=Path(),
    )
    with ThreadPoolExecutor(1) as reader:
        work_on(job, 0, Desk(source, reader), predict)
    return maps


class _ArrayPanel:
    """An array in the place of a :class:`tiles.maps.panel_file.PanelFile`; never continued."""

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
        """Keep nothing: there is no earlier run."""

    def write(self, values: npt.NDArray[Any], row: int, column: int) -> None:
        """Write a window."""
        self._pixels[row : row + values.shape[0], column : column + values.shape[1]] = values

    def record(self, progress: PanelProgress) -> None:
        """Keep nothing: there is no later run."""

    def last_progress(self) -> PanelProgress | None:
        """Return None: no other process looks."""
        return None
