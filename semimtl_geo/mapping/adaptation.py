"""Crops of orthophotos on which BatchNorm statistics are re-estimated for a sensor or a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from semimtl_geo.mapping.input_bands import find_input
from semimtl_geo.networks.checkpoint import ModelCard
from tiles.errors import InputError
from tiles.mosaic.tile_sample import survey
from tiles.types import BandSelection, RasterName

SURVEY_TILES = 96
"""Crops from which BatchNorm statistics are re-estimated: enough that they no longer change."""


def crops_of(
    rasters: Sequence[RasterName],
    card: ModelCard,
    bands: BandSelection | None = None,
    crs: str | None = None,
    area: RasterName | None = None,
) -> Iterator[Tensor]:
    """Crops from all over some orthophotos, about `SURVEY_TILES` in all.

    Args:
        rasters: The orthophotos, one or more.
        card: Of the network that will see them.
        bands: As for :meth:`semimtl_geo.mapping.Mapper.map`.
        crs: Read them in this coordinate reference system.
        area: A file of polygons: nothing else is looked at.

    Yields:
        Images float32 ``[B, bands, H, W]`` in 0..1.

    Raises:
        InputError: If a raster cannot be used, or there is nothing to see.
    """
    seen = False
    for raster in rasters:
        numbers, scale = find_input([raster], card, bands)
        for batch in survey(
            raster,
            tile=card.crop,
            count=max(1, SURVEY_TILES // len(rasters)),
            gsd=card.gsd,
            bands=numbers,
            crs=crs,
            area=area,
            fill=[value * scale for value in card.mean],
        ):
            seen = True
            yield batch / scale
    if not seen and area is not None:
        fault = "lies outside the raster, or where it has no known pixel"
        raise InputError(area, fault, "give an area that meets it")
    if not seen:
        raise InputError(rasters[0], "has no known pixel", "check its nodata value or mask")
