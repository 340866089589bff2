"""The common grid of several raster files, and where each file lies on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.warp import calculate_default_transform

from tiles.errors import InputError
from tiles.grid import PIXEL_TOLERANCE, PixelGrid
from tiles.reading.crs import extent_in_pixels
from tiles.reading.open_files import SourceFile
from tiles.types import Span

# Files are of different places if their common extent is both this many times their area and this
# many pixels long.
MAX_EMPTY_RATIO, MAX_EMPTY_LENGTH = 100, 100_000

FARTHEST = 2.0**24
"""Largest row or column, on the first file's grid, at which another file may lie."""

Window = tuple[Span, Span]
"""Rows and columns of a grid, which may lie beyond it."""


def anchor_grid(first: SourceFile, crs: CRS | None) -> PixelGrid:
    """Return the grid of the first file in the common CRS, of which the common grid is a window.

    Args:
        first: The first file.
        crs: The common CRS; None for that of the first file.

    Raises:
        InputError: If the CRS is not defined at the place of the file.
    """
    grid = first.grid
    if crs in (None, grid.crs):
        return grid
    # GDAL would not say what is wrong.
    extent_in_pixels(first.name, grid, PixelGrid(crs, Affine.identity(), 1, 1))
    transform, width, height = calculate_default_transform(
        grid.crs, crs, grid.width, grid.height, *grid.bounds
    )
    return PixelGrid(crs, transform, width, height)


def covered_window(file: SourceFile, grid: PixelGrid) -> Window:
    """Return the pixels of a grid that a file touches, except for slivers.

    Raises:
        InputError: If the file does not lie near the grid.
    """
    extent = extent_in_pixels(file.name, file.grid, grid)
    if not all(abs(end) < FARTHEST for ends in extent for end in ends):
        fault = "is far from the other files, or has pixels of a very different size"
        raise InputError(file.name, fault, "map it by itself, or correct its geotransform")
    rows, columns = (
        (math.floor(low + PIXEL_TOLERANCE), math.ceil(high - PIXEL_TOLERANCE))
        for low, high in extent
    )
    return (rows[0], max(rows[1], rows[0] + 1)), (columns[0], max(columns[1], columns[0] + 1))


def is_aligned(grid: PixelGrid, other: PixelGrid) -> bool:
    """Return whether the pixels of a grid are pixels of another one, extended without end."""
    if grid.crs != other.crs:
        return False
    starts_on_pixel = all(abs(x - round(x)) <= PIXEL_TOLERANCE for x in _start(grid, other))
    drift_x = abs(grid.transform.a / other.transform.a - 1) * grid.width
    drift_y = abs(grid.transform.e / other.transform.e - 1) * grid.height
    return starts_on_pixel and max(drift_x, drift_y) <= PIXEL_TOLERANCE


def window_in(grid: PixelGrid, other: PixelGrid) -> Window:
    """Return the rows and columns that a grid has in another one, with which it is aligned."""
    top, left = map(round, _start(grid, other))
    return (top, top + grid.height), (left, left + grid.width)


def _start(grid: PixelGrid, other: PixelGrid) -> tuple[float, float]:
    """Return the row and column of another grid at which a grid begins."""
    a, b = grid.transform, other.transform
    return (a.f - b.f) / b.e, (a.c - b.c) / b.a


def aligned_groups(files: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    """Group successive files whose grids are aligned."""
    group: list[SourceFile] = []
    for file in files:
        if group and not is_aligned(file.grid, group[0].grid):
            yield group
            group = []
        group.append(file)
    yield group


def union(windows: Sequence[Window]) -> Window:
    """Return the smallest window that contains all of these."""
    rows, columns = zip(*windows, strict=True)
    return (
        (min(low for low, _ in rows), max(high for _, high in rows)),
        (min(low for low, _ in columns), max(high for _, high in columns)),
    )


def grid_of_window(grid: PixelGrid, window: Window) -> PixelGrid:
    """Return the grid of a window."""
    (top, bottom), (left, right) = window
    return grid.window(left, top, right - left, bottom - top)


def check_same_place(
    files: Sequence[SourceFile], windows: Sequence[Window], anchor: PixelGrid
) -> None:
    """Check that files lie close enough to one another for one map.

    Args:
        files: The files.
        windows: Window of each raster in `anchor`.
        anchor: A grid on which all lie.

    Raises:
        InputError: If most of their common extent is empty; it names the file farthest away.
    """
    ends = np.array(windows, float)  # [files, rows and columns, start and stop]
    sides = ends[..., 1].max(axis=0) - ends[..., 0].min(axis=0)
    area = (ends[..., 1] - ends[..., 0]).prod(axis=1).sum()
    if sides.prod() <= MAX_EMPTY_RATIO * area or sides.max() <= MAX_EMPTY_LENGTH:
        return
    centres = ends.mean(axis=2) * anchor.pixel_size[::-1]
    farthest = int(np.hypot(*(centres - np.median(centres, axis=0)).T).argmax())
    other = 0 if farthest else 1
    distance = math.dist(centres[farthest], centres[other]) / 1000
    raise InputError(
        files[farthest].name,
        f"lies {distance:,.0f} km from {files[other].name}",
        "map it by itself, or correct its georeference",
    )
