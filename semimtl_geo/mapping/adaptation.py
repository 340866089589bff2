"""Crops of orthophotos on which BatchNorm statistics are re-estimated for a sensor or a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from semimtl_geo.mapping.images import Image
from semimtl_geo.mapping.input_bands import find_input
from semimtl_geo.networks.model_card import ModelCard
from tiles.errors import InputError
from tiles.mosaic.tile_sample import sample_source, sample_tiles
from tiles.types import BandSelection, RasterName

SAMPLE_CROPS = 96
"""Number of crops after which re-estimated BatchNorm statistics no longer change."""


def sample_crops(
    rasters: Sequence[RasterName],
    card: ModelCard,
    bands: BandSelection | None = None,
    crs: str | None = None,
    area: RasterName | None = None,
    white: float | None = None,
) -> Iterator[Tensor]:
    """Read crops from all over some orthophotos, about `SAMPLE_CROPS` in all.

    Args:
        rasters: One or more orthophotos.
        card: Settings of the network that will see the crops.
        bands: Bands that the network wants, as for :meth:`semimtl_geo.mapping.Mapper.map`.
        crs: Coordinate reference system to read in; by default that of each raster.
        area: A file of polygons; crops that do not touch them are left out.
        white: Value that is scaled to 1; by default as for :func:`find_input`.

    Yields:
        Images float32 ``[B, bands, H, W]`` in 0..1.

    Raises:
        InputError: If a raster cannot be used, or no pixel is known.
    """
    found = False
    for raster in rasters:
        numbers, scale = find_input([raster], card, bands, white)
        for batch in sample_tiles(
            raster,
            tile=card.crop,
            count=max(1, SAMPLE_CROPS // len(rasters)),
            gsd=card.gsd,
            bands=numbers,
            crs=crs,
            area=area,
            fill=[value * scale for value in card.mean],
        ):
            found = True
            yield batch / scale
    if not found and area is not None:
        fault = "lies outside the raster, or where it has no known pixel"
        raise InputError(area, fault, "give an area that meets it")
    if not found:
        raise InputError(rasters[0], "has no known pixel", "check its nodata value or mask")


def sample_image_crops(image: Image, card: ModelCard) -> Iterator[Tensor]:
    """Read crops from all over an image in memory, the same as of a raster with these pixels.

    Args:
        image: The image.
        card: Settings of the network that will see the crops.

    Yields:
        Images float32 ``[B, bands, H, W]`` in 0..1.

    Raises:
        InputError: If no pixel of the image is known.
    """
    fill = [value * image.scale for value in card.mean]
    batches = sample_source(image.source, card.crop, SAMPLE_CROPS, card.gsd, fill=fill)
    if not batches:
        raise InputError(image.source.name, "has no known pixel", "check its nodata value")
    for batch in batches:
        yield batch / image.scale
