"""Images as xarray holds them: their bands, their grid, and the value that stands for 1."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import dask.array
import numpy as np
import rioxarray
import xarray
from rasterio.enums import ColorInterp
from rioxarray.exceptions import RioXarrayError

from semimtl_geo.mapping.input_bands import check_bands, check_white, white_of
from semimtl_geo.networks.model_card import ModelCard
from tiles.errors import InputError
from tiles.grid import PixelGrid
from tiles.mosaic.arrays import ArraySource
from tiles.reading.band_names import band_numbers, find_bands
from tiles.types import BandSelection

assert rioxarray  # noqa: S101 - importing it gives arrays their attribute `rio`

SAME_GRID = 0.01
"""Pixels by which coordinates and geotransform of an image may differ and still mean one grid."""


@dataclass(frozen=True)
class Image:
    """An image that the network can map.

    Attributes:
        source: Pixels: a dask array of the network's bands, in the network's order.
        scale: The value that stands for 1.
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
        bands: Numbers or names of the bands that the network wants; see :func:`find_image_bands`.
        white: The value that stands for 1; by default see :func:`full_scale`.
        chunk: Edge of the chunks of an image that is not in chunks yet.

    Raises:
        InputError: If it has other dimensions or bands, or no place on earth.
    """
    check_white(white)
    name = str(image.name or "image")
    try:
        rows, columns = str(image.rio.y_dim), str(image.rio.x_dim)
    except RioXarrayError as error:
        fault = f"has no rows and columns, but dimensions {', '.join(map(str, image.dims))}"
        raise InputError(name, fault, "call them y and x") from error
    others = [dim for dim in image.dims if dim not in (rows, columns)]
    if len(others) != 1:
        fault = f"has dimensions {', '.join(map(str, image.dims))}"
        raise InputError(name, fault, "give one image [band, y, x]")
    image = image.transpose(others[0], rows, columns)
    if image.dtype.kind not in "uif":
        raise InputError(name, f"has values of {image.dtype}", "give integers or real numbers")
    numbers = find_image_bands(image, card, bands)
    values = image.data
    if not isinstance(values, dask.array.Array):
        values = dask.array.from_array(  # type: ignore[no-untyped-call]  # dask's
            values, chunks=(-1, chunk, chunk)
        )
    if numbers != list(range(1, len(values) + 1)):
        values = values[[number - 1 for number in numbers]]
    nodata = image.rio.nodata
    source = ArraySource(
        name, _grid(name, image), values, None if nodata is None else float(nodata)
    )
    kept = {
        str(key): coordinate
        for key, coordinate in image.coords.items()
        if others[0] not in coordinate.dims and key != others[0]
    }
    return Image(
        source,
        full_scale(image, card) if white is None else white,
        kept,
        (rows, columns),
        tuple(numbers),
    )


def full_scale(image: xarray.DataArray, card: ModelCard) -> float:
    """Return the value of an image that stands for 1.

    Args:
        image: The image. Integers that rioxarray has masked are real numbers now, but their
            encoding still names the type in the file.
        card: Settings of the network.

    Returns:
        The value, see :func:`semimtl_geo.mapping.input_bands.white_of`.
    """
    dtype, encoding = image.dtype, image.encoding
    as_stored = encoding.get("scale_factor", 1) == 1 and encoding.get("add_offset", 0) == 0
    if dtype.kind == "f" and as_stored:
        dtype = np.dtype(encoding.get("rasterio_dtype", dtype))
    return white_of(dtype, card)


def find_image_bands(
    image: xarray.DataArray, card: ModelCard, bands: BandSelection | None = None
) -> list[int]:
    """Find the bands that the network wants.

    Args:
        image: Array ``[band, y, x]``.
        card: Settings of the network.
        bands: Numbers from 1, or names. By default the bands that the image calls by the network's
            names, in the coordinate ``band`` or the attribute ``long_name``; or all of them if
            there are just as many.

    Returns:
        Their numbers, from 1, in the network's order.

    Raises:
        InputError: If the image has other bands.
    """
    name, count = str(image.name or "image"), image.shape[0]
    # Stands in for an open raster, of which the functions read these two attributes.
    described: Any = SimpleNamespace(
        descriptions=_band_names(image), colorinterp=[ColorInterp.undefined] * count
    )
    if bands is not None:
        numbers = band_numbers(described, name, bands)
    else:
        numbers = find_bands(described, card.bands) or list(range(1, count + 1))
    check_bands(name, numbers, count, card.bands, "bands=[4, 1, 2]")
    return numbers


def _band_names(image: xarray.DataArray) -> list[str]:
    """Return the name of each band, empty where it has none."""
    count, dim = image.shape[0], image.dims[0]
    labels = image.coords[dim].values if dim in image.coords else []
    names = [label if isinstance(label, str) else "" for label in labels]
    described = image.attrs.get("long_name", ())
    if not any(names) and not isinstance(described, str) and len(described) == count:
        names = [str(text) for text in described]
    return names or [""] * count


def _grid(name: str, image: xarray.DataArray) -> PixelGrid:
    """Return the grid of an image, from its coordinates."""
    if image.rio.crs is None:
        remedy = "assign one with .rio.write_crs"
        raise InputError(name, "has no coordinate reference system", remedy)
    height, width = image.shape[1:]
    transform = image.rio.transform()
    if min(height, width) > 1 and all(dim in image.coords for dim in image.dims[1:]):
        # A slice keeps the attribute GeoTransform of the whole image, but has its own coordinates.
        # Otherwise the attribute is exact, and what follows from coordinates is rounded.
        derived = image.rio.transform(recalc=True)
        corners = [(0, 0), (width, height)]
        shifts = [np.subtract(~derived * (transform * corner), corner) for corner in corners]
        if np.abs(shifts).max() > SAME_GRID:
            transform = derived
    if transform.is_identity:
        raise InputError(name, "has no coordinates", "assign them, or .rio.write_transform")
    return PixelGrid(image.rio.crs, transform, width, height)
