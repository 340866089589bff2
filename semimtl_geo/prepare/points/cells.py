"""Laser returns gathered in the cells of a grid, in memory that depends on the cells alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from semimtl_geo.prepare.points.point_file import GROUND, Returns
from tiles.grid import PixelGrid
from tiles.types import Float32Array, Int32Array, Int64Array, UInt8Array


@dataclass(frozen=True)
class Cells:
    """Statistics of the returns in each cell of a grid of H x W cells.

    Attributes:
        surface: Elevation of the highest return in metres, float32 [H, W]; NaN without returns.
        classes: Class of that return, uint8 [H, W]; 0 without returns.
        intensity: Intensity of that return, float32 [H, W]; NaN without returns.
        ground: Mean elevation of ground returns in metres, float32 [H, W]; NaN without any.
        returns: Number of returns, int32 [H, W].
        later: Number of returns that are not the first of their pulse, int32 [H, W].
        colors: Mean colours in 0..255, float32 [C, H, W]; NaN without returns.
    """

    surface: Float32Array
    classes: UInt8Array
    intensity: Float32Array
    ground: Float32Array
    returns: Int32Array
    later: Int32Array
    colors: Float32Array


def gather(
    chunks: Iterable[Returns], grid: PixelGrid, bands: int, shift: tuple[float, float]
) -> Cells:
    """Gather returns in the cells of a grid.

    Args:
        chunks: The returns, in the CRS of the grid.
        grid: A grid of square cells, north up.
        bands: Number of colours, C.
        shift: Metres eastward and northward by which returns are moved, except for their colours:
            programmes take these from an image, at the unmoved position.

    Example:
        >>> from rasterio import Affine
        >>> from rasterio.crs import CRS
        >>> grid = PixelGrid(CRS.from_epsg(25832), Affine(1, 0, 0, 0, -1, 2), 2, 2)
        >>> ones = np.ones(2)
        >>> pulses = Returns(
        ...     x=0.5 * ones,
        ...     y=0.5 * ones,
        ...     z=np.array([3.0, 9.0]),
        ...     classes=np.array([2, 1], np.uint8),
        ...     later=np.array([True, False]),
        ...     intensity=ones.astype(np.float32),
        ...     colors=np.zeros((0, 2), np.float32),
        ... )
        >>> cells = gather([pulses], grid, bands=0, shift=(0, 0))
        >>> cells.surface[1, 0], cells.ground[1, 0], cells.later[1, 0]
        (np.float32(9.0), np.float32(3.0), np.int32(1))
    """
    count = grid.height * grid.width
    surface = np.full(count, -np.inf)
    classes, intensity = np.zeros(count, np.uint8), np.full(count, np.nan, np.float32)
    ground, ground_returns = np.zeros(count), np.zeros(count, np.int64)
    returns, later = np.zeros(count, np.int64), np.zeros(count, np.int64)
    colors, colored = np.zeros((bands, count)), np.zeros(count, np.int64)
    for chunk in chunks:
        if bands:
            cells, inside = _cells_of(chunk, grid, (0.0, 0.0))
            for band in range(bands):
                colors[band] += np.bincount(cells, chunk.colors[band][inside], count)
            colored += np.bincount(cells, minlength=count)
        cells, inside = _cells_of(chunk, grid, shift)
        moved = chunk.select(inside)
        returns += np.bincount(cells, minlength=count)
        later += np.bincount(cells[moved.later], minlength=count)
        is_ground = moved.classes == GROUND
        ground += np.bincount(cells[is_ground], moved.z[is_ground], count)
        ground_returns += np.bincount(cells[is_ground], minlength=count)
        highest = _highest(cells, moved.z)
        highest = highest[moved.z[highest] > surface[cells[highest]]]
        surface[cells[highest]] = moved.z[highest]
        classes[cells[highest]] = moved.classes[highest]
        intensity[cells[highest]] = moved.intensity[highest]
    shape = grid.height, grid.width
    with np.errstate(invalid="ignore"):
        return Cells(
            surface=np.where(returns > 0, surface, np.nan).astype(np.float32).reshape(shape),
            classes=classes.reshape(shape),
            intensity=intensity.reshape(shape),
            ground=(ground / ground_returns).astype(np.float32).reshape(shape),
            returns=returns.astype(np.int32).reshape(shape),
            later=later.astype(np.int32).reshape(shape),
            colors=(colors / colored).astype(np.float32).reshape(bands, *shape),
        )


def _cells_of(
    chunk: Returns, grid: PixelGrid, shift: tuple[float, float]
) -> tuple[Int64Array, npt.NDArray[np.bool_]]:
    """Return the cells of the returns inside of the grid, and which are inside."""
    transform = grid.transform
    column = np.floor((chunk.x + shift[0] - transform.c) / transform.a).astype(np.int64)
    row = np.floor((chunk.y + shift[1] - transform.f) / transform.e).astype(np.int64)
    inside = (column >= 0) & (column < grid.width) & (row >= 0) & (row < grid.height)
    return row[inside] * grid.width + column[inside], inside


def _highest(cells: Int64Array, z: npt.NDArray[np.float64]) -> Int64Array:
    """Return the index of the highest return of each cell, the first one of equal heights."""
    order = np.lexsort((-z, cells))
    first = np.ones(len(order), bool)
    first[1:] = cells[order][1:] != cells[order][:-1]
    return order[first]
