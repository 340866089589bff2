"""A sample of tiles from all over a raster, for statistics that need no more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import rasterio
import torch
from rasterio.crs import CRS

from tiles.mosaic.batches import Batch, PixelMask, PixelSource, RowBlock, TileBatches
from tiles.mosaic.tiling import Panel, TilingPlan
from tiles.reading.area import NoOverlapError, read_area
from tiles.reading.raster import GDAL_CACHE
from tiles.reading.source import Source
from tiles.types import RasterName


def sample_tiles(
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
    """Read tiles from all over a raster, the same ones at every call.

    Args:
        raster: A georeferenced image that GDAL reads, or several of one place.
        tile: Edge of a tile in pixels (S).
        count: Number of tiles; if the raster has fewer, all are read.
        gsd: Ground sampling distance in metres to read at; by default the raster's own.
        bands: Numbers of the bands to read (C of them), from 1, or their names; by default all but
            alpha.
        crs: Coordinate reference system to read in; by default the first file's.
        area: A file of polygons; tiles that do not touch them are left out.
        fill: Value of unknown pixels, one or one per band.
        batch_size: Tiles per batch (B).

    Returns:
        Batches, float32 [B, C, S, S] with the raster's values as they are. Tiles without any known
        pixel are left out.

    Raises:
        InputError: If the raster cannot be read.

    Example:
        >>> (batch,) = sample_tiles("ortho.tif", tile=32, count=4)
        >>> batch.shape
        torch.Size([4, 3, 32, 32])
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
    """Read tiles from a source that is open already; see :func:`sample_tiles`."""
    grid = source.grid_at(gsd)
    plan = TilingPlan(source.grid, grid, tile, 0, target=grid)
    try:
        inside = None if area is None else read_area(area, grid).inside
    except NoOverlapError:
        return []
    fill_array = np.broadcast_to(np.asarray(fill, np.float32), (len(source.bands),))
    tiles: list[torch.Tensor] = []
    # A fixed random order: a regular choice could coincide with regular gaps of the raster.
    for number in np.random.default_rng(0).permutation(len(plan.rows) * len(plan.columns)):
        place = divmod(int(number), len(plan.columns))
        tiles += _read_tile(source, plan, place, fill_array, inside)
        if len(tiles) == count:
            break
    return [torch.cat(tiles[i : i + batch_size]) for i in range(0, len(tiles), batch_size)]


def _read_tile(
    source: PixelSource,
    plan: TilingPlan,
    place: tuple[int, int],
    fill: npt.NDArray[np.float32],
    inside: PixelMask | None,
) -> list[torch.Tensor]:
    """Return a tile (row, column), float32 [1, C, S, S], if it has a known pixel inside."""
    top, left = plan.rows[place[0]], plan.columns[place[1]]
    rows = top, min(top + plan.tile, plan.network.height)
    columns = left, min(left + plan.tile, plan.network.width)
    if inside is not None and not inside(rows, columns).any():
        return []
    panel = Panel(0, *columns, columns, range(place[1], place[1] + 1))
    items = iter(TileBatches(source, plan, panel, 1, fill, place, network_inside=inside))
    block = next(items)  # the rows of the tile, which come before it
    if not (isinstance(block, RowBlock) and block.network_known.any()):
        return []
    # Without a tile here, this is the next block of rows, if there is one.
    batch = next(items, None)
    return [batch.images] if isinstance(batch, Batch) and batch.tiles == (place,) else []
