"""Rasters that GDAL opens by a description: windows of huge rasters, and bands of several files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError

from tiles.errors import InputError, errors_of, input_errors
from tiles.files import absolute_if_file
from tiles.grid import PixelGrid
from tiles.types import RasterName, Span

Window = tuple[Span, Span]
"""Rows and columns."""

_GDAL_TYPES = {"uint8": "Byte", "int8": "Int8"}


@dataclass(frozen=True)
class VirtualRaster(PathLike[str]):
    """A raster that GDAL opens by a description, which takes the place of a file.

    Attributes:
        name: Name in error messages and tags of maps.
        description: The XML that GDAL opens.

    Example:
        >>> raster = stack_bands("swapped", [("green", "ortho.tif", 3), ("nir", "ortho.tif", 1)])
        >>> with rasterio.open(raster) as stack:
        ...     str(raster), stack.descriptions, stack.shape
        ('swapped', ('green', 'nir'), (96, 96))
    """

    name: str
    description: str

    def __fspath__(self) -> str:
        return self.description

    def __str__(self) -> str:
        return self.name


def display_name(raster: RasterName) -> str:
    """Return the name of a raster in error messages.

    Example:
        >>> display_name("ortho.tif")
        'ortho.tif'
    """
    return raster.name if isinstance(raster, VirtualRaster) else fspath(raster)


def stack_bands(name: str, bands: Sequence[tuple[str, RasterName, int]]) -> VirtualRaster:
    """Return one raster of bands that lie in several files, such as those of a satellite.

    Pixels are unknown where they have the file's nodata value, or where the mask of the first file
    that has one says so.

    Args:
        name: Name of the raster in error messages.
        bands: For each band its name, the file, and its number in the file from 1.

    Raises:
        InputError: If a file cannot be read, lacks the band, or has another grid or type than the
            first.

    Example:
        >>> stack = stack_bands("ortho", [("red", "ortho.tif", 2), ("green", "ortho.tif", 3)])
        >>> from tiles.reading import Raster
        >>> with Raster(stack, bands=["green"]) as raster:
        ...     raster.bands, raster.grid.width
        ((2,), 96)
    """
    if not bands:
        raise InputError(name, "has no bands", "name one or more")
    opened = [_open_band(path, number, title) for title, path, number in bands]
    grid, dtype = opened[0].grid, opened[0].source.dtype
    for one, (_, path, _) in zip(opened, bands, strict=True):
        if one.grid != grid or one.source.dtype != dtype:
            fault = f"has another grid or type than {display_name(bands[0][1])}"
            raise InputError(display_name(path), fault, "resample it, such as with gdalwarp")
    masks = [one.source for one in opened if one.masked]
    whole = (0, grid.height), (0, grid.width)
    sources = [one.source for one in opened]
    return VirtualRaster(name, _describe(grid, whole, sources, masks[0] if masks else None))


def cut_window(name: str, raster: RasterName, window: Window) -> VirtualRaster:
    """Return a window of a raster as a raster of its own.

    Args:
        name: Name of the window in error messages.
        raster: The raster.
        window: Rows and columns, within the raster.

    Example:
        >>> part = cut_window("part", "ortho.tif", ((10, 40), (0, 20)))
        >>> with rasterio.open(part) as file:
        ...     file.shape
        (30, 20)
    """
    with rasterio.open(raster) as file:
        with errors_of(display_name(raster)):
            grid = PixelGrid.of(file)
        sources = [
            _band_source(file, fspath(raster), number, file.descriptions[number - 1] or "")
            for number in file.indexes
        ]
        masked = MaskFlags.per_dataset in file.mask_flag_enums[0]
        alpha = ColorInterp.alpha in file.colorinterp
    mask = sources[0] if masked and not alpha else None
    (top, bottom), (left, right) = window
    part = grid.window(left, top, right - left, bottom - top)
    return VirtualRaster(name, _describe(part, window, sources, mask))


@dataclass(frozen=True)
class _BandSource:
    """A band of a file."""

    path: str
    number: int
    title: str
    dtype: str
    color: ColorInterp
    nodata: float | None


@dataclass(frozen=True)
class _OpenedBand:
    """A band with the grid of its file, and whether a mask covers it."""

    source: _BandSource
    grid: PixelGrid
    masked: bool


def _open_band(path: RasterName, number: int, title: str) -> _OpenedBand:
    name = display_name(path)
    remedy = "give a file that GDAL reads"
    with (
        input_errors(name, "cannot be read as a raster", remedy, RasterioError),
        rasterio.open(path) as file,
    ):
        if not 1 <= number <= file.count:
            fault = f"has {file.count} bands, but band {number} is wanted"
            raise InputError(name, fault, "choose one that it has")
        if file.crs is None:
            remedy = "assign one, such as with gdal_edit -a_srs"
            raise InputError(name, "has no coordinate reference system", remedy)
        with errors_of(name):
            grid = PixelGrid.of(file)
        source = _band_source(file, fspath(path), number, title)
        return _OpenedBand(source, grid, MaskFlags.per_dataset in file.mask_flag_enums[number - 1])


def _band_source(file: Any, path: str, number: int, title: str) -> _BandSource:
    return _BandSource(
        fspath(absolute_if_file(path)),
        number,
        title,
        file.dtypes[number - 1],
        file.colorinterp[number - 1],
        file.nodatavals[number - 1],
    )


def _describe(
    grid: PixelGrid,
    window: Window,
    sources: Sequence[_BandSource],
    mask: _BandSource | None,
) -> str:
    """Return a GDAL virtual raster (VRT) whose pixels are a window of each source."""
    size = {"rasterXSize": str(grid.width), "rasterYSize": str(grid.height)}
    root = Element("VRTDataset", size)
    SubElement(root, "SRS").text = grid.crs.to_wkt()
    SubElement(root, "GeoTransform").text = ", ".join(map(repr, grid.transform.to_gdal()))
    for number, source in enumerate(sources, start=1):
        band = SubElement(root, "VRTRasterBand", _band(source.dtype, number))
        if source.title:
            SubElement(band, "Description").text = source.title
        if source.nodata is not None:
            SubElement(band, "NoDataValue").text = repr(source.nodata)
        if source.color == ColorInterp.alpha:
            SubElement(band, "ColorInterp").text = "Alpha"
        elif source.color != ColorInterp.undefined and not source.title:
            SubElement(band, "ColorInterp").text = source.color.name.capitalize()
        _add_source(band, source.path, str(source.number), window)
    if mask is not None:
        band = SubElement(SubElement(root, "MaskBand"), "VRTRasterBand", _band("uint8", 1))
        _add_source(band, mask.path, f"mask,{mask.number}", window)
    return tostring(root, encoding="unicode")


def _band(dtype: str, number: int) -> dict[str, str]:
    return {"dataType": _GDAL_TYPES.get(dtype, np.dtype(dtype).name.title()), "band": str(number)}


def _add_source(band: Element, path: str, number: str, window: Window) -> None:
    (top, bottom), (left, right) = window
    source = SubElement(band, "SimpleSource")
    SubElement(source, "SourceFilename", {"relativeToVRT": "0", "shared": "0"}).text = path
    SubElement(source, "SourceBand").text = number
    extent = {"xSize": str(right - left), "ySize": str(bottom - top)}
    SubElement(source, "SrcRect", {"xOff": str(left), "yOff": str(top), **extent})
    SubElement(source, "DstRect", {"xOff": "0", "yOff": "0", **extent})
