"""Choice of the bands of a raster for the network, and the value that becomes 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError

from semimtl_geo.networks.model_card import ModelCard
from tiles.errors import InputError, InvalidValueError
from tiles.reading.array_raster import ArrayRaster
from tiles.reading.band_names import band_numbers, find_bands
from tiles.types import BandSelection, RasterName


def find_input(
    rasters: Sequence[RasterName],
    card: ModelCard,
    bands: BandSelection | None = None,
    white: float | None = None,
) -> tuple[list[int] | None, float]:
    """Find the bands to read, and the value that is scaled to 1.

    Args:
        rasters: Files of one sensor.
        card: Settings of the network.
        bands: Bands that the network wants, in its order. If None, those that the file describes by
            the network's names, or all bands but alpha if there are just as many.
        white: Value that is scaled to 1; by default see :func:`white_of`.

    Returns:
        Band numbers, or None if the first raster cannot be opened (the function that reads it says
        why); and the value that is scaled to 1.

    Raises:
        InputError: If the network's bands are not in a raster, the rasters differ in them, or white
            is not positive.
    """
    check_white(white)
    first, *others = rasters
    found = _find_in_one(first, card, bands, white)
    for other in others:
        numbers, scale = _find_in_one(other, card, bands, white)
        if (numbers, scale) != found and None not in (numbers, found[0]):
            fault = f"has its bands in another order, or of another type, than {first}"
            raise InputError(other, fault, "map the two apart, or convert one of them")
    return found


def _find_in_one(
    raster: RasterName, card: ModelCard, bands: BandSelection | None, white: float | None
) -> tuple[list[int] | None, float]:
    if isinstance(raster, ArrayRaster):
        numbers = choose_bands(raster, raster.name, card, bands)
        dtype = raster.stored_dtype
    else:
        try:
            with rasterio.open(raster) as source:
                numbers = choose_bands(source, str(raster), card, bands)
                dtype = np.dtype(source.dtypes[numbers[0] - 1])
        except RasterioError:
            return None, 1.0
    return numbers, white_of(dtype, card) if white is None else white


def choose_bands(
    source: Any,
    name: str,
    card: ModelCard,
    bands: BandSelection | None = None,
    example: str = "--bands 4,1,2",
) -> list[int]:
    """Choose the bands that the network wants, in its order.

    Args:
        source: An open raster, or an image that xarray holds.
        name: Name of it in error messages.
        card: Settings of the network.
        bands: Numbers or names of the bands, as for :func:`find_input`.
        example: Example of how to name the bands, for the error message.

    Returns:
        Their numbers, from 1.

    Raises:
        InputError: If there are more or fewer than the network has, or one does not exist.
    """
    if bands is not None:
        numbers = band_numbers(source, name, bands)
    else:
        meanings = enumerate(source.colorinterp, start=1)
        colors = [i for i, meaning in meanings if meaning != ColorInterp.alpha]
        numbers = find_bands(source, card.bands) or colors
    check_bands(name, numbers, len(source.colorinterp), card.bands, example)
    return numbers


def check_white(white: float | None) -> None:
    """Check the value that is scaled to 1, if one is given.

    Raises:
        InvalidValueError: If it is not positive.
    """
    if white is not None and not 0 < white < math.inf:
        fault = f"must be a positive number, got {white:g}"
        raise InvalidValueError("white", fault, "give the value that is scaled to 1, such as 4095")


def white_of(dtype: np.dtype[Any], card: ModelCard) -> float:
    """Return the value that is scaled to 1 in an image.

    Args:
        dtype: Type of the image's values.
        card: Settings of the network.

    Returns:
        1 for real numbers; the card's white for integers of more than 8 bits, if it has one; and
        the largest value of the type otherwise.
    """
    if dtype.kind not in "iu":
        return 1.0
    if dtype.itemsize > 1 and card.white is not None:
        return card.white
    return float(np.iinfo(dtype).max)


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
