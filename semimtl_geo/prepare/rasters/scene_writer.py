"""Writing scenes: orthophoto, land cover and heights as GeoTIFFs of one base name."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

from semimtl_geo.prepare.rasters.resampling import resampled, to_classes, to_values, windows
from tiles.files import atomic_write
from tiles.grid import PixelGrid
from tiles.reading.overlay import Overlay
from tiles.reading.raster import GDAL_CACHE
from tiles.types import UNKNOWN_CLASS, VALUE_NODATA, Color, Float32Array, Span

LAYERS: Final = ("image", "landcover", "height")
"""Folders of a split, one per kind of raster."""

REMARK: Final = "REMARK"
"""Tag of a file that says what is unusual about it; the summary repeats it."""

CLASSES: Final = "CLASSES"
"""Tag of a land-cover file that holds the names of its classes as JSON."""


class PixelCheck(Protocol):
    """Check of the known pixels of a raster while it is written."""

    def add(self, known: npt.NDArray[Any]) -> None:
        """Take in the known classes or heights of one window, of shape [N]."""
        ...

    def finish(self) -> None:
        """Raise an :class:`InputError` if the raster must not be written."""
        ...


def write_image(
    target: Path,
    layers: Overlay,
    grid: PixelGrid,
    dtype: np.dtype[Any],
    names: Sequence[str],
    masked: bool,
    tags: Mapping[str, str],
) -> None:
    """Write an orthophoto.

    Args:
        target: The file.
        layers: Values of the scene, see :func:`.resampling.value_layers`.
        grid: Grid to write on.
        dtype: Type of the values to write.
        names: Names of the bands.
        masked: Whether pixels can be unknown; a mask marks them, as no colour does.
        tags: Tags of the file.
    """
    is_integer = dtype.kind in "iu"
    profile = {
        "count": len(names),
        "dtype": dtype.name,
        "predictor": 2 if is_integer else 3,
        # By default, GDAL would declare a fourth band as alpha.
        "photometric": "RGB" if len(names) == 3 and dtype == np.uint8 else "MINISBLACK",
    }
    with _geotiff(target, grid, profile, tags) as file:
        for band, name in enumerate(names, 1):
            file.set_band_description(band, name)
        for window, resampled_layers in _windows_of(layers, grid):
            values, known = to_values(resampled_layers)
            if is_integer:
                limits = np.iinfo(dtype)
                values = np.clip(np.rint(values), limits.min, limits.max)
            file.write(values.astype(dtype), window=window)
            if masked:
                file.write_mask(known, window=window)


def write_landcover(
    target: Path,
    layers: Overlay,
    grid: PixelGrid,
    classes: Sequence[str],
    colors: Sequence[Color],
    tags: Mapping[str, str],
    check: PixelCheck | None = None,
) -> None:
    """Write land cover as class indices, 255 where unknown.

    Args:
        target: The file.
        layers: One layer per class, see :func:`.resampling.class_layers`.
        grid: Grid to write on.
        classes: Names of the classes.
        colors: Colours of the classes.
        tags: Tags of the file.
        check: Check that can refuse the file.
    """
    profile = {"count": 1, "dtype": "uint8", "nodata": UNKNOWN_CLASS}
    with _geotiff(target, grid, profile, {**tags, CLASSES: json.dumps(list(classes))}) as file:
        file.set_band_description(1, "land cover")
        file.write_colormap(1, {value: (*rgb, 255) for value, rgb in enumerate(colors)})
        for window, resampled_layers in _windows_of(layers, grid):
            indices = to_classes(resampled_layers)
            if check is not None:
                check.add(indices[indices != UNKNOWN_CLASS])
            file.write(indices, 1, window=window)
        if check is not None:
            check.finish()


def read_classes(file: Path) -> tuple[list[str], list[Color]] | None:
    """Return the names and colours of classes that :func:`write_landcover` wrote.

    Args:
        file: The land cover.

    Returns:
        None if the file cannot be read, or was not written by this function.
    """
    try:
        with rasterio.open(file) as raster:
            names, colors = json.loads(raster.tags()[CLASSES]), raster.colormap(1)
        return [str(name) for name in names], [colors[n][:3] for n in range(len(names))]
    except (RasterioError, KeyError, TypeError, ValueError):
        return None


def write_height(
    target: Path,
    layers: Overlay,
    grid: PixelGrid,
    tags: Mapping[str, str],
    check: PixelCheck | None = None,
) -> None:
    """Write heights above ground in metres, nodata where unknown.

    Args:
        target: The file.
        layers: The heights, see :func:`.resampling.value_layers`.
        grid: Grid to write on.
        tags: Tags of the file.
        check: Check that can refuse the file.
    """
    profile = {"count": 1, "dtype": "float32", "nodata": VALUE_NODATA, "predictor": 3}
    with _geotiff(target, grid, profile, tags) as file:
        file.set_band_description(1, "height above ground")
        file.set_band_unit(1, "m")
        for window, resampled_layers in _windows_of(layers, grid):
            values, known = to_values(resampled_layers)
            if check is not None:
                check.add(values[0][known])
            file.write(np.where(known, values[0], np.float32(VALUE_NODATA)), 1, window=window)
        if check is not None:
            check.finish()


def _windows_of(layers: Overlay, grid: PixelGrid) -> Iterator[tuple[Window, Float32Array]]:
    """Iterate over the windows of a grid and the layers resampled to them."""
    read = resampled(layers, grid)
    for rows, columns in windows(grid):
        yield _window(rows, columns), read(rows, columns)


def _window(rows: Span, columns: Span) -> Window:
    return Window(columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])


@contextmanager
def _geotiff(
    target: Path, grid: PixelGrid, profile: Mapping[str, Any], tags: Mapping[str, str]
) -> Iterator[Any]:
    """Open a GeoTIFF for writing; it gets its name when the block ends without an error."""
    settings = {
        "driver": "GTiff",
        "height": grid.height,
        "width": grid.width,
        "crs": grid.crs,
        "transform": grid.transform,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "bigtiff": "if_safer",
    }
    with (
        rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE, GDAL_TIFF_INTERNAL_MASK=True),
        atomic_write(target) as part,
    ):
        with rasterio.open(part, "w", **(settings | dict(profile))) as file:
            file.update_tags(**tags)
            yield file
        _check_readable(part)


def _check_readable(path: Path) -> None:
    """Check that the end of a file was written: closing it reports no error of a full disk."""
    try:
        with rasterio.open(path) as file:
            *_, (_, last) = file.block_windows(file.count)
            file.read(file.count, window=last)
    except RasterioError as error:
        raise OSError(errno.ENOSPC, "the file is incomplete, the disk may be full") from error
