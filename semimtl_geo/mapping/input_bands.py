"""Choice of the bands of a raster for the network, and the value that becomes 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError

from semimtl_geo.networks.checkpoint import ModelCard
from tiles.errors import InputError
from tiles.reading.band_names import band_numbers, find_bands
from tiles.types import BandSelection, RasterName


def find_input(
    rasters: Sequence[RasterName], card: ModelCard, bands: BandSelection | None = None
) -> tuple[list[int] | None, float]:
    """Find the bands to read, and the value that stands for 1.

    Args:
        rasters: Files of one sensor.
        card: Settings of the network.
        bands: Bands that the network wants, in its order. If None, those that the file describes by
            the network's names, or all bands but alpha if there are just as many.

    Returns:
        Band numbers, or None if the first raster cannot be opened (the function that reads it says
        why); and the largest value of its type, or 1 for real numbers.

    Raises:
        InputError: If the network's bands are not in a raster, or the rasters differ in them.
    """
    first, *others = rasters
    found = _find_in_one(first, card, bands)
    for other in others:
        numbers, scale = _find_in_one(other, card, bands)
        if (numbers, scale) != found and None not in (numbers, found[0]):
            fault = f"has its bands in another order, or of another type, than {first}"
            raise InputError(other, fault, "map the two apart, or convert one of them")
    return found


def _find_in_one(
    raster: RasterName, card: ModelCard, bands: BandSelection | None
) -> tuple[list[int] | None, float]:
    wanted = card.bands
    try:
        with rasterio.open(raster) as source:
            dtypes = source.dtypes
            if bands is not None:
                numbers = band_numbers(source, str(raster), bands)
            else:
                meanings = enumerate(source.colorinterp, start=1)
                colors = [i for i, meaning in meanings if meaning != ColorInterp.alpha]
                numbers = find_bands(source, wanted) or colors
    except RasterioError:
        return None, 1.0
    check_bands(str(raster), numbers, len(dtypes), wanted, "--bands 4,1,2")
    dtype = np.dtype(dtypes[numbers[0] - 1])
    return numbers, float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0


def check_bands(
    name: str, numbers: Sequence[int], count: int, wanted: Sequence[str], example: str
) -> None:
    """Check that bands are those that the network wants.

    Args:
        name: Name of the raster or image.
        numbers: Numbers of the bands that are to be read.
        count: Number of bands that there are.
        wanted: Names of the bands that the network wants.
        example: Example of how to name the bands, for the error message.

    Raises:
        InputError: If there are more or fewer, or a band does not exist.
    """
    if len(numbers) != len(wanted):
        raise InputError(
            name,
            f"{len(numbers)} bands, the network wants {len(wanted)} ({', '.join(wanted)})",
            f"say which are {', '.join(wanted)}, such as {example}",
        )
    if not set(numbers) <= set(range(1, count + 1)):
        option = example.split()[0].split("=")[0]
        raise InputError(name, f"has {count} bands", f"choose {option} among them")
