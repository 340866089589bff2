"""Images as xarray holds them: their bands, their grid, and the value that is scaled to 1."""

from __future__ import annotations

from dataclasses import dataclass

import dask.array
import xarray

from semimtl_geo.mapping.input_bands import check_white, choose_bands, white_of
from semimtl_geo.networks.model_card import ModelCard
from tiles.mosaic.arrays import ArraySource
from tiles.reading.array_raster import ArrayRaster
from tiles.settings import check_range
from tiles.types import BandSelection


@dataclass(frozen=True)
class Image:
    """An image that the network can map.

    Attributes:
        source: Pixels: a dask array of the network's bands, in the network's order.
        scale: The value that is scaled to 1.
        coords: Coordinates of its maps, with the coordinate reference system.
        dims: Names of its rows and columns, such as ``("y", "x")``.
        bands: Numbers of the bands, from 1.
    """

    source: ArraySource
    scale: float
    coords: dict[str, xarray.DataArray]
    dims: tuple[str, str]
    bands: tuple[int, ...]


def read_image(
    image: xarray.DataArray,
    card: ModelCard,
    bands: BandSelection | None = None,
    white: float | None = None,
    chunk: int = 2048,
) -> Image:
    """Look at an image without computing its pixels.

    Args:
        image: Array ``[band, y, x]`` with a coordinate reference system, numpy or dask.
        card: Settings of the network.
        bands: Numbers or names of the bands that the network wants; by default
            those that the image calls by the network's names, or all if there are just as many.
        white: The value that is scaled to 1; by default see
            :func:`semimtl_geo.mapping.input_bands.white_of`.
        chunk: Edge of the chunks of an image that is not in chunks yet.

    Raises:
        InputError: If it has other dimensions or bands, or no place on earth.
    """
    check_white(white)
    check_range("chunk", chunk, 1)
    raster = ArrayRaster(image, str(image.name or "image"))
    image, (rows, columns) = raster.image, map(str, raster.image.dims[1:])
    numbers = choose_bands(raster, raster.name, card, bands, "bands=[4, 1, 2]")
    values = image.data
    if not isinstance(values, dask.array.Array):
        # dask does not annotate this function.
        values = dask.array.from_array(  # type: ignore[no-untyped-call]
            values, chunks=(-1, chunk, chunk)
        )
    if numbers != list(range(1, len(values) + 1)):
        values = values[[number - 1 for number in numbers]]
    source = ArraySource(raster.name, raster.grid, values, raster.nodata)
    band = image.dims[0]
    kept = {
        str(key): coordinate
        for key, coordinate in image.coords.items()
        if band not in coordinate.dims and key != band
    }
    return Image(
        source,
        white_of(raster.stored_dtype, card) if white is None else white,
        kept,
        (rows, columns),
        tuple(numbers),
    )
