"""Writing scenes: orthophoto, land cover and heights as GeoTIFFs of one base name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window

from semimtl_geo.prepare.rasters.resampling import averages, majority, onto, windows
from tiles.files import aside
from tiles.grid import PixelGrid
from tiles.reading.overlay import Overlay
from tiles.reading.raster import GDAL_CACHE
from tiles.types import UNKNOWN_CLASS, VALUE_NODATA, Color, Float32Array, Span

LAYERS: Final = ("image", "landcover", "height")
REMARK: Final = "REMARK"
"""Tag of a file that says what is odd about it; the summary repeats it."""
CLASSES: Final = "CLASSES"
"""Tag of a land-cover file: its classes' names, as JSON."""

Tags = Mapping[str, str]
Check = Callable[[npt.NDArray[Any] | None], None]


def write_image(
    target: Path,
    source: Overlay,
    grid: PixelGrid,
    dtype: np.dtype[Any],
    names: Sequence[str],
    masked: bool,
    tags: Tags,
) -> None:
    """Write an orthophoto.

    Args:
        target: The file.
        source: Its values and their being known, see `pixels.value_layers`.
        grid: The grid to write on.
        dtype: Type of the values to write.
        names: What the bands are called.
        masked: Whether pixels can be unknown; they are told by a mask, for no colour means that.
        tags: Where it comes from.
    """
    pixels = dtype.kind in "iu"
    profile = {
        "count": len(names),
        "dtype": dtype.name,
        "predictor": 2 if pixels else 3,
        # Not alpha, whatever their number.
        "photometric": "RGB" if len(names) == 3 and dtype == np.uint8 else "MINISBLACK",
    }
    with _written(target, grid, profile, tags) as file:
        for band, name in enumerate(names, 1):
            file.set_band_description(band, name)
        for window, made in _made(source, grid):
            values, known = averages(made)
            if pixels:
                limits = np.iinfo(dtype)
                values = np.clip(np.rint(values), limits.min, limits.max)
            file.write(values.astype(dtype), window=window)
            if masked:
                file.write_mask(known, window=window)


def write_landcover(
    target: Path,
    source: Overlay,
    grid: PixelGrid,
    classes: Sequence[str],
    colors: Sequence[Color],
    tags: Tags,
    check: Check | None = None,
) -> None:
    """Write land cover: class numbers, 255 where unknown.

    Args:
        target: The file.
        source: A layer per class, see `pixels.class_layers`.
        grid: The grid to write on.
        classes: Names of the classes.
        colors: Their colours.
        tags: Where it comes from.
        check: Called with the known classes, as in :func:`write_height`.
    """
    profile = {"count": 1, "dtype": "uint8", "nodata": UNKNOWN_CLASS}
    with _written(target, grid, profile, {**tags, CLASSES: json.dumps(list(classes))}) as file:
        file.set_band_description(1, "land cover")
        file.write_colormap(1, {value: (*rgb, 255) for value, rgb in enumerate(colors)})
        for window, made in _made(source, grid):
            found = majority(made)
            if check is not None:
                check(found[found != UNKNOWN_CLASS])
            file.write(found, 1, window=window)
        if check is not None:
            check(None)


def write_height(
    target: Path,
    source: Overlay,
    grid: PixelGrid,
    tags: Tags,
    check: Check | None = None,
) -> None:
    """Write heights above ground in metres, nodata where unknown.

    Args:
        target: The file.
        source: Heights and their being known, see `pixels.value_layers`.
        grid: The grid to write on.
        tags: Where it comes from.
        check: Called with the known heights of one window after the other, and at last with
            None; what it raises keeps the file from being made.
    """
    profile = {"count": 1, "dtype": "float32", "nodata": VALUE_NODATA, "predictor": 3}
    with _written(target, grid, profile, tags) as file:
        file.set_band_description(1, "height above ground")
        file.set_band_unit(1, "m")
        for window, made in _made(source, grid):
            values, known = averages(made)
            if check is not None:
                check(values[0][known])
            file.write(np.where(known, values[0], np.float32(VALUE_NODATA)), 1, window=window)
        if check is not None:
            check(None)


def _made(source: Overlay, grid: PixelGrid) -> Iterator[tuple[Window, Float32Array]]:
    read = onto(source, grid)
    for rows, columns in windows(grid):
        yield _window(rows, columns), read(rows, columns)


def _window(rows: Span, columns: Span) -> Window:
    return Window(columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])


@contextmanager
def _written(
    target: Path, grid: PixelGrid, profile: Mapping[str, Any], tags: Tags
) -> Iterator[Any]:
    """A GeoTIFF that is being written, and gets its name when it is whole."""
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
        aside(target) as part,
        rasterio.open(part, "w", **(settings | dict(profile))) as file,
    ):
        file.update_tags(**tags)
        yield file
