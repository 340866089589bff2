"""Images that xarray holds, read as if they were raster files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from rasterio.enums import ColorInterp

from tiles.errors import InputError, errors_of
from tiles.files import Closeable
from tiles.grid import PIXEL_TOLERANCE, PixelGrid
from tiles.reading.band_names import band_numbers
from tiles.reading.raster import UNKNOWN_MAGNITUDE, FileStats
from tiles.types import BandSelection, BoolArray, RasterName, Span

if TYPE_CHECKING:
    import xarray

RasterImage: TypeAlias = "RasterName | xarray.DataArray"
"""A file, anything else that GDAL opens, or an image that xarray holds."""


class ArrayRaster(Closeable, PathLike[str]):
    """An image in memory or in chunks of dask, which takes the place of a raster file.

    It can be given wherever a path is expected; the path is that of the file that rioxarray read
    the image from, or the image's name.

    Args:
        image: Array ``[band, y, x]`` with a coordinate reference system (``.rio.crs``), of numpy or
            dask, as rioxarray and odc-stac load it.
        name: Name in error messages, and path; see above.

    Attributes:
        name: Name in error messages.
        grid: Grid of the image.
        bands: Numbers of the bands that are read, in this order.
        dtype: Type of their values.
        descriptions: Names of all bands, by the coordinate ``band`` or the attribute ``long_name``;
            empty where they have none.
        colorinterp: Meanings of all bands, which arrays do not know.
        nodata: Value of unknown pixels, besides NaN and what is beyond 1e30; None if there is none.

    Raises:
        InputError: If the image has other dimensions, no place on earth, or values that are no
            numbers.

    Example:
        >>> import rioxarray
        >>> image = rioxarray.open_rasterio("ortho.tif", chunks=True)
        >>> raster = ArrayRaster(image)
        >>> values, known = raster.read((0, 32), (0, 64))
        >>> raster.name, values.shape, bool(known.all())
        ('ortho.tif', (3, 32, 64), True)
    """

    def __init__(self, image: xarray.DataArray, name: str | None = None) -> None:
        self.name = name or str(image.encoding.get("source") or image.name or "image")
        self.image = _in_order(self.name, image)
        if image.dtype.kind not in "uif":
            fault = f"has values of {image.dtype}"
            raise InputError(self.name, fault, "give integers or real numbers")
        self.grid = _grid(self.name, self.image)
        count = self.image.shape[0]
        self.bands = tuple(range(1, count + 1))
        self.dtype: np.dtype[Any] = self.image.dtype
        self.descriptions = _band_names(self.image)
        self.colorinterp = [ColorInterp.undefined] * count
        nodata = self.image.rio.nodata
        self.nodata = None if nodata is None else float(nodata)

    def __fspath__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return self.name

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """Type of the values in the file: integers that rioxarray has masked are real numbers."""
        encoding = self.image.encoding
        as_stored = encoding.get("scale_factor", 1) == 1 and encoding.get("add_offset", 0) == 0
        if self.dtype.kind == "f" and as_stored:
            stored: np.dtype[Any] = np.dtype(encoding.get("rasterio_dtype", self.dtype))
            return stored
        return self.dtype

    def with_bands(self, bands: BandSelection | None) -> ArrayRaster:
        """Return the same image, of which other bands are read.

        Args:
            bands: Numbers, from 1, or names of the bands; all if None.
        """
        numbers = self.bands if bands is None else tuple(band_numbers(self, self.name, bands))
        missing = [number for number in numbers if not 1 <= number <= len(self.descriptions)]
        if missing or not numbers:
            fault = f"has {len(self.descriptions)} bands, not {list(numbers)}"
            raise InputError(self.name, fault, "choose bands that it has, counted from 1")
        selected = ArrayRaster.__new__(ArrayRaster)
        vars(selected).update(vars(self))
        selected.bands = numbers
        return selected

    def file_stats(self) -> list[FileStats]:
        """Return nothing: what the image was read from may have changed since."""
        return []

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read a window.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Values [C, H, W] as they are, and which pixels are known, bool [H, W].
        """
        part = self.image.data[:, slice(*rows), slice(*columns)]
        if self.bands != tuple(range(1, len(self.descriptions) + 1)):
            part = part[[band - 1 for band in self.bands]]
        values = np.array(part, part.dtype.newbyteorder("="))  # a copy, which may be written to
        return values, known_values(values, self.nodata)

    def close(self) -> None:
        """Do nothing: the image belongs to the caller."""


def is_array(raster: object) -> bool:
    """Return whether a raster is an image of xarray, without importing it.

    Example:
        >>> is_array("ortho.tif")
        False
    """
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(raster, xarray.DataArray)


def as_rasters(rasters: RasterImage | Sequence[RasterImage]) -> list[RasterName]:
    """Return one raster, or several, as a list, in which images of xarray can be read like files.

    Example:
        >>> as_rasters("ortho.tif")
        ['ortho.tif']
    """
    if isinstance(rasters, str | PathLike) or is_array(rasters):
        rasters = [rasters]  # type: ignore[list-item]  # is_array says what it is
    return [ArrayRaster(one) if is_array(one) else one for one in rasters]  # type: ignore[arg-type]


def known_values(values: Any, nodata: float | None) -> BoolArray:
    """Return which pixels are known.

    Args:
        values: Values [C, H, W].
        nodata: Value of unknown pixels, besides NaN and what is beyond 1e30.

    Returns:
        bool [H, W]. As in a file, integer pixels are unknown if all bands are nodata, and float
        pixels if any band is.

    Example:
        >>> known_values(np.array([[[0, 0, 5]], [[0, 7, 5]]]), nodata=0)
        array([[False,  True,  True]])
    """
    known: BoolArray = np.ones(values.shape[1:], bool)
    if values.dtype.kind == "f":
        known = (np.abs(values) < UNKNOWN_MAGNITUDE).all(axis=0)  # also false for NaN
        if nodata is not None:
            known &= (values != nodata).all(axis=0)
    elif nodata is not None:
        known = (values != nodata).any(axis=0)
    return known


def _in_order(name: str, image: xarray.DataArray) -> xarray.DataArray:
    """Return the image as ``[band, y, x]``."""
    # Importing rioxarray, which takes a second, gives arrays their attribute `rio`.
    from rioxarray.exceptions import RioXarrayError

    try:
        rows, columns = str(image.rio.y_dim), str(image.rio.x_dim)
    except RioXarrayError as error:
        fault = f"has no rows and columns, but dimensions {', '.join(map(str, image.dims))}"
        raise InputError(name, fault, "call them y and x") from error
    others = [dim for dim in image.dims if dim not in (rows, columns)]
    if len(others) != 1:
        fault = f"has dimensions {', '.join(map(str, image.dims))}"
        raise InputError(name, fault, "give one image [band, y, x]")
    return image.transpose(others[0], rows, columns)


def _band_names(image: xarray.DataArray) -> Sequence[str]:
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
        if np.abs(shifts).max() > PIXEL_TOLERANCE:
            transform = derived
    if transform.is_identity:
        raise InputError(name, "has no coordinates", "assign them, or .rio.write_transform")
    with errors_of(name):
        return PixelGrid(image.rio.crs, transform, width, height)
