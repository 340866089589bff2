"""What of a raster the network sees: which bands, in what unit, and whether it is sharp enough."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError

from semimtl_geo.networks.checkpoint import ModelCard
from tiles.errors import InputError
from tiles.grid import PixelGrid
from tiles.reading.band_names import band_numbers, find_bands
from tiles.types import BandSelection, RasterName

COARSE = 2.0
"""A raster of pixels so many times as large as the network's is remarked on."""


def find_input(
    rasters: Sequence[RasterName], card: ModelCard, bands: BandSelection | None = None
) -> tuple[list[int] | None, float]:
    """The bands to read, and the value that stands for 1.

    Args:
        rasters: Files of one sensor.
        card: The network's settings.
        bands: The bands that the network wants, in its order. If None, those that the file
            describes by the network's names, or all but alpha if there are just as many.

    Returns:
        Band numbers, None if the first raster cannot be opened (who reads it says why); and the
        largest value of its type, or 1 for real numbers.

    Raises:
        InputError: If the network's bands are not in a raster, or the rasters differ in them.
    """
    first, *others = rasters
    found = _find_one(first, card, bands)
    for other in others:
        if (own := _find_one(other, card, bands)) != found and None not in (own[0], found[0]):
            fault = f"has its bands in another order, or of another type, than {first}"
            raise InputError(other, fault, "map the two apart, or convert one of them")
    return found


def _find_one(
    raster: RasterName, card: ModelCard, bands: BandSelection | None
) -> tuple[list[int] | None, float]:
    wanted = card.bands
    try:
        with rasterio.open(raster) as source:
            kinds = source.dtypes
            if bands is not None:
                numbers = band_numbers(source, str(raster), bands)
            else:
                meanings = enumerate(source.colorinterp, start=1)
                colours = [i for i, meaning in meanings if meaning != ColorInterp.alpha]
                numbers = find_bands(source, wanted) or colours
    except RasterioError:
        return None, 1.0
    if len(numbers) != len(wanted):
        raise InputError(
            raster,
            f"{len(numbers)} bands, the network wants {len(wanted)} ({', '.join(wanted)})",
            f"say which are {', '.join(wanted)}, such as --bands 4,1,2",
        )
    if not set(numbers) <= set(range(1, len(kinds) + 1)):
        raise InputError(raster, f"has {len(kinds)} bands", "choose --bands among them")
    kind = np.dtype(kinds[numbers[0] - 1])
    return numbers, float(np.iinfo(kind).max) if kind.kind in "iu" else 1.0


def name_maps(rasters: Sequence[RasterName], name: str | None = None) -> str:
    """What the names of the maps of one place begin with.

    Args:
        rasters: Its files.
        name: What was asked for; by default the name of the only raster.

    Raises:
        InputError: If that is no name, or several files have none.
    """
    if not rasters:
        raise InputError("raster", "none was given", "name one")
    if name is None and len(rasters) > 1:
        raise InputError("name", "is missing", "several files of one place need a name for the map")
    name = Path(rasters[0]).stem if name is None else name
    if not name or Path(name).name != name:
        raise InputError(f"name {name!r}", "is no part of a file name", "choose another")
    return name


def too_coarse(name: str, grid: PixelGrid, gsd: float | None) -> str | None:
    """A remark on a raster of pixels much larger than the network was trained on, if it is one.

    Args:
        name: What the raster is called.
        grid: Its grid.
        gsd: The network's ground sampling distance in metres.
    """
    if gsd is None or max(grid.pixel_size) <= COARSE * gsd:
        return None
    return (
        f"{name}: pixels of {max(grid.pixel_size):.3g} m, the network was trained on {gsd:.3g} m; "
        "maps of so coarse an image are a guess"
    )
