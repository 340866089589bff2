"""A few tiles from all over a raster, for statistics that need no more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
import rasterio
import torch
from rasterio.crs import CRS

from tiles.mosaic.batches import Batch, Choice, Feed, PixelSource
from tiles.mosaic.tiling import Panel, Plan
from tiles.reading.area import NoOverlapError, read_area
from tiles.reading.raster import GDAL_CACHE
from tiles.reading.source import Source
from tiles.types import RasterName


def survey(
    raster: RasterName | Sequence[RasterName],
    *,
    tile: int,
    count: int,
    gsd: float | None = None,
    bands: Sequence[int | str] | None = None,
    crs: str | CRS | None = None,
    area: RasterName | None = None,
    fill: Sequence[float] = (0.0,),
    batch_size: int = 8,
) -> list[torch.Tensor]:
    """Read `count` tiles from all over a raster; the same ones at every call.

    Args:
        raster: A georeferenced image, anything that GDAL reads, or several of one place.
        tile: Pixels along a tile (S).
        count: Tiles wanted; all of them if there are no more.
        gsd: Ground sampling distance in metres to read at; by default the raster's own.
        bands: Numbers of the bands to read (C of them), from 1, or their names; by default all but
            alpha.
        crs: Coordinate reference system to read in; by default the first file's.
        area: A file of polygons; tiles that do not touch them are left out.
        fill: What unknown pixels show, one value or one per band.
        batch_size: Tiles per batch (B).

    Returns:
        Batches, float32 [B, C, S, S] with the raster's values as they are. Tiles without any known
        pixel are left out.

    Raises:
        InputError: If the raster cannot be read.
    """
    with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE), Source(raster, bands, crs) as source:
        return sample_source(source, tile, count, gsd, area, fill, batch_size)


def sample_source(
    source: PixelSource,
    tile: int,
    count: int,
    gsd: float | None = None,
    area: RasterName | None = None,
    fill: Sequence[float] = (0.0,),
    batch_size: int = 8,
) -> list[torch.Tensor]:
    """Read `count` tiles from all over what is open already; see :func:`survey`."""
    work = source.grid_at(gsd)
    plan = Plan(source.grid, work, tile, 0, target=work)
    try:
        near = None if area is None else read_area(area, work).inside
    except NoOverlapError:
        return []
    colour = np.broadcast_to(np.asarray(fill, np.float32), (len(source.bands),))
    tiles: list[torch.Tensor] = []
    # In a fixed disorder, and on until there are enough: any regular choice could meet with what
    # the raster shows, or lacks, at regular places.
    for number in np.random.default_rng(0).permutation(len(plan.rows) * len(plan.columns)):
        place = divmod(int(number), len(plan.columns))
        tiles += _tile(source, plan, place, colour, near)
        if len(tiles) == count:
            break
    return [torch.cat(tiles[i : i + batch_size]) for i in range(0, len(tiles), batch_size)]


def _tile(
    source: PixelSource,
    plan: Plan,
    place: tuple[int, int],
    fill: npt.NDArray[np.float32],
    near: Choice | None,
) -> list[torch.Tensor]:
    """One tile (row, column), float32 [1, C, S, S], if it has a known pixel that is wanted."""
    start = plan.columns[place[1]]
    columns = start, min(start + plan.tile, plan.work.width)
    panel = Panel(0, *columns, columns, range(place[1], place[1] + 1))
    # First a strip, then the tile; or the next strip, if there is no tile.
    items = islice(Feed(source, plan, panel, 1, fill, place, near=near), 2)
    return [item.images for item in items if isinstance(item, Batch) and item.tiles == (place,)]
