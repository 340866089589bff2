"""A few tiles from all over a raster, for statistics that need no more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import rasterio
import torch
from rasterio.crs import CRS

from tiles.feed import Batch, Feed
from tiles.grid import BLOCK
from tiles.plan import Plan
from tiles.raster import GDAL_CACHE, Name
from tiles.source import Source


def survey(
    raster: Name | Sequence[Name],
    *,
    tile: int,
    count: int,
    gsd: float | None = None,
    bands: Sequence[int | str] | None = None,
    crs: str | CRS | None = None,
    fill: Sequence[float] = (0.0,),
    batch_size: int = 8,
) -> list[torch.Tensor]:
    """Read about `count` tiles, evenly spread; the same ones at every call.

    Args:
        raster: A georeferenced image, anything that GDAL reads, or several of one place.
        tile: Pixels along a tile (S).
        count: Tiles wanted; all of them if there are no more.
        gsd: Ground sampling distance in metres to read at; by default the raster's own.
        bands: Numbers of the bands to read (C of them), from 1, or their names; by default all but
            alpha.
        crs: Coordinate reference system to read in; by default the first file's.
        fill: What unknown pixels show, one value or one per band.
        batch_size: Tiles per batch (B).

    Returns:
        Batches, float32 [B, C, S, S] with the raster's values as they are. Tiles without any known
        pixel are left out.

    Raises:
        InputError: If the raster cannot be read.
    """
    with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE), Source(raster, bands, crs) as source:
        plan = Plan(source.grid, source.grid_at(gsd), tile, 0, source.grid.width, BLOCK)
        step = max(1, plan.count // count)
        colour = np.broadcast_to(np.asarray(fill, np.float32), (len(source.bands),))
        tiles = []
        for panel in plan.panels:
            for item in Feed(source, plan, panel, 1, colour):
                if isinstance(item, Batch):
                    row, column = item.tiles[0]
                    if (row * len(plan.columns) + column) % step == 0:
                        tiles.append(item.images)
    return [torch.cat(tiles[i : i + batch_size]) for i in range(0, len(tiles), batch_size)]
